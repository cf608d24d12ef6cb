"""Reading arrays of real numbers: every public function reads its arguments here.

Masked values are missing and become NaN. An argument that is not an array of real numbers is
refused by its name, with a sentence that says what to give instead. JAX arrays, traced ones among
them, stay as they are.
"""

import os
from collections.abc import Mapping
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mog_jax.arrays import Array

_REAL_KINDS = "fiub"
_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def real_array(value: Any, name: str) -> Array:
    """Read an argument that is to be an array of real numbers, of any shape.

    Parameters
    ----------
    value : array-like
        NumPy, JAX, pandas, polars or Arrow; lists. A masked array, or a null, is missing.
    name : str
        What the argument is called.

    Returns
    -------
    array
        Floats, whole numbers or truth values; NaN where a value is missing. Of JAX if it was.

    Raises
    ------
    ValueError
        If there are no real numbers in it.

    Examples
    --------
    >>> real_array(np.ma.masked_equal([1.0, 999.0], 999.0), "x")
    array([ 1., nan])
    >>> real_array([1j], "x")
    Traceback (most recent call last):
    ...
    ValueError: `x` must be real numbers; got dtype complex128: give its real part, or its modulus.
    """
    if type(value) is np.ndarray and value.dtype in _FLOATS:
        return value
    if isinstance(value, jax.Array):
        if not _is_real(value.dtype):
            reason = _of_dtype(value.dtype, name, _as_floats(value, name))
            raise ValueError(f"`{name}` must be real numbers; got {reason}.")
        return value
    if isinstance(value, list | tuple):
        kinds = set(map(type, value))
        if any(issubclass(kind, jax.core.Tracer) for kind in kinds):
            return jnp.asarray(value)
        if any(issubclass(kind, np.ma.MaskedArray) for kind in kinds):
            # Masked rows, or elements of a masked array.
            value = [real_array(e, name) if isinstance(e, np.ma.MaskedArray) else e for e in value]
    if isinstance(value, np.ma.MaskedArray):
        return _unmasked(value, name)
    return _converted(value, name)


def seen_points(x: Any, counts: Any) -> tuple[Array, Array | None]:
    """Read points and how often each was seen, for a sum over the points.

    Returns
    -------
    x : array
        A masked point is replaced by another point of its dataset, ...
    counts : array or None
        ... with a count of 0. A NaN that was not masked stays, so that the sum is NaN.
    """
    points = real_array(x, "x")
    counts = None if counts is None else real_array(counts, "counts")
    missing = _mask(x)
    if missing is None:
        return points, counts
    first = np.take_along_axis(points, np.argmin(missing, axis=-1, keepdims=True), axis=-1)
    points = np.where(missing, np.nan_to_num(first, nan=0.0), points)
    if counts is None:
        return points, (~missing).astype(points.dtype)
    if not _broadcast(np.shape(counts), missing.shape):
        return points, counts  # the caller checks the shape
    zero = np.zeros((), counts.dtype)
    if isinstance(counts, jax.Array):
        return points, jnp.where(missing, zero, counts)
    return points, np.where(missing, zero, counts)


def _mask(value: Any) -> Array | None:
    """Return which values are masked, or None where none are."""
    if isinstance(value, list | tuple) and any(
        issubclass(kind, np.ma.MaskedArray) for kind in set(map(type, value))
    ):
        masks = [np.ma.getmaskarray(np.ma.asanyarray(each)) for each in value]
        value = np.ma.array(np.zeros(np.shape(masks)), mask=masks)
    if not isinstance(value, np.ma.MaskedArray):
        return None
    mask = np.ma.getmaskarray(value)
    return mask if mask.ndim and mask.any() else None


def _broadcast(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    try:
        np.broadcast_shapes(one, other)
    except ValueError:
        return False
    return True


def _is_real(dtype: Any) -> bool:
    # NumPy gives bfloat16 and similar types the kind of a foreign type.
    if getattr(dtype, "kind", "V") != "V":
        return dtype.kind in _REAL_KINDS
    return jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)


def _unmasked(value: Any, name: str) -> Array:
    if not _is_real(value.dtype):
        reason = _of_dtype(value.dtype, name, _as_floats(value, name))
        raise ValueError(f"`{name}` must be real numbers; got {reason}.")
    if not np.ma.is_masked(value):
        return _standard(np.asarray(value.data))
    # NumPy would return the values under the mask.
    floats = np.result_type(_standard(np.zeros(0, value.dtype)).dtype, np.float32)
    return np.ma.filled(value.astype(floats), np.nan)


def _converted(value: Any, name: str) -> Array:
    if reason := _of_another_kind(value, name):
        raise ValueError(f"`{name}` must be an array of real numbers; got {reason}.")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise _no_array(error, name) from None
    if array.dtype == object:
        array = _declared_numbers(value, array)
    if array.size == 0 and array.dtype == object:
        array = array.astype(np.float64)
    if not _is_real(array.dtype):
        raise ValueError(f"`{name}` must be real numbers; got {_shown(value, array, name)}.")
    return _standard(array)


def _no_array(error: Exception, name: str) -> ValueError:
    reason = str(error).rstrip(".")
    if "inhomogeneous" in reason:
        reason = "its rows have different lengths"
    return ValueError(f"`{name}` must be an array of real numbers; {reason}.")


def _standard(array: Array) -> Array:
    """Return small floats that NumPy does not know as float32, in this machine's byte order."""
    if array.dtype.kind not in _REAL_KINDS:
        return array.astype(np.float32)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _of_another_kind(value: Any, name: str) -> str:
    """Return what to do about containers that NumPy converts to one object, or converts slowly."""
    kind = type(value).__name__
    if all(hasattr(value, field) for field in ("X", "obs", "var")):
        return (
            f"{kind}, which has a variable in each column, where a dataset is a row: "
            "`mog_jax.anndata.fit(adata)` fits each; or give `adata.X.T`, or if it is sparse what "
            "`mog_jax.sparse_datasets(adata.X, zeros=...)` gives"
        )
    if hasattr(value, "toarray") or hasattr(value, "todense"):
        dense = "toarray" if hasattr(value, "toarray") else "todense"
        return (
            f"{kind}, which is sparse: `mog_jax.sparse_datasets` takes its columns for datasets; "
            f"or give `{name}.{dense}()`, if what it leaves out are zeros that were measured"
        )
    if isinstance(value, bytes | bytearray):
        return f"{kind}: if they hold numbers, give `np.frombuffer({name}, dtype)`"
    if hasattr(value, "ngroups"):
        return f"{kind}: give `[group.to_numpy() for _, group in {name}]`"
    if hasattr(value, "collect"):
        return f"{kind}, which was not computed: give `{name}.collect()`"
    return ""


def _declared_numbers(value: Any, array: Array) -> Array:
    """Return pandas' numbers that may be missing as floats: NumPy makes objects of some."""
    declared = getattr(value, "dtypes", getattr(value, "dtype", None))
    kinds = {getattr(dtype, "kind", "O") for dtype in np.ravel(np.asarray(declared, object))}
    if not hasattr(value, "to_numpy") or not kinds or not kinds <= set(_REAL_KINDS):
        return array
    return value.to_numpy(dtype=np.float64, na_value=np.nan)


def _shown(value: Any, array: Array, name: str) -> str:
    """Describe an argument that is not real numbers, and say what to do."""
    if isinstance(value, str | os.PathLike):
        return f"{value!r}; `mog_jax.fit_table` reads files"
    if isinstance(value, Mapping):
        return f"{type(value).__name__}; give its values, as a list of arrays"
    floats = _as_floats(value, name)
    if array.dtype != object:
        return _of_dtype(array.dtype, name, floats)
    if array.ndim == 0:
        return _of_object(value, name)
    at = next((at for at, each in np.ndenumerate(array) if not isinstance(each, Real)), None)
    if at is None:
        return f"dtype object; give {floats}"
    hint = _about_element(array[at], floats)
    if hasattr(value, "columns"):
        hint += "; `mog_jax.fit_table` takes a frame with groups"
    return f"{name}[{', '.join(map(str, at))}] = {array[at]!r}{hint}"


def _as_floats(value: Any, name: str) -> str:
    """Return how the caller can convert the argument to floats."""
    return f"`{name}.astype(float)`" if hasattr(value, "astype") else f"`np.asarray({name}, float)`"


def _of_object(value: Any, name: str) -> str:
    if value is None:
        return "None"
    is_iterable = hasattr(value, "__iter__")
    return type(value).__name__ + (f"; give `list({name})`" if is_iterable else "")


def _about_element(element: Any, floats: str) -> str:
    if element is None or type(element).__name__ in ("NAType", "NaTType"):
        return "; a missing value is NaN"
    if isinstance(element, list | tuple | np.ndarray):
        return "; give datasets of different lengths as a list of arrays, or as `mog_jax.Ragged`"
    if isinstance(element, complex):
        return "; give its real part, or its modulus"
    try:
        float(element)
    except (TypeError, ValueError, OverflowError):
        return ""
    return f"; give {floats}"


def _of_dtype(dtype: Any, name: str, floats: str) -> str:
    if getattr(dtype, "names", None):
        return f"dtype {dtype}: give one field, `{name}[{dtype.names[0]!r}]`"
    as_text = f": if these are numbers written as text, give {floats}"
    advice = {
        "c": ": give its real part, or its modulus",
        "U": as_text,
        "S": as_text,
        "T": as_text,
        "O": f": give {floats}",
        "M": f": give durations in a unit, as `({name} - start) / np.timedelta64(1, 's')`",
        "m": f": give numbers in a unit, as `{name} / np.timedelta64(1, 's')`",
    }
    return f"dtype {dtype}{advice.get(getattr(dtype, 'kind', ''), '')}"
