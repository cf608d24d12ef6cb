r"""Computes difference quotients of the function itself, which use no derivative rule.

Steps are about :math:`10^{-60}` of the smallest number that is moved, at a precision at which
cancellation does no harm. Where the quotients from all sides agree, they are the derivative; where
they differ, the function has a kink and no derivative.

===========  =====================================================================================
`Gradient`   of a scalar function, entry by entry: :math:`\partial_e f`
`Jacobian`   of any function, entry by entry
`Push`       of any function along a tangent: :math:`J\,t`
`Hessian`    second quotients of a scalar function along a tangent: :math:`\partial_e\,(\nabla f
             \cdot t)`
===========  =====================================================================================

Accuracy
--------
One-sided quotients are off by the step times the next derivative, about :math:`10^{-60}`; roundings
are in the radius of each ball. ``tests/crosscheck/judge/test_quotients.py`` compares them with
derivatives in closed form.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np

from mog_jax.crosscheck.arrays import Array
from mog_jax.crosscheck.exact import Undecided, ball_arrays, evaluate

# Powers of ten. At a kink a longer step makes no difference.
_STEP, _LONGER_STEP = -60, -50
# Digits of the function for a quotient of a few dozen digits; more where it is flat.
_DIGITS = (160, 500, 1500)
_SECOND_DIGITS = (250, 800, 2000)
_SHARP_BITS = 100
_AGREE = -25
# A slope has converged if it changes with the step by less than this, relative to itself.
_CONVERGED = -6
# A derivative below this is zero in any program.
_NOTHING = -400
# Largest number of entries of a draw that are found, each by a few evaluations.
_MOST_ENTRIES = 24
_MOST_SECOND_ENTRIES = 8
# Slopes along two directions and their sum have to add up to this accuracy.
_ADD_UP = -20
# Number of such other directions: with a single one a kink may be missed.
_DIRECTIONS = 3

Limits = dict[int, flint.arb | None]
"""From entry to derivative; None where there is none. Entries that cost too much are left out."""


@dataclasses.dataclass(frozen=True, eq=False)
class Quotients:
    """The function whose quotients are taken, and the point.

    Attributes
    ----------
    function : ClosedJaxpr
        The function without any custom rule in it.
    leaves : sequence of arrays
        Its arguments, as exact numbers.
    places : sequence of int
        Which of them are differentiated.
    direction : sequence of arrays
        A tangent for those.
    """

    function: Any
    leaves: Sequence[Array]
    places: Sequence[int]
    direction: Sequence[Array]

    def limits(self, entries: Sequence[int]) -> Limits:
        """Return the derivative in some entries, by quotients only.

        Quotients from two sides may agree at a kink: along one direction the median of equal
        numbers is smooth. So they also have to add up with those along another direction.
        """
        raise NotImplementedError

    def confirms(self, values: Array) -> bool | None:
        """Return whether given values agree with a quotient; None if that cannot be decided."""
        raise NotImplementedError

    def _at(self, digits: int, *moves: tuple[Sequence[Array], flint.arb]) -> Array:
        """Return the function's values with its arguments moved along directions by steps."""
        moved = list(self.leaves)
        for direction, step in moves:
            for place, slope in zip(self.places, direction, strict=True):
                along = step * ball_arrays.as_balls(slope)
                moved[place] = np.asarray(ball_arrays.as_balls(moved[place]) + along, object)
        return ball_arrays.flat(evaluate(self.function, moved, digits=digits, by_meaning=True))

    def _generic(self, seed: int = 0) -> list[Array]:
        """Return a direction without symmetries, along which two errors do not cancel by chance."""
        random = np.random.default_rng(seed)

        def sized(leaf: Array) -> Array:
            sizes = np.abs(np.asarray(leaf, np.float64))
            signs = random.choice([-1.0, 1.0], size=leaf.shape)
            return np.asarray(
                signs * random.uniform(0.5, 1, leaf.shape) * np.where(sizes, sizes, 1)
            )

        return [sized(self.leaves[place]) for place in self.places]

    def _limits_one_by_one(
        self,
        entries: Sequence[int],
        one_sided: Callable[[Sequence[Array], int], list[flint.arb]],
    ) -> Limits:
        """Return the derivative in entries, each along its own coordinate direction."""

        def along(direction: Sequence[Array]) -> flint.arb | None:
            return _where_sides_meet(functools.partial(one_sided, direction))

        units = {entry: self._unit(entry)[0] for entry in entries}
        found = {entry: along(unit) for entry, unit in units.items()}
        for seed in range(_DIRECTIONS if self._numbers() > 1 else 0):
            if all(value is None for value in found.values()):
                break
            across = self._generic(seed)
            sides = one_sided(across, _STEP)
            for entry, unit in units.items():
                if found[entry] is not None:
                    pair = _sum_and_difference(across, unit)
                    others = (one_sided(direction, _STEP) for direction in pair)
                    found[entry] = _if_linear(found[entry], sides, *others)
        return found

    def _numbers(self) -> int:
        """Return the number of entries of the differentiated arguments."""
        return int(sum(self.leaves[place].size for place in self.places))

    def _smallest(self) -> flint.arb:
        """Return the size of the smallest number that is moved, which limits the step.

        A function may change as soon as a number changes its sign.
        """
        moved = np.concatenate(
            [ball_arrays.as_balls(self.leaves[place]).reshape(-1) for place in self.places]
        )
        smallest = flint.arb(1)
        # A leaf on a simplex holds floats, and the ball that completes the sum.
        for number in map(flint.arb, moved):
            if not number.contains(0) and abs(number) < smallest:
                smallest = abs(number)
        return smallest

    def _unit(self, entry: int) -> tuple[list[Array], float]:
        """Return the direction of one entry, and the size of the number that it moves."""
        direction = [np.zeros(self.leaves[place].shape) for place in self.places]
        sizes = [leaf.size for leaf in direction]
        ends = np.cumsum(sizes)
        which = int(np.searchsorted(ends, entry, side="right"))
        index = int(entry - (ends[which] - sizes[which]))
        direction[which].reshape(-1)[index] = 1.0
        leaf = self.leaves[self.places[which]].reshape(-1)[index]
        return direction, float(abs(flint.arb(leaf)).upper()) or 1.0


class Gradient(Quotients):
    """First quotients of a scalar function, entry by entry."""

    def limits(self, entries: Sequence[int]) -> Limits:
        """Return the gradient in some entries."""
        return self._limits_one_by_one(entries[:_MOST_ENTRIES], self._one_sided)

    def _one_sided(self, unit: Sequence[Array], exponent: int) -> list[flint.arb]:
        def quotients(digits: int) -> list[flint.arb]:
            step = flint.arb(10) ** exponent * self._smallest()
            here = self._at(digits)[0]
            ahead, behind = self._at(digits, (unit, step))[0], self._at(digits, (unit, -step))[0]
            return [(here - behind) / step, (ahead - here) / step]

        return _sharpened(quotients, _DIGITS, 2)

    def confirms(self, values: Array) -> bool | None:
        """Compare along a generic direction, between the two sides of the point."""
        across = self._generic()

        def quotient(exponent: int, digits: int) -> list[flint.arb]:
            step = flint.arb(10) ** exponent * self._smallest()
            ahead = self._at(digits, (across, step))[0]
            behind = self._at(digits, (across, -step))[0]
            return [(ahead - behind) / 2 / step]

        return _explains(
            values, across, lambda e: _sharpened(functools.partial(quotient, e), _DIGITS, 1)[0]
        )


class Push(Quotients):
    """First quotients of any function along the direction."""

    def limits(self, entries: Sequence[int]) -> Limits:
        """Return the derivative along the direction in some entries of the output."""
        found = self._limits_along(entries)
        for seed in range(_DIRECTIONS if self._numbers() > 1 else 0):
            if all(value is None for value in found.values()):
                break
            across = self._generic(seed)
            sides = [
                dataclasses.replace(self, direction=direction)._one_sided(_STEP)
                for direction in (across, *_sum_and_difference(across, self.direction))
            ]
            for entry in entries:
                at_entry = [[side[entry] for side in both] for both in sides]
                found[entry] = _if_linear(found[entry], *at_entry)
        return found

    def _limits_along(self, entries: Sequence[int]) -> Limits:
        sides = {exponent: self._one_sided(exponent) for exponent in (_STEP, _LONGER_STEP)}

        def of_entry(entry: int, exponent: int) -> list[flint.arb]:
            return [side[entry] for side in sides[exponent]]

        return {entry: _where_sides_meet(functools.partial(of_entry, entry)) for entry in entries}

    def _one_sided(self, exponent: int) -> list[Array]:
        def quotients(digits: int) -> list[flint.arb]:
            step = flint.arb(10) ** exponent * self._smallest()
            here = self._at(digits)
            ahead = self._at(digits, (self.direction, step))
            behind = self._at(digits, (self.direction, -step))
            return [*((here - behind) / step), *((ahead - here) / step)]

        half = sum(math.prod(aval.shape) for aval in self.function.out_avals)
        both = _sharpened(quotients, _DIGITS, 2 * half)
        return [np.array(both[:half], object), np.array(both[half:], object)]

    def confirms(self, values: Array) -> bool | None:
        """Compare entry by entry."""
        limits = self.limits(range(len(values)))
        known = [
            bool(value.overlaps(limits[entry]))
            for entry, value in enumerate(values)
            if limits[entry] is not None and value.is_finite()
        ]
        return all(known) if known else None


class Jacobian(Quotients):
    """First quotients of any function in every entry of its arguments.

    Values are blocks, one for each array of the output and each differentiated argument, with the
    shape of the former before that of the latter.
    """

    def _rows_and_columns(self) -> Array:
        """Return the row and the column of every value."""
        rows = [math.prod(aval.shape) for aval in self.function.out_avals]
        columns = [self.leaves[place].size for place in self.places]
        found = []
        for i, height in enumerate(rows):
            for j, width in enumerate(columns):
                block = np.indices((height, width)).reshape(2, -1)
                found.append(np.add(block, [[sum(rows[:i])], [sum(columns[:j])]]))
        return np.concatenate(found, axis=1)

    def limits(self, entries: Sequence[int]) -> Limits:
        """Return some entries of the Jacobian, as far as they are in its first few columns."""
        rows, columns = self._rows_and_columns()
        found: Limits = {}
        for column in list(dict.fromkeys(columns[list(entries)].tolist()))[:_MOST_ENTRIES]:
            unit, scale = self._unit(column)
            along = Push(self.function, self.leaves, self.places, [scale * u for u in unit])
            inside = [entry for entry in entries if columns[entry] == column]
            limits = along.limits([int(rows[entry]) for entry in inside])
            with ball_arrays.precision(256):
                for entry in inside:
                    slope = limits[int(rows[entry])]
                    found[entry] = None if slope is None else slope / flint.arb(scale)
        return found

    def confirms(self, values: Array) -> bool | None:
        """Compare every row along a generic direction."""
        across = self._generic()
        rows, columns = self._rows_and_columns()
        direction = np.concatenate([leaf.reshape(-1) for leaf in across])
        limits = Push(self.function, self.leaves, self.places, across).limits(
            range(int(rows.max(initial=-1)) + 1)
        )
        known = []
        with ball_arrays.precision(256):
            for row, slope in limits.items():
                terms = values[rows == row] * ball_arrays.as_balls(direction[columns[rows == row]])
                total, size = flint.arb(0) + terms.sum(), flint.arb(0) + abs(terms).sum()
                if slope is not None and total.is_finite():
                    slack = flint.arb(0, (size * flint.arb(10) ** _AGREE).upper())
                    known.append(bool(slope.overlaps(total + slack)))
        return all(known) if known else None


class Hessian(Quotients):
    """Second quotients of a scalar function, along the direction and in one entry."""

    def limits(self, entries: Sequence[int]) -> Limits:
        """Return the gradient's derivative along the direction, in some entries."""
        return self._limits_one_by_one(entries[:_MOST_SECOND_ENTRIES], self._one_sided)

    def _one_sided(self, unit: Sequence[Array], exponent: int) -> list[flint.arb]:
        def quotients(digits: int) -> list[flint.arb]:
            # The two steps have different lengths, as opposite equal steps would cancel.
            along = flint.arb(10) ** exponent * self._smallest()
            across = along * 7 / 10
            here = self._at(digits)[0]
            moved = {t: self._at(digits, (self.direction, t * along))[0] for t in (1, -1)}
            found = []
            for side in (1, -1):
                aside = self._at(digits, (unit, side * across))[0]
                for t in (1, -1):
                    both = (unit, side * across), (self.direction, t * along)
                    corner = self._at(digits, *both)[0]
                    found.append((corner - aside - moved[t] + here) / (side * t * along * across))
            return found

        return _sharpened(quotients, _SECOND_DIGITS, 4)

    def confirms(self, values: Array) -> bool | None:
        """Compare along a generic direction, between the four corners about the point."""
        across = self._generic()

        def quotient(exponent: int, digits: int) -> list[flint.arb]:
            step = flint.arb(10) ** exponent * self._smallest()
            corners = [
                s * t * self._at(digits, (across, s * step), (self.direction, t * step))[0]
                for s in (1, -1)
                for t in (1, -1)
            ]
            return [sum(corners, flint.arb(0)) / 4 / step**2]

        return _explains(
            values,
            across,
            lambda e: _sharpened(functools.partial(quotient, e), _SECOND_DIGITS, 1)[0],
        )


def _sharpened(
    quotients: Callable[[int], list[flint.arb]], digits: Sequence[int], count: int
) -> list[flint.arb]:
    """Return `count` quotients, with more digits of the function until they are narrow balls.

    They are NaN if a comparison stays undecided.
    """
    found = [flint.arb.nan()] * count
    for number in digits:
        with ball_arrays.precision(int(3.33 * number) + 64):
            try:
                found = quotients(number)
            except Undecided:
                # The moved inputs are balls of this precision, which may be too wide to compare.
                continue
        if all(not q.is_finite() or q.rel_accuracy_bits() > _SHARP_BITS for q in found):
            break
    return found


def _where_sides_meet(sides_at: Callable[[int], list[flint.arb]]) -> flint.arb | None:
    """Return the limit of the quotients from all sides; None if they do not agree."""
    sides = sides_at(_STEP)
    if not all(side.is_finite() for side in sides):
        return None
    with ball_arrays.precision(256):
        size, gap = max(map(abs, sides)), _spread(sides)
        if 2 * size < flint.arb(10) ** _NOTHING:
            return flint.arb(0, (2 * size).upper())
        # All are off by the next derivative times the step, which may be the whole difference: then
        # it grows with a longer step. At a kink it does not.
        longer = sides_at(_LONGER_STEP)
        slack = 2 * size * flint.arb(10) ** _AGREE
        if not (gap <= slack or gap < _spread(longer) / 100):
            return None
        mean, of_longer = _mean(sides), _mean(longer)
        truncated = abs(mean - of_longer) if of_longer.is_finite() else flint.arb(0)
        found = flint.arb(mean.mid(), (slack + gap + truncated).upper())
        converged = truncated < abs(mean) * flint.arb(10) ** _CONVERGED
        if not converged and abs(mean) > abs(of_longer):
            return None  # It diverges as the step shrinks, as at a jump.
        if found.contains(0):
            # A ball that contains 0 is centred there, so that a program may return 0.
            return flint.arb(0, abs(found).upper())
        return found if converged else None


def _sum_and_difference(
    one: Sequence[Array], other: Sequence[Array]
) -> tuple[list[Array], list[Array]]:
    """Return the sum and the difference of two directions, as exact numbers."""
    with ball_arrays.precision(256):
        pairs = [
            (ball_arrays.as_balls(np.asarray(a)), ball_arrays.as_balls(np.asarray(b)))
            for a, b in zip(one, other, strict=True)
        ]
        return (
            [np.asarray(a + b, object) for a, b in pairs],
            [np.asarray(a - b, object) for a, b in pairs],
        )


def _if_linear(
    slope: flint.arb | None,
    across: Sequence[flint.arb],
    ahead: Sequence[flint.arb],
    behind: Sequence[flint.arb],
) -> flint.arb | None:
    """Return a slope if it adds up with those along another direction, else None.

    Each side is tested for itself: a function with a kink in other arguments may have a slope in
    this one.
    """
    if slope is None:
        return None
    with ball_arrays.precision(256):
        for a, plus, minus in zip(across, ahead, behind, strict=True):
            size = abs(slope) + abs(a) + abs(plus) + abs(minus)
            slack = size * flint.arb(10) ** _ADD_UP + slope.rad()
            if abs(plus - a - slope) > slack or abs(a - minus - slope) > slack:
                return None
    return slope


def _mean(sides: Sequence[flint.arb]) -> flint.arb:
    return sum(sides, flint.arb(0)) / len(sides)


def _spread(sides: Sequence[flint.arb]) -> flint.arb:
    gaps = [abs(a - b) for i, a in enumerate(sides) for b in sides[:i]]
    return max(gaps, key=lambda gap: gap.mid())


def _explains(
    values: Array, direction: Sequence[Array], quotient_at: Callable[[int], flint.arb]
) -> bool | None:
    """Return whether values, summed along a direction, agree with a quotient; None if unknown."""
    quotient = quotient_at(_STEP)
    with ball_arrays.precision(256):
        along = np.concatenate([ball_arrays.as_balls(v).reshape(-1) for v in direction])
        terms = values * along
        total, size = flint.arb(0) + terms.sum(), flint.arb(0) + abs(terms).sum()
        if not (quotient.is_finite() and total.is_finite()):
            return None
        slack = (size + abs(quotient)) * flint.arb(10) ** _AGREE
        if quotient.rad() > slack and quotient.rad() != 0:
            return None
        if (total - quotient).overlaps(flint.arb(0, slack.upper())):
            return True
        # The change with a longer step estimates the error of a quotient.
        slack += abs(quotient - quotient_at(_LONGER_STEP))
        return bool((total - quotient).overlaps(flint.arb(0, slack.upper())))
