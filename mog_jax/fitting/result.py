"""What a fit gives back: the mixture, how good it is, and how the ascent ended."""

import dataclasses
import enum
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from mog_jax.mixture import Mixture


class Status(enum.IntEnum):
    """How the fit of one dataset ended. ``message`` says what the numbers then mean."""

    CONVERGED = 0
    STEP_LIMIT = 1
    VARIANCE_FLOOR = 2
    TOO_FEW_POINTS = 3
    CONSTANT = 4
    NOT_FINITE = 5

    @property
    def message(self) -> str:
        """The meaning of the status, in a sentence."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "at a maximum: less than the tolerance is left to be gained",
    Status.STEP_LIMIT: "still climbing when the steps ran out; raise max_steps",
    Status.VARIANCE_FLOOR: "a component shrank to the variance floor around tied or lone points",
    Status.TOO_FEW_POINTS: "fewer than two distinct points; nothing was fitted",
    Status.CONSTANT: "all points are equal; nothing was fitted",
    Status.NOT_FINITE: "the data contain an infinity; nothing was fitted",
}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Fit:
    """The fit of one dataset, or with a leading axis b the fits of a batch.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)
        Components by ascending mean. NaN where nothing could be fitted.
    log_likelihood : array, shape (...,)
        At `mixture`, a sum over the points, in nats.
    status : array of int, shape (...,)
        How the ascent ended: values of `Status`.
    n_steps : array of int, shape (...,)
        Steps taken.
    gain_left : array, shape (...,)
        The Newton decrement: an estimate of the log-likelihood still to be gained, in nats. It is
        infinite where the likelihood is not concave.
    n_points : array of int, shape (...,)
        Points used.
    n_missing : array of int, shape (...,)
        NaNs dropped.
    """

    mixture: Mixture
    log_likelihood: jax.Array
    status: jax.Array
    n_steps: jax.Array
    gain_left: jax.Array
    n_points: jax.Array
    n_missing: jax.Array

    @property
    def converged(self) -> Any:
        """Whether each fit is at a maximum, shape (...,)."""
        return self.status == Status.CONVERGED

    def __len__(self) -> int:
        if np.ndim(self.status) == 0:
            raise TypeError("this is the fit of one dataset: it has no length")
        return int(np.shape(self.status)[0])

    def __getitem__(self, index: Any) -> "Fit":
        if np.ndim(self.status) == 0:
            raise TypeError("this is the fit of one dataset: it cannot be indexed")
        chosen: Fit = jax.tree.map(lambda leaf: leaf[index], self)
        return chosen

    def __iter__(self) -> Iterator["Fit"]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        if np.ndim(self.status) > 0:
            endings, numbers = np.unique(np.asarray(self.status), return_counts=True)
            summary = ", ".join(
                f"{number} {Status(ending).name.lower()}"
                for ending, number in zip(endings, numbers, strict=True)
            )
            return f"Fit of {len(self)} datasets: {summary}"
        status = Status(int(self.status))
        deviations = np.sqrt(np.asarray(self.mixture.variances))
        components = " + ".join(
            f"{weight:.4g} N({mean:.6g}, sd {deviation:.4g})"
            for weight, mean, deviation in zip(
                np.asarray(self.mixture.weights),
                np.asarray(self.mixture.means),
                deviations,
                strict=True,
            )
        )
        return (
            f"Fit({components}; log-likelihood {float(self.log_likelihood):.6f}, "
            f"{int(self.n_points)} points, {status.name.lower()} in {int(self.n_steps)} steps)"
        )
