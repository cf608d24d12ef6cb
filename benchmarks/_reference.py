"""Searches regular maxima slowly and thoroughly, by code that is not the package's.

To test whether a fit reaches the maximum, the maximum must be known from another method, in another
way. Here each dataset is climbed from more than a hundred starts (contiguous splits, narrow cores,
random intervals, random points with random scales) by Levenberg-Marquardt on the exact Hessian,
damped by the complete-data information, until the Newton decrement says that 1e-9 nats are left.
No start is dropped after a few steps: a start that looks poor often ends best.

*Regular*: each component holds an effective count of at least 5, and its variance is at least 1e-6
of the data's. A dataset may have no such maximum: the likelihood then rises all the way to a spike
or to a single component, and it is left out of every share, and counted.

That definition admits a cluster of five neighbouring points as a component, and on several per cent
of random datasets such a cluster is the highest regular maximum. No peer looks for those. So there
is a second mark beside it: the best *plain* maximum, where in addition no standard deviation is
less than 1/20 of the other.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

MIN_POINTS = 5.0
MIN_VARIANCE = 1e-6
PLAIN_RATIO = 0.05
GAIN_LEFT = 1e-9  # nats
RANDOM_STARTS = 84
RUNS = (5, 6, 8, 10, 13, 17, 22, 30, 40)
RUNS_OF_A_SIZE = 8

# Lanes of one compiled call: few enough for the working set to stay in the cache.
DATASETS_A_CALL = 32
LANES_A_CALL = 4096
SEARCH_PASSES = 30
FINISH_PASSES = 60
ROUNDS = 8
LADDER = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
    """Best known regular maxima of a batch of datasets.

    Parameters
    ----------
    log_likelihood
        In nats, ``(b,)``; NaN where no regular maximum was found.
    weights, means, variances
        In the data's units, components by ascending mean, ``(b, 2)``.
    gain_left
        Newton decrement at the maximum, in nats, ``(b,)``.
    n_starts
        How many of the starts led to the best maximum, ``(b,)``: how hard the dataset is.
    n_maxima
        Number of different regular maxima found, ``(b,)``.
    plain_log_likelihood
        The same as `log_likelihood` for the best plain maximum, ``(b,)``.
    """

    log_likelihood: Array
    weights: Array
    means: Array
    variances: Array
    gain_left: Array
    n_starts: Array
    n_maxima: Array
    plain_log_likelihood: Array


def load_or_find(family: str, seed: int, x: Array, folder: Path | None = None) -> Reference:
    """Read the reference for `x` from its file in `folder`, or find it and write the file.

    The file is read only if it was written for these very data.
    """
    digest = hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest()
    b, n = x.shape
    path = (folder or default_folder()) / f"reference-{family}-{seed}-{b}x{n}.npz"
    if path.exists():
        with np.load(path) as stored:
            if str(stored["digest"]) == digest:
                names = [field.name for field in dataclasses.fields(Reference)]
                return Reference(**{name: stored[name] for name in names})
    reference = find(x)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, digest=np.array(digest), **dataclasses.asdict(reference))
    return reference


def default_folder() -> Path:
    """Return the folder of the references, in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "mog_jax"


def find(x: Array) -> Reference:
    """Find the best regular maximum of each row of `x`, ``(b, n)``: seconds per hundred rows."""
    mean, deviation = x.mean(axis=1), x.std(axis=1)
    z = (x - mean[:, None]) / deviation[:, None]
    lanes = _search(z)
    ended = [lanes[lanes.finished]]
    for _ in range(ROUNDS):
        lanes = _merge(lanes[~lanes.finished & ~lanes.dead])
        if not lanes.value.size:
            break
        lanes = _go_on(z, lanes)
        ended.append(lanes[lanes.finished])
    reference = _best(ended, mean, deviation, n_points=x.shape[1])
    _check(z, mean, deviation, reference)
    return reference


# The starts: theta = (logit, mean_1, mean_2, log-variance_1, log-variance_2), ``(5, s)``.


def starts(z: Array, index: int) -> Array:
    """Return all starts for one standardised dataset, ``(5, s)``."""
    z = np.sort(z)
    n = len(z)
    groups = []
    for fraction in np.linspace(0.03, 0.97, 16):
        cut = int(np.clip(round(fraction * n), 2, n - 2))
        groups.append(np.arange(n) < cut)
    rank = np.arange(n) / n
    groups += [np.abs(rank - place) < half for place in (0.2, 0.5, 0.8) for half in (0.08, 0.2)]
    rng = np.random.default_rng([20260101, index])
    for _ in range(RANDOM_STARTS // 2):
        low, high = np.sort(rng.random(2))
        groups.append((rank >= low) & (rank <= high))
    groups += _clusters(z)
    split = [_moments(z, group) for group in groups]
    wide = [(0.0, 0.0, 0.0, np.log(0.1), np.log(1.5)), (2.0, -0.1, 0.1, np.log(0.5), np.log(4.0))]
    points = [
        (
            rng.normal(0.0, 1.5),
            *rng.choice(z, 2),
            *np.log(0.02 + 1.5 * rng.random(2) ** 3),
        )
        for _ in range(RANDOM_STARTS - RANDOM_STARTS // 2)
    ]
    # Few points have room for fewer runs: the list is then gone through again, to one length.
    found = np.array(split + wide + points)
    return np.resize(found, (24 + len(RUNS) * RUNS_OF_A_SIZE + RANDOM_STARTS, 5)).T


def _clusters(z: Array) -> list[Array]:
    """Return the tightest runs of neighbouring points, for each of several sizes.

    The definition of regular admits clusters of five points, and nothing but a start in the right
    place finds them. A run of k points is scored by what it gains, as a component of its own, over
    one normal for all points.
    """
    n = len(z)
    groups = []
    sums, squares = (np.concatenate([[0.0], np.cumsum(z**p)]) for p in (1, 2))
    for k in RUNS:
        if 2 * k >= n:
            break
        total, square = sums[k:] - sums[:-k], squares[k:] - squares[:-k]
        variance = np.maximum(square / k - (total / k) ** 2, MIN_VARIANCE)
        score = 0.5 * (square - k * np.log(variance))
        for _ in range(RUNS_OF_A_SIZE):
            at = int(np.argmax(score))
            if not np.isfinite(score[at]):
                break
            groups.append((np.arange(n) >= at) & (np.arange(n) < at + k))
            score[max(at - k // 2, 0) : at + k // 2 + 1] = -np.inf
    return groups


def _moments(z: Array, group: Array) -> tuple[float, float, float, float, float]:
    n = len(z)
    # A group of one or two points would start inside a spike.
    if not 3 <= group.sum() <= n - 3:
        group = np.arange(n) < n // 2
    size = group.sum()
    inside, outside = z[group], z[~group]
    logs = np.log(np.maximum([inside.var(), outside.var()], 10.0 * MIN_VARIANCE))
    return (np.log(size / (n - size)), inside.mean(), outside.mean(), logs[0], logs[1])


# One pass over the points: log-likelihood, gradient and Hessian in theta.


def _statistics(z: jax.Array, theta: jax.Array) -> tuple[jax.Array, ...]:
    """Sum over the points, ``z`` being ``(n, lanes)``: value, and moments of γ₁ and of γ₁γ₂.

    log(1 + e) is summed as the log of a product: 500 factors of at most 2 cannot overflow.
    """
    logit, m1, m2, l1, l2 = theta
    w1, w2 = jnp.exp(-l1), jnp.exp(-l2)
    log1 = jax.nn.log_sigmoid(logit) - 0.5 * l1
    log2 = jax.nn.log_sigmoid(-logit) - 0.5 * l2

    def point(sums: tuple[jax.Array, ...], zi: jax.Array) -> tuple[tuple[jax.Array, ...], None]:
        top, product, *moments = sums
        d1 = log1 - 0.5 * (zi - m1) ** 2 * w1
        d2 = log2 - 0.5 * (zi - m2) ** 2 * w2
        e = jnp.exp(-jnp.abs(d1 - d2))
        inverse = 1.0 / (1.0 + e)
        g = jnp.where(d1 >= d2, inverse, e * inverse)
        h = e * inverse * inverse
        z2 = zi * zi
        terms = (g, g * zi, g * z2, h, h * zi, h * z2, h * z2 * zi, h * z2 * z2)
        moments = [m + t for m, t in zip(moments, terms, strict=True)]
        return (top + jnp.maximum(d1, d2), product * (1.0 + e), *moments), None

    zero = jnp.zeros_like(logit)
    total = zero
    sums = [zero] * 8
    for start in range(0, z.shape[0], 500):
        block = z[start : start + 500]
        (top, product, *moments), _ = jax.lax.scan(point, (zero, zero + 1.0, *[zero] * 8), block)
        total = total + top + jnp.log(product)
        sums = [s + m for s, m in zip(sums, moments, strict=True)]
    return (total - 0.5 * z.shape[0] * np.log(2.0 * np.pi), *sums)


_Derivatives = tuple[list[jax.Array], list[list[jax.Array]], list[jax.Array]]


def _derivatives(z: jax.Array, theta: jax.Array) -> tuple[jax.Array, Any, Any, Any]:
    """Value, gradient, minus the Hessian, and the diagonal of the complete-data information."""
    value, g0, g1, g2, *h = _statistics(z, theta)
    n = z.shape[0]
    _, m1, m2, l1, l2 = theta
    p1, p2 = jax.nn.sigmoid(theta[0]), jax.nn.sigmoid(-theta[0])
    w1, w2 = jnp.exp(-l1), jnp.exp(-l2)
    total1, total2 = jnp.sum(z, axis=0), jnp.sum(z * z, axis=0)
    c1, c2 = g0, n - g0
    # Sums of u = (z - m)/v and q = (z - m)²/v under the responsibilities.
    u1 = (g1 - m1 * c1) * w1
    u2 = (total1 - g1 - m2 * c2) * w2
    q1 = (g2 - 2.0 * m1 * g1 + m1**2 * c1) * w1
    q2 = (total2 - g2 - 2.0 * m2 * (total1 - g1) + m2**2 * c2) * w2
    gradient = [g0 - n * p1, u1, u2, 0.5 * (q1 - c1), 0.5 * (q2 - c2)]
    # s₁ - s₂ as polynomials in z; their products meet the moments of γ₁γ₂.
    one, zero = jnp.ones_like(g0), jnp.zeros_like(g0)
    polynomials = [
        (one, zero, zero),
        (-m1 * w1, w1, zero),
        (m2 * w2, -w2, zero),
        (0.5 * (m1**2 * w1 - 1.0), -m1 * w1, 0.5 * w1),
        (-0.5 * (m2**2 * w2 - 1.0), m2 * w2, -0.5 * w2),
    ]
    # Only the lower triangle is filled in.
    information = [[zero] * (i + 1) for i in range(5)]
    for i in range(5):
        for j in range(i + 1):
            information[i][j] = -sum(
                polynomials[i][a] * polynomials[j][b] * h[a + b] for a in range(3) for b in range(3)
            )
    complete = [n * p1 * p2, c1 * w1, c2 * w2, 0.5 * c1, 0.5 * c2]
    expected = [*complete[:3], 0.5 * q1, 0.5 * q2]
    for i in range(5):
        information[i][i] = information[i][i] + expected[i]
    information[3][1] = information[3][1] + u1
    information[4][2] = information[4][2] + u2
    return value, gradient, information, complete


def _solve(
    matrix: list[list[jax.Array]], right: list[jax.Array]
) -> tuple[list[jax.Array], jax.Array]:
    """Solve by LDLᵀ, lane by lane; also whether the matrix is positive definite."""
    size = len(right)
    lower: list[list[jax.Array]] = [[] for _ in range(size)]
    pivots: list[jax.Array] = []
    definite = jnp.ones_like(right[0], dtype=bool)
    for i in range(size):
        for j in range(i):
            entry = matrix[i][j]
            for k in range(j):
                entry = entry - lower[i][k] * lower[j][k] * pivots[k]
            lower[i].append(entry / pivots[j])
        pivot = matrix[i][i]
        for k in range(i):
            pivot = pivot - lower[i][k] ** 2 * pivots[k]
        # Relative to its diagonal entry: roundings must not pass for a positive pivot.
        good = pivot > 1e-13 * jnp.abs(matrix[i][i])
        definite &= good
        pivots.append(jnp.where(good, pivot, 1.0))
    y: list[jax.Array] = []
    for i in range(size):
        entry = right[i]
        for k in range(i):
            entry = entry - lower[i][k] * y[k]
        y.append(entry)
    solution: list[jax.Array] = [right[0]] * size
    for i in reversed(range(size)):
        entry = y[i] / pivots[i]
        for k in range(i + 1, size):
            entry = entry - lower[k][i] * solution[k]
        solution[i] = entry
    return solution, definite


def _step(
    theta: jax.Array, derivatives: _Derivatives, damping: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Damped Newton step, the gain that it promises, and the damping that it took.

    The damping is raised until the matrix is positive definite: with enough of the complete-data
    information it always is, and the step is then close to a short EM step.
    """
    gradient, information, complete = derivatives
    taken = damping
    for _ in range(LADDER):
        _, definite = _solve(_damped(information, complete, taken), gradient)
        taken = jnp.where(definite, taken, 3.0 * taken + 0.1)
    direction, definite = _solve(_damped(information, complete, taken), gradient)
    gain = 0.5 * sum(d * g for d, g in zip(direction, gradient, strict=True))
    step = jnp.stack(direction)
    # No parameter moves by more than one of its own units at a time: a component's standard
    # deviation for its mean, a factor of e for a variance, twice that for the odds.
    unit = jnp.exp(0.5 * theta[3:])
    ones = jnp.ones_like(unit)
    sizes = jnp.abs(step) / jnp.concatenate([2.0 * ones[:1], unit, ones])
    step = step / jnp.maximum(jnp.max(sizes, axis=0, keepdims=True), 1.0)
    return jnp.where(definite[None], step, 0.0), jnp.where(definite, gain, jnp.inf), taken


def _damped(
    information: list[list[jax.Array]], complete: list[jax.Array], damping: jax.Array
) -> list[list[jax.Array]]:
    return [
        [entry + damping * complete[i] if i == j else entry for j, entry in enumerate(row[: i + 1])]
        for i, row in enumerate(information)
    ]


# The climb. One lane is one start on one dataset; lanes are the trailing axes.


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Lanes:
    """Where the starts have got to: `dataset` names the row, `n_starts` how many are here."""

    dataset: Array
    n_starts: Array
    theta: Array
    value: Array
    damping: Array
    gain: Array

    def __getitem__(self, key: Any) -> "_Lanes":
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return _Lanes(**{name: array[..., key] for name, array in fields.items()})

    @property
    def finished(self) -> Array:
        return self.gain < GAIN_LEFT

    @property
    def dead(self) -> Array:
        """Return which lanes are in a spike, down to one component, or not finite."""
        spike = self.theta[3:].min(axis=0) < np.log(MIN_VARIANCE)
        alone = np.abs(self.theta[0]) > 12.0
        return spike | alone | ~np.isfinite(self.value)


def _join(parts: list[_Lanes]) -> _Lanes:
    names = [field.name for field in dataclasses.fields(_Lanes)]
    return _Lanes(
        **{name: np.concatenate([getattr(p, name) for p in parts], axis=-1) for name in names}
    )


@functools.partial(jax.jit, static_argnames="n_passes")
def _climb(
    z: jax.Array, theta: jax.Array, damping: jax.Array, n_passes: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Climb `n_passes` passes; give theta, value, damping and the gain that is left."""
    value, *derivatives = _derivatives(z, theta)

    def step(_: int, state: Any) -> Any:
        theta, value, derivatives, damping, _ = state
        move, gain, taken = _step(theta, derivatives, damping)
        gain = jnp.where(taken == 0.0, gain, jnp.inf)
        trial = theta + move
        trial_value, *trial_derivatives = _derivatives(z, trial)
        better = trial_value > value

        def choose(new: jax.Array, old: jax.Array) -> jax.Array:
            return jnp.where(better, new, old)

        eased = jnp.where(taken < 2e-2, 0.0, taken / 6.0)
        # At a maximum no step climbs, for rounding: that is no reason for more damping.
        damping = jnp.where(better | (gain < GAIN_LEFT), eased, 4.0 * taken + 0.05)
        kept = jax.tree.map(choose, trial_derivatives, derivatives)
        return (
            jnp.where(better[None], trial, theta),
            choose(trial_value, value),
            kept,
            damping,
            gain,
        )

    state = (theta, value, derivatives, damping, jnp.full_like(value, jnp.inf))
    theta, value, _, damping, gain = jax.lax.fori_loop(0, n_passes, step, state)
    return theta, value, damping, gain


def _search(z: Array) -> _Lanes:
    """Climb from every start of every dataset for the first `SEARCH_PASSES` passes."""

    def climb(rows: Array) -> _Lanes:
        theta = np.stack([starts(z[row], row) for row in rows], axis=-1)
        n_starts, n_rows = theta.shape[1:]
        with jax.enable_x64(True):
            grid = np.broadcast_to(z[rows].T[:, None, :], (z.shape[1], 1, n_rows))
            ended = _climb(grid, theta, np.ones(theta.shape[1:]), SEARCH_PASSES)
        theta, value, damping, gain = (np.asarray(a) for a in ended)
        return _Lanes(
            dataset=np.broadcast_to(rows, (n_starts, n_rows)).ravel(),
            n_starts=np.ones(value.size, dtype=int),
            theta=theta.reshape(5, -1),
            value=value.ravel(),
            damping=damping.ravel(),
            gain=gain.ravel(),
        )

    # The last call is filled up with repeated rows, so that all have one shape, and cut back.
    n = len(z)
    rows = np.minimum(np.arange(-(-n // DATASETS_A_CALL) * DATASETS_A_CALL), n - 1)
    parts = _in_threads(climb, np.split(rows, len(rows) // DATASETS_A_CALL))
    spare = len(rows) - n
    if spare:
        grid = np.arange(parts[-1].value.size).reshape(-1, DATASETS_A_CALL)
        parts[-1] = parts[-1][grid[:, : DATASETS_A_CALL - spare].ravel()]
    return _join(parts)


def _go_on(z: Array, lanes: _Lanes) -> _Lanes:
    """Climb the lanes for another `FINISH_PASSES` passes, each with its own copy of the data."""
    size = lanes.value.size
    width = min(LANES_A_CALL, 1 << (size - 1).bit_length())

    def climb(keys: Array) -> _Lanes:
        here = lanes[np.resize(keys, width)]
        with jax.enable_x64(True):
            ended = _climb(z[here.dataset].T, here.theta, here.damping, FINISH_PASSES)
        theta, value, damping, gain = (np.asarray(a) for a in ended)
        moved = dataclasses.replace(here, theta=theta, value=value, damping=damping, gain=gain)
        return moved[: len(keys)]

    return _join(
        _in_threads(climb, [np.arange(size)[k : k + width] for k in range(0, size, width)])
    )


def _in_threads(climb: Callable[[Array], _Lanes], parts: list[Array]) -> list[_Lanes]:
    # The compiled loop runs on one core and lets go of the interpreter: one thread a core.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(climb, parts))


def _merge(lanes: _Lanes) -> _Lanes:
    """Merge the lanes of a dataset that have met, up to the order of the components."""
    swapped = lanes.theta[[0, 2, 1, 4, 3]] * np.array([-1.0, 1.0, 1.0, 1.0, 1.0])[:, None]
    theta = np.where(lanes.theta[1] <= lanes.theta[2], lanes.theta, swapped)
    key = np.vstack([lanes.dataset, np.rint(theta / 1e-4)])
    _, first, place = np.unique(key, axis=1, return_index=True, return_inverse=True)
    counts = np.bincount(place.ravel(), weights=lanes.n_starts, minlength=first.size)
    return dataclasses.replace(lanes[first], n_starts=counts.astype(int))


def _best(ended: list[_Lanes], mean: Array, deviation: Array, n_points: int) -> Reference:
    """Return each dataset's highest regular maximum, in the data's units."""
    lanes = _join(ended)
    logit, m1, m2, l1, l2 = lanes.theta
    weight = 1.0 / (1.0 + np.exp(-logit))
    regular = np.minimum(weight, 1.0 - weight) * n_points >= MIN_POINTS
    regular &= np.minimum(l1, l2) >= np.log(MIN_VARIANCE)
    lanes = lanes[regular]
    b = len(mean)
    out = Reference(
        log_likelihood=np.full(b, np.nan),
        weights=np.full((b, 2), np.nan),
        means=np.full((b, 2), np.nan),
        variances=np.full((b, 2), np.nan),
        gain_left=np.full(b, np.nan),
        n_starts=np.zeros(b, dtype=int),
        n_maxima=np.zeros(b, dtype=int),
        plain_log_likelihood=np.full(b, np.nan),
    )
    for row in range(b):
        here = lanes[np.flatnonzero(lanes.dataset == row)]
        if not here.value.size:
            continue
        scale = -n_points * np.log(deviation[row])
        best = int(np.argmax(here.value))
        logit, m1, m2, l1, l2 = here.theta[:, best]
        weight = 1.0 / (1.0 + np.exp(-logit))
        means = np.array([m1, m2])
        order = np.argsort(means)
        out.log_likelihood[row] = here.value[best] + scale
        out.weights[row] = np.array([weight, 1.0 - weight])[order]
        out.means[row] = (mean[row] + deviation[row] * means)[order]
        out.variances[row] = (deviation[row] ** 2 * np.exp([l1, l2]))[order]
        out.gain_left[row] = here.gain[best]
        ties = here.value > here.value[best] - 1e-6
        out.n_starts[row] = here.n_starts[ties].sum()
        plain = np.abs(here.theta[3] - here.theta[4]) <= -2.0 * np.log(PLAIN_RATIO)
        if plain.any():
            out.plain_log_likelihood[row] = here.value[plain].max() + scale
        out.n_maxima[row] = 1 + int(np.sum(np.diff(np.sort(here.value)) > 1e-6))
    return out


def _check(z: Array, mean: Array, deviation: Array, reference: Reference) -> None:
    """Compare value and gradient at the maxima with autodiff of the textbook log-likelihood."""

    def textbook(weight: Any, means: Any, variances: Any, z: Any) -> Any:
        densities = jax.scipy.stats.norm.logpdf(z[:, None], means[None], jnp.sqrt(variances)[None])
        logs = jnp.stack([jnp.log(weight), jnp.log1p(-weight)])
        return jnp.sum(jax.nn.logsumexp(logs[None] + densities, axis=1))

    known = np.flatnonzero(np.isfinite(reference.log_likelihood))
    means = (reference.means - mean[:, None]) / deviation[:, None]
    variances = reference.variances / deviation[:, None] ** 2
    with jax.enable_x64(True):
        program = jax.jit(jax.vmap(jax.value_and_grad(textbook, argnums=(0, 1, 2))))
        found = program(reference.weights[known, 0], means[known], variances[known], z[known])
    value, (by_weight, by_mean, by_variance) = jax.tree.map(np.asarray, found)
    scale = z.shape[1] * np.log(deviation[known])
    np.testing.assert_allclose(value - scale, reference.log_likelihood[known], rtol=1e-9, atol=1e-7)
    # In each parameter's own unit, so that narrow clusters are held to no more than they allow.
    smallest = reference.weights[known].min(axis=1)
    for slope in (
        by_weight * smallest,
        by_mean.T * np.sqrt(variances[known].T),
        by_variance.T * variances[known].T,
    ):
        np.testing.assert_allclose(slope, 0.0, atol=1e-3)
