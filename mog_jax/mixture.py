"""A Gaussian mixture in one dimension: its parameters, coordinates, order, units and samples."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from mog_jax.array_like import real_array
from mog_jax.precision import cast, compiled, hand_back, is_traced, working_dtype


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Mixture:
    r"""A mixture of Gaussians, :math:`p(x)=\sum_k\pi_k\,\mathcal N(x\mid\mu_k,\sigma_k^2)`.

    A frozen pytree: it passes through ``jit``, ``vmap`` and ``grad``. Nothing is validated here,
    because JAX rebuilds pytrees with tracers and placeholders in them; values that come from
    outside go through :meth:`from_arrays`. A gradient is a `Mixture` too: each field then holds
    the derivative with respect to it.

    Parameters
    ----------
    weights : array, shape (..., k)
        Probabilities of the components; they sum to 1.
    means : array, shape (..., k)
        In the unit of the data.
    variances : array, shape (..., k)
        In the square of that unit. Variances, not standard deviations.

    Examples
    --------
    >>> mixture = Mixture.from_arrays(weights=[0.4, 0.6], means=[0, 5], variances=[1, 4])
    >>> mixture.standard_deviations
    array([1., 2.])
    """

    weights: jax.Array
    means: jax.Array
    variances: jax.Array

    @classmethod
    def from_arrays(
        cls, *, weights: ArrayLike, means: ArrayLike, variances: ArrayLike
    ) -> "Mixture":
        """Build a mixture from raw values, validating them on the host.

        Parameters
        ----------
        weights, means, variances : array-like, shape (..., k)
            All of one shape, finite. Weights are non-negative and sum to 1 over the last axis, to
            within half of the precision's digits; variances are positive.

        Returns
        -------
        Mixture
            Of NumPy arrays: float32 if all that was given is float32, else float64.

        Raises
        ------
        ValueError
            Naming the argument, and showing its first offending value.

        Examples
        --------
        >>> Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 1], variances=[1, -1])
        Traceback (most recent call last):
        ...
        ValueError: `variances` must be positive; got variances[1] = -1.0.
        """
        given = {"weights": weights, "means": means, "variances": variances}
        if is_traced(given):
            raise ValueError(
                "`Mixture.from_arrays` validates values and so cannot be traced; inside jit, vmap "
                "or grad build `Mixture(weights=..., means=..., variances=...)` directly."
            )
        arrays = {name: np.asarray(real_array(value, name)) for name, value in given.items()}
        dtype = working_dtype(arrays)
        fields: dict[str, Any] = {name: cast(array, dtype) for name, array in arrays.items()}
        _validate(fields)
        return cls(**fields)

    @property
    def n_components(self) -> int:
        """Number of components, k."""
        return int(self.weights.shape[-1])

    @property
    def standard_deviations(self) -> jax.Array:
        """Square roots of the variances, shape (..., k)."""
        return _square_root(self.variances)

    def to_coordinates(self) -> "Coordinates":
        """Return the unconstrained coordinates: log-weights as logits, means, log-variances."""
        return _to_coordinates(self)

    def ordered(self) -> "Mixture":
        """Return the same mixture with its components by ascending mean (then variance, weight)."""
        return _ordered(self)

    def affine(self, scale: ArrayLike, shift: ArrayLike) -> "Mixture":
        r"""Return the distribution of :math:`ax+b` where :math:`x` follows this mixture.

        Parameters
        ----------
        scale, shift : array-like, shape (...,)
            :math:`a` and :math:`b`, one for each mixture of a batch, or one for all.

        Returns
        -------
        Mixture
            Of the same shape.

        Examples
        --------
        >>> celsius = Mixture.from_arrays(weights=[0.5, 0.5], means=[0, 100], variances=[1, 25])
        >>> celsius.affine(1.8, 32).means
        array([ 32., 212.])
        """
        return _affine(self, scale, shift)

    def sample(self, key: jax.Array | int, n: int) -> jax.Array:
        """Draw `n` points from each mixture.

        Parameters
        ----------
        key : jax.Array or int
            A key from :func:`jax.random.key`, or the seed of one.
        n : int
            How many points.

        Returns
        -------
        array, shape (..., n)

        Raises
        ------
        ValueError
            If `key` is neither a key nor a seed, or `n` is negative.

        Examples
        --------
        >>> mixture = Mixture.from_arrays(weights=[0.4, 0.6], means=[0, 5], variances=[1, 4])
        >>> mixture.sample(0, 1000).shape
        (1000,)
        """
        key = read_key(key)
        if n < 0:
            raise ValueError(f"`n` must be non-negative; got {n}.")
        if is_traced((self, key)):
            return _sample(self, key, n)
        dtype = working_dtype(self)
        with jax.enable_x64(dtype == np.float64):
            points = _sample(cast(self, dtype), key, n)
        return hand_back(points)  # type: ignore[no-any-return]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Coordinates:
    """Unconstrained coordinates of a mixture: every real value of them is a valid mixture.

    Parameters
    ----------
    logits : array, shape (..., k)
        The weights are ``softmax(logits)``; a constant added to all of them changes nothing.
    means : array, shape (..., k)
        In the unit of the data.
    log_variances : array, shape (..., k)
        Natural logarithms of the variances.
    """

    logits: jax.Array
    means: jax.Array
    log_variances: jax.Array

    def to_mixture(self) -> Mixture:
        """Return the mixture that has these coordinates."""
        return _to_mixture(self)


def read_key(key: Any) -> jax.Array:
    """Return a key for random numbers: the given one, or the key of a seed.

    Raises
    ------
    ValueError
        If `key` is neither a single key nor a whole number of 32 bits.
    """
    if isinstance(key, jax.Array):
        # A key of JAX's older kind is an array of raw bits.
        is_bits = key.dtype == np.uint32 and key.ndim == 1
        if is_bits or (jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.ndim == 0):
            return key
        if jnp.issubdtype(key.dtype, np.integer) and key.ndim == 0:
            return jax.random.key(key)
        raise ValueError(
            "`key` must be one key, as jax.random.key(0) gives it, or a seed; got an array of "
            f"{key.dtype} of shape {key.shape}."
        )
    if isinstance(key, bool | np.bool) or not isinstance(key, int | np.integer):
        raise ValueError(
            f"`key` must be a key, as jax.random.key(0) gives it, or a seed, as 0; got {key!r}."
        )
    if not 0 <= key < 1 << 32:
        raise ValueError(f"`key`, a seed, must be from 0 to {(1 << 32) - 1}; got {key}.")
    return jax.random.key(np.uint32(key))


def _validate(arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"`weights`, `means` and `variances` must have one shape; got {got}.")
    if not shapes["weights"] or shapes["weights"][-1] == 0:
        raise ValueError(
            "`weights`, `means` and `variances` must have at least one component on their last "
            f"axis; got shape {shapes['weights']}."
        )
    for name, array in arrays.items():
        _refuse(name, array, ~np.isfinite(array), "finite")
    _refuse("variances", arrays["variances"], arrays["variances"] <= 0, "positive")
    weights = arrays["weights"]
    _refuse("weights", weights, weights < 0, "non-negative")
    total = weights.sum(axis=-1)
    wrong = np.abs(total - 1) > np.sqrt(np.finfo(weights.dtype).eps)
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        place = f"weights{list(index)}" if index else "weights"
        raise ValueError(
            f"`weights` must sum to 1 over the components; got {place} = "
            f"{weights[index].tolist()}, whose sum is {total[index]:.17g}."
        )


def _refuse(
    name: str, array: np.ndarray[Any, Any], wrong: np.ndarray[Any, Any], wanted: str
) -> None:
    if wrong.any():
        index = [int(i) for i in np.argwhere(wrong)[0]]
        place = ", ".join(map(str, index))
        value = array[tuple(index)].item()
        raise ValueError(f"`{name}` must be {wanted}; got {name}[{place}] = {value}.")


@compiled
def _square_root(variances: jax.Array) -> jax.Array:
    return jnp.sqrt(variances)


@compiled
def _to_coordinates(mixture: Mixture) -> Coordinates:
    return Coordinates(
        logits=jnp.log(mixture.weights),
        means=mixture.means,
        log_variances=jnp.log(mixture.variances),
    )


@compiled
def _to_mixture(coordinates: Coordinates) -> Mixture:
    return Mixture(
        weights=jax.nn.softmax(coordinates.logits, axis=-1),
        means=coordinates.means,
        variances=jnp.exp(coordinates.log_variances),
    )


@compiled
def _ordered(mixture: Mixture) -> Mixture:
    order = jnp.lexsort((mixture.weights, mixture.variances, mixture.means), axis=-1)
    ordered: Mixture = jax.tree.map(
        lambda field: jnp.take_along_axis(field, order, axis=-1), mixture
    )
    return ordered


@compiled
def _affine(mixture: Mixture, scale: ArrayLike, shift: ArrayLike) -> Mixture:
    scale, shift = jnp.asarray(scale), jnp.asarray(shift)
    batch = jnp.broadcast_shapes(jnp.shape(mixture.means)[:-1], scale.shape, shift.shape)
    shape = (*batch, mixture.n_components)
    factor = jnp.broadcast_to(scale[..., None], shape)
    offset = jnp.broadcast_to(shift[..., None], shape)
    whole: Mixture = jax.tree.map(lambda field: jnp.broadcast_to(field, shape), mixture)
    return Mixture(
        weights=whole.weights,
        means=whole.means * factor + offset,
        variances=whole.variances * jnp.square(factor),
    )


def _sample(mixture: Mixture, key: jax.Array, n: int) -> jax.Array:
    component_key, normal_key = jax.random.split(key)
    batch = jnp.shape(mixture.means)[:-1]
    # The component axis goes first: `categorical` puts its draws in front of the batch.
    component = jax.random.categorical(
        component_key, jnp.log(mixture.weights), axis=-1, shape=(n, *batch)
    )
    component = jnp.moveaxis(component, 0, -1)
    means = jnp.take_along_axis(mixture.means, component, axis=-1)
    variances = jnp.take_along_axis(mixture.variances, component, axis=-1)
    normal = jax.random.normal(normal_key, (*batch, n), dtype=jnp.result_type(means))
    return means + jnp.sqrt(variances) * normal
