"""Defines `Fit`, the result of a fit: the mixture, its log-likelihood and its status."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np

from mog_jax.explained import Explained
from mog_jax.fitting.results import arrow_file
from mog_jax.fitting.results.exports import FitExports
from mog_jax.fitting.results.methods import FitMethods
from mog_jax.fitting.results.named import place_of
from mog_jax.inference import Reason
from mog_jax.mixture import Mixture


class Status(Explained):
    """How the fit of one dataset ended; ``message`` explains it."""

    CONVERGED = 0, "at the best regular maximum found: less than the tolerance is left"
    SPURIOUS = (
        1,
        "at a maximum where a component holds fewer than min_points points; there is no regular "
        "one",
    )
    VARIANCE_FLOOR = (
        2,
        "a component shrank to the variance floor, around tied or single points; without the floor "
        "the likelihood would rise without bound, and its value depends on the floor",
    )
    DEGENERATE = (
        3,
        "a component emptied or both coincide: the data are one component, and the parameters of "
        "two are not determined",
    )
    STEP_LIMIT = 4, "still climbing when the steps ran out; raise max_steps"
    TOO_FEW_POINTS = 5, "fewer than two points; nothing was fitted"
    CONSTANT = 6, "all points are equal; nothing was fitted"
    NOT_FINITE = 7, "the data contain an infinity; nothing was fitted"
    OUT_OF_RANGE = (
        8,
        "the data, their counts or what is fixed are too large or too small for floating-point "
        "numbers; change the unit, or give dtype='float64'; nothing was fitted",
    )
    FEW_POINTS = (
        9,
        "at a maximum where a component holds two points or more, though fewer than min_points, "
        "and two components beat one by their BIC",
    )
    ATOM = (
        10,
        "one value holds a tenth of the points or more and is a component of its own: its mean is "
        "known exactly, its standard deviation is that of the variance floor, and the likelihood "
        "depends on the floor",
    )
    BELOW_RESOLUTION = (
        11,
        "at a maximum where a component is narrower than the resolution of the data: weights, "
        "threshold and delta BIC are valid, its standard deviation is an upper bound, and its mean "
        "is known to the interval",
    )
    SATURATED = (
        12,
        "fewer distinct intervals than parameters need: many mixtures describe the data equally "
        "well, and this is the one that the penalty on the variances prefers",
    )


# Whether a fit has standard errors, thresholds and criteria, by its status.
_REASONS = {
    Status.CONVERGED: Reason.KNOWN,
    Status.SPURIOUS: Reason.BOUNDARY,
    Status.VARIANCE_FLOOR: Reason.BOUNDARY,
    Status.DEGENERATE: Reason.SINGULAR,
    Status.STEP_LIMIT: Reason.NOT_AT_MAXIMUM,
    Status.TOO_FEW_POINTS: Reason.NOTHING_FITTED,
    Status.CONSTANT: Reason.NOTHING_FITTED,
    Status.NOT_FINITE: Reason.NOTHING_FITTED,
    Status.OUT_OF_RANGE: Reason.NOTHING_FITTED,
    Status.FEW_POINTS: Reason.KNOWN,
    Status.ATOM: Reason.KNOWN,
    Status.BELOW_RESOLUTION: Reason.BELOW_RESOLUTION,
    Status.SATURATED: Reason.SINGULAR,
}
_NAMES = np.array([status.name.lower() for status in Status], dtype=object)
_REASON_OF_STATUS = np.array([_REASONS[status] for status in Status], dtype=np.int32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class OneComponent:
    """The fit of a single Gaussian, in closed form.

    Parameters
    ----------
    mean, variance : array, shape (...,)
        Mean and variance of the data, the variance with divisor n.
    log_likelihood : array, shape (...,)
        In nats.
    """

    mean: jax.Array
    variance: jax.Array
    log_likelihood: jax.Array


# The arrays of a fit: their shapes after the batch axis, and their kinds in NumPy's letters.
_ARRAYS: dict[str, tuple[tuple[int, ...], str]] = {
    "mixture.weights": ((2,), "f"),
    "mixture.means": ((2,), "f"),
    "mixture.variances": ((2,), "f"),
    "log_likelihood": ((), "f"),
    "status": ((), "i"),
    "n_passes": ((), "i"),
    "gain_left": ((), "f"),
    "n_points": ((), "f"),
    "n_missing": ((), "i"),
    "information": ((5, 5), "f"),
    "one_component.mean": ((), "f"),
    "one_component.variance": ((), "f"),
    "one_component.log_likelihood": ((), "f"),
    "fixed": ((5,), "b"),
    "higher_by": ((), "f"),
    "higher_points": ((), "f"),
}

# What holds of all fits of a batch, as it is saved.
_ABOUT = ("equal_variances", "of_intervals", "is_batch")


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=list(dict.fromkeys(name.split(".")[0] for name in _ARRAYS)),
    meta_fields=["equal_variances", "of_intervals"],
    # What JAX makes of fits may have other datasets in another order: better no names than wrong.
    drop_fields=["names"],
)
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Fit(FitExports, FitMethods):
    """The fit of one dataset, or with a leading axis b the fits of a batch.

    Parameters
    ----------
    mixture : Mixture, shape (..., 2)
        Components by ascending mean. NaN where nothing could be fitted.
    log_likelihood : array, shape (...,)
        At `mixture`, a sum over the points, in nats.
    status : array of int, shape (...,)
        How the fit ended: values of `Status`; `status_name` gives their names.
    n_passes : array of int, shape (...,)
        Passes over the data or a coreset of them, summed over all climbs.
    gain_left : array, shape (...,)
        The Newton decrement: an estimate of the log-likelihood still to be gained, in nats. It is
        infinite where the likelihood is not concave.
    n_points : array, shape (...,)
        Points used, each as often as its count.
    n_missing : array of int, shape (...,)
        Missing values left out.
    information : array, shape (..., 5, 5)
        Observed information at `mixture`, without the constraints, in the coordinates (log of the
        ratio of weights, means, log-variances).
    one_component : OneComponent
        The fit of a single Gaussian to the same data.
    fixed : array of bool, shape (..., 5)
        Which of those coordinates were fixed.
    higher_by : array, shape (...,)
        Nats by which another maximum that was found, which is not the answer, is higher; 0 if none
        is.
    higher_points : array, shape (...,)
        Points in the smaller component of that maximum.
    equal_variances : bool
        Whether the components were made to share one variance.
    of_intervals : bool
        Whether the values were intervals: something was said of them besides themselves.
    names : array of str, shape (...,), or None
        Names of the datasets, if they were given by a mapping: then ``fits["CD4"]`` is the fit of
        one. An index, a slice or a mask keeps them; `jax.tree.map` and `jax.jit` drop them.
    """

    mixture: Mixture
    log_likelihood: jax.Array
    status: jax.Array
    n_passes: jax.Array
    gain_left: jax.Array
    n_points: jax.Array
    n_missing: jax.Array
    information: jax.Array
    one_component: OneComponent
    fixed: jax.Array
    higher_by: jax.Array
    higher_points: jax.Array
    equal_variances: bool
    of_intervals: bool = False
    names: Any = None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a fit that `save` has written.

        The file need not be trusted: nothing in it is executed, and it is refused unless its
        content is that of a fit.

        Parameters
        ----------
        path : path

        Raises
        ------
        ImportError
            Without pyarrow.
        OSError
            If the file cannot be read.
        ValueError
            If it does not hold a fit.
        """
        arrays, names, about = arrow_file.read(path, _ARRAYS, _ABOUT)
        _refuse_impossible(arrays, str(path))
        if not about["is_batch"]:
            if len(arrays["status"]) != 1:
                raise ValueError(f"{path} must hold one dataset; it holds {len(arrays['status'])}.")
            arrays = {name: array[0] for name, array in arrays.items()}
            names = None if names is None else names[0]
        fields: dict[str, Any] = {}
        for name, array in arrays.items():
            outer, _, inner = name.partition(".")
            if inner:
                fields.setdefault(outer, {})[inner] = array
            else:
                fields[outer] = array
        return cls(
            **fields
            | {
                "mixture": Mixture(**fields["mixture"]),
                "one_component": OneComponent(**fields["one_component"]),
            },
            equal_variances=about["equal_variances"],
            of_intervals=about["of_intervals"],
            names=names,
        )

    @property
    def converged(self) -> Any:
        """Whether each fit is converged or few_points, shape (...,).

        Both are accepted maxima above the variance floor.
        """
        return (self.status == Status.CONVERGED) | (self.status == Status.FEW_POINTS)

    @property
    def status_name(self) -> Any:
        """Name of each status, in lower case: a str, or an array of them, shape (b,)."""
        return _NAMES[np.asarray(self.status)]

    @property
    def reason(self) -> Any:
        """Why each fit has no standard errors: values of `Reason`, 0 if it has, shape (...,)."""
        return _REASON_OF_STATUS[np.asarray(self.status)]

    def __len__(self) -> int:
        if np.ndim(self.status) == 0:
            raise TypeError("this is the fit of one dataset: it has no length")
        return int(np.shape(self.status)[0])

    def __getitem__(self, index: Any) -> "Fit":
        if np.ndim(self.status) == 0:
            raise TypeError("this is the fit of one dataset: it cannot be indexed")
        index = place_of(self.names, index)
        chosen: Fit = jax.tree.map(lambda leaf: leaf[index], self)
        if self.names is None:
            return chosen
        return dataclasses.replace(chosen, names=self.names[index])

    def __iter__(self) -> Iterator["Fit"]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        if np.ndim(self.status) > 0:
            endings, numbers = np.unique(np.asarray(self.status), return_counts=True)
            summary = ", ".join(
                f"{number} {name}" for number, name in zip(numbers, _NAMES[endings], strict=True)
            )
            datasets = "dataset" if len(self) == 1 else "datasets"
            return f"Fit of {len(self)} {datasets}" + (f": {summary}" if summary else "")
        end = f"{float(self.n_points):.10g} points, {self.status_name}"
        mixture, name = self.mixture, "" if self.names is None else f"{self.names}: "
        if np.isnan(np.asarray(mixture.means)).any():
            return f"Fit({name}nothing fitted; {end})"
        components = " + ".join(
            f"{weight:.4g} N({mean:.6g}, sd {deviation:.4g})"
            for weight, mean, deviation in zip(
                np.asarray(mixture.weights),
                np.asarray(mixture.means),
                np.sqrt(np.asarray(mixture.variances)),
                strict=True,
            )
        )
        return f"Fit({name}{components}; log-likelihood {float(self.log_likelihood):.6f}, {end})"


def _refuse_impossible(arrays: dict[str, Any], path: str) -> None:
    """Refuse arrays that cannot be those of a fit."""
    weights, means = arrays["mixture.weights"], arrays["mixture.means"]
    variances, status = arrays["mixture.variances"], arrays["status"]
    unfitted = np.isin(status, [s for s, r in _REASONS.items() if r == Reason.NOTHING_FITTED])
    is_known = np.isin(status, list(Status))
    with np.errstate(invalid="ignore"):
        wrong = {
            "status": ~is_known,
            "mixture.weights": ~(
                (weights >= 0).all(axis=-1) & (np.abs(weights.sum(axis=-1) - 1) < 1e-3)
            )
            & ~unfitted,
            "mixture.means": ~(means[..., 0] <= means[..., 1]) & ~unfitted,
            "mixture.variances": ~(variances > 0).all(axis=-1) & ~unfitted,
            "n_points": arrays["n_points"] < 0,
            "n_missing": arrays["n_missing"] < 0,
            "n_passes": arrays["n_passes"] < 0,
        }
    for name, rows in wrong.items():
        if rows.any():
            row = int(np.argmax(rows))
            raise ValueError(
                f"{path}: {name} of row {row} cannot be that of a fit: {arrays[name][row]}."
            )
