"""Defines and validates the options that `crosscheck` and `crosscheck_rule` share."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mog_jax.crosscheck.judge.accuracy import Strictness


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options that both functions share, as they were given."""

    examples: int
    seed: int
    order: int
    min_digits: float
    agrees_to: float
    surrogate: bool
    normwise: bool
    edges: Sequence[tuple[Any, ...]]
    deadline: float | None

    @property
    def strictness(self) -> Strictness:
        """The requirements on the accuracy of each program."""
        return Strictness(
            min_digits=self.min_digits, agrees_to=self.agrees_to, normwise=self.normwise
        )

    def validate(self, *, lowest_order: int) -> None:
        """Raise `ValueError` for an option that cannot be used, with its name."""
        if not _is_integer(self.examples) or self.examples < 1:
            raise ValueError(f"`examples` must be a positive integer; got {self.examples!r}.")
        if not _is_integer(self.seed):
            raise ValueError(f"`seed` must be an integer; got {self.seed!r}.")
        if not _is_integer(self.order) or self.order not in range(lowest_order, 4):
            raise ValueError(f"`order` must be from {lowest_order} to 3; got {self.order!r}.")
        if not isinstance(self.min_digits, int | float) or not 0 <= self.min_digits <= 16:
            raise ValueError(f"`min_digits` must be between 0 and 16; got {self.min_digits!r}.")
        if not isinstance(self.agrees_to, int | float) or not 0 <= self.agrees_to < 1:
            raise ValueError(f"`agrees_to` must be at least 0 and below 1; got {self.agrees_to!r}.")
        for name in ("normwise", "surrogate"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise ValueError(f"`{name}` must be True or False; got {value!r}.")
        if self.surrogate and self.agrees_to:
            raise ValueError(
                "`agrees_to` says how well a derivative agrees, `surrogate` that it need not; "
                "give one of them."
            )
        if self.deadline is not None and not (
            isinstance(self.deadline, int | float) and self.deadline > 0
        ):
            raise ValueError(
                f"`deadline` must be a positive number of seconds, or None; got {self.deadline!r}."
            )
        listed = isinstance(self.edges, tuple | list)
        if not (listed and all(isinstance(edge, tuple) for edge in self.edges)):
            raise ValueError(
                "`edges` must be a list of tuples of arguments, [(x,)] for a single one."
            )


def unusual(entry: Callable[..., Any], options: Options, **others: Any) -> dict[str, Any]:
    """Return the options that affect the judgement of an input and are not at their defaults."""
    given = others | {
        "seed": options.seed,
        "order": options.order,
        "min_digits": options.min_digits,
        "normwise": options.normwise,
        "agrees_to": options.agrees_to,
        "surrogate": options.surrogate,
        "deadline": options.deadline,
    }
    parameters = inspect.signature(entry).parameters.values()
    return {p.name: given[p.name] for p in parameters if given.get(p.name, p.default) != p.default}


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
