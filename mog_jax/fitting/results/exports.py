"""Exports a `Fit`: to a data frame, an Arrow table, a file, and a table in a notebook."""

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from mog_jax.arrays import HostArray
from mog_jax.fitting.results import arrow_file
from mog_jax.fitting.results.columns import columns_of
from mog_jax.mixture import Mixture

# Largest number of rows that a notebook shows of a batch.
_SHOWN = 10
_HEAD = ("weight_1", "mean_1", "sd_1", "weight_2", "mean_2", "sd_2", "log_likelihood", "n_points")


class FitExports:
    """The exports of a fit; the fields are declared in `Fit`."""

    if TYPE_CHECKING:
        mixture: Mixture
        log_likelihood: jax.Array
        status: jax.Array
        n_points: jax.Array
        equal_variances: bool
        of_intervals: bool
        names: Any

        @property
        def status_name(self) -> Any:
            """How each ascent ended."""

    def to_frame(self) -> Any:
        """Return a pandas data frame: a row for each dataset, indexed by name if it has one.

        Returns
        -------
        pandas.DataFrame
            Columns as in the answers of `fit_table`: parameters, their standard errors, delta_bic,
            threshold, status and others; NaN where a number does not exist.

        Raises
        ------
        ImportError
            Without pandas.

        Examples
        --------
        >>> import mog_jax
        >>> x = mog_jax.datasets.faithful()
        >>> fits = mog_jax.fit({"waiting": x, "turned round": -x})
        >>> row = fits.to_frame().loc["waiting"]
        >>> round(float(row["mean_1"]), 3), row["status"]
        (54.615, 'converged')
        """
        try:
            import pandas
        except ImportError:
            raise ImportError("a frame needs pandas; install it with: pip install pandas") from None
        index = None if self.names is None else pandas.Index(_many(self.names), name="name")
        return pandas.DataFrame(columns_of(self._batch()), index=index)

    def to_arrow(self) -> Any:
        """Return an Arrow table: a row for each dataset, its name, if it has one, first.

        Returns
        -------
        pyarrow.Table
            Columns as in `to_frame`; null where a number does not exist.

        Raises
        ------
        ImportError
            Without pyarrow.
        """
        pyarrow = arrow_file.needed()
        columns = {} if self.names is None else {"name": pyarrow.array(_many(self.names).tolist())}
        for name, column in columns_of(self._batch()).items():
            missing = np.isnan(column) if column.dtype == np.float64 else None
            kind = pyarrow.string() if column.dtype == object else None
            columns[name] = pyarrow.array(column, kind, mask=missing)
        return pyarrow.table(columns)

    def save(self, path: str | Path) -> None:
        """Save the fit to an Arrow file, which `Fit.load` reads bit for bit, with names.

        Parameters
        ----------
        path : path
            A file of this name is replaced.

        Raises
        ------
        ImportError
            Without pyarrow.
        OSError
            If the file cannot be written.
        """
        leaves, _ = jax.tree_util.tree_flatten_with_path(self._batch())
        arrays = {_name_of(path): np.asarray(leaf) for path, leaf in leaves}
        names = None if self.names is None else _many(self.names)
        about = {
            "equal_variances": self.equal_variances,
            "of_intervals": self.of_intervals,
            "is_batch": np.ndim(self.status) > 0,
        }
        arrow_file.write(path, arrays, names, about)

    def _repr_html_(self) -> str:
        """Return an HTML table for notebooks, from the fields alone."""
        batch = self._batch()
        columns = {"n_points": batch.n_points, "log_likelihood": batch.log_likelihood}
        mixture = batch.mixture
        pairs = {
            "weight": mixture.weights,
            "mean": mixture.means,
            "sd": np.sqrt(np.asarray(mixture.variances)),
        }
        for name, pair in pairs.items():
            columns |= {f"{name}_{k + 1}": np.asarray(pair)[:, k] for k in (0, 1)}
        n, statuses = len(batch.status), batch.status_name
        labels = range(n) if self.names is None else _many(self.names)
        rows = [
            "<tr>"
            + "".join(
                f"<td>{cell}</td>"
                for cell in (
                    html.escape(str(labels[row])),
                    *(f"{float(columns[name][row]):.6g}" for name in _HEAD),
                    statuses[row],
                )
            )
            + "</tr>"
            for row in range(min(n, _SHOWN))
        ]
        head = "".join(f"<th>{name}</th>" for name in ("name", *_HEAD, "status"))
        more = f"<p>{n - _SHOWN:,} more</p>" if n > _SHOWN else ""
        return (
            f"<div><p>{html.escape(repr(self))}</p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>{more}</div>"
        )

    def _batch(self) -> Any:
        """Return the fit of one dataset as a batch of one, and a batch as it is."""
        if np.ndim(self.status) > 0:
            return self
        return jax.tree.map(lambda leaf: np.asarray(leaf)[None], self)


def _many(names: Any) -> HostArray:
    return np.atleast_1d(np.asarray(names, dtype=object))


def _name_of(path: Any) -> str:
    return ".".join(each.name for each in path)
