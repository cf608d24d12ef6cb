"""Stores the answers in an AnnData object, and reads them back.

=======================  ==========================================================================
all cells                columns of ``adata.var``: ``mixture_mean_1``, ``mixture_threshold``, ...
groups of cells          a frame for each: ``adata.varm["mixture_<group>"]``
an array of ``obsm``     frames in ``adata.uns["mixture"]["fits"]``, by group, or "all"
the arguments of `fit`   ``adata.uns["mixture"]``
=======================  ==========================================================================
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

import mog_jax
from mog_jax.fitting import Fit
from mog_jax.fitting.results.columns import COLUMNS, columns_of
from mog_jax.mixture import Mixture

# The key of the fits of all cells, where those of groups have the group's name.
_ALL = "all"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """The arguments that say what was fitted; see `mog_jax.anndata.fit` for the fields."""

    layer: str | None
    obsm: str | None
    by: str | None
    zeros: str


def check_key(key: Any) -> str:
    """Return `key`; raise `ValueError` if answers cannot be stored under this name."""
    if not isinstance(key, str) or not key or "/" in key:
        raise ValueError(f"`key` must be a text without '/'; got {key!r}.")
    return key


def keep(adata: Any, key: str, choice: Choice, fits: Mapping[Any, Fit]) -> None:
    """Store the fits of each group, or of all cells under None; remove earlier ones of `key`."""
    _forget(adata, key)
    frames = {group: _frame(found) for group, found in fits.items()}
    record = {name: value for name, value in dataclasses.asdict(choice).items() if value}
    record |= {"version": mog_jax.__version__, "groups": [group for group in fits if group]}
    if choice.obsm is not None:
        record["fits"] = {group or _ALL: frame for group, frame in frames.items()}
    for group, frame in frames.items() if choice.obsm is None else ():
        # Names of variables need not be unique, so that rows are put in by their places.
        frame.index = adata.var_names
        if group is None:
            for name in frame:
                adata.var[f"{key}_{name}"] = frame[name].array
        else:
            adata.varm[f"{key}_{group}"] = frame
    adata.uns[key] = record


def kept(adata: Any, key: str) -> tuple[Choice, dict[str | None, Mixture]]:
    """Return what was fitted, and the mixtures of each group, or of all cells under None.

    Raises
    ------
    ValueError
        If there are no fits of that name.
    """
    record = adata.uns.get(key)
    if not isinstance(record, dict) or "groups" not in record or "zeros" not in record:
        raise ValueError(f"adata.uns has no fits under {key!r}: call mog_jax.anndata.fit first.")
    fields = [field.name for field in dataclasses.fields(Choice)]
    chosen: dict[str, Any] = {name: record.get(name) for name in fields}
    choice = Choice(**chosen)
    mixtures: dict[str | None, Mixture] = {}
    for group in [str(group) for group in record["groups"]] if choice.by else [None]:
        if choice.obsm is not None:
            frame, prefix = record["fits"][group or _ALL], ""
        elif group is None:
            frame, prefix = adata.var, f"{key}_"
        else:
            frame, prefix = adata.varm[f"{key}_{group}"], ""
        mixtures[group] = _mixture(frame, prefix)
    return choice, mixtures


def _forget(adata: Any, key: str) -> None:
    record = adata.uns.pop(key, None)
    if not isinstance(record, dict):
        return
    for group in record.get("groups", ()):
        if f"{key}_{group}" in adata.varm:
            del adata.varm[f"{key}_{group}"]
    for name in (column.name for column in COLUMNS):
        if f"{key}_{name}" in adata.var:
            del adata.var[f"{key}_{name}"]


def _frame(fits: Fit) -> Any:
    """Return the answers as a frame that can be written to a file: texts become categories."""
    import pandas

    columns = {
        name: pandas.Categorical(column) if column.dtype == object else column
        for name, column in columns_of(fits).items()
    }
    return pandas.DataFrame(columns, index=np.asarray(fits.names, dtype=object))


def _mixture(frame: Any, prefix: str) -> Mixture:
    def pair(name: str) -> Any:
        both = [np.asarray(frame[f"{prefix}{name}_{k}"], dtype=np.float64) for k in (1, 2)]
        return np.stack(both, axis=1)

    return Mixture(weights=pair("weight"), means=pair("mean"), variances=pair("sd") ** 2)
