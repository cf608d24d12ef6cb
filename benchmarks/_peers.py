"""Runs the tools that fit two-component mixtures, as their users call them, by one signature.

A tool takes a batch ``(b, n)`` in float64 and returns weights, means and variances in the data's
units. Those that fit one dataset at a time are looped over. Each keeps its own stopping rule: what
it costs and where it then stands are two columns of one table, and neither is to be read alone.

All but the package itself are optional, and imported when they are asked for.
"""

import dataclasses
import functools
import importlib.util
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from _quality import Fitted

Array = np.ndarray[Any, np.dtype[Any]]

ADAM_STEPS = 500
ADAM_RATE = 0.03


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tool:
    """A way to fit a batch.

    Parameters
    ----------
    needs
        Packages without which it cannot run.
    fit
        Takes ``(b, n)``.
    at_most
        Datasets of 500 points to run it on: slow tools get the first rows of the same batch.
    note
        How it is called, for the table's legend.
    """

    needs: tuple[str, ...]
    fit: Callable[[Array], Fitted]
    at_most: int
    note: str

    def datasets(self, n_datasets: int, n_points: int, share: float = 1.0) -> int:
        """Number of datasets, out of `n_datasets`, that it is given."""
        return max(1, min(n_datasets, int(share * self.at_most * 500 / n_points)))

    @property
    def missing(self) -> list[str]:
        """Packages that it needs and that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


def standardised(x: Array) -> tuple[Array, Array, Array]:
    """Return each row standardised, with its mean and standard deviation."""
    mean, deviation = x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    return (x - mean) / deviation, mean, deviation


def two_means(x: Array) -> tuple[Array, Array, Array]:
    """Return the exact 2-means split: weights, means and variances, each ``(b, 2)``.

    In one dimension the best split is contiguous, so all of them are looked at, by running sums.
    It is the start of the peers that leave the start to their user.
    """
    n = x.shape[1]
    z = np.sort(x, axis=1) - x.mean(axis=1, keepdims=True)
    left = np.cumsum(z, axis=1)[:, 1 : n - 2]
    size = np.arange(2, n - 1)
    # The sums of both sides add up to 0, so the spread between them is left² (1/size + 1/rest).
    best = 2 + np.argmax(left**2 * (1.0 / size + 1.0 / (n - size)), axis=1)
    low = np.arange(n)[None] < best[:, None]
    groups = np.stack([low, ~low], axis=1)
    sizes = groups.sum(axis=2)
    means = np.where(groups, z[:, None], 0.0).sum(axis=2) / sizes
    squares = np.where(groups, (z[:, None] - means[..., None]) ** 2, 0.0).sum(axis=2)
    variances = np.maximum(squares / sizes, 1e-3 * x.var(axis=1, keepdims=True))
    return sizes / n, means + x.mean(axis=1, keepdims=True), variances


def _one_thread() -> AbstractContextManager[Any]:
    """Keep BLAS and OpenMP to one thread: 500 points are too few to share, and waiting is slow."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def _mog_jax(x: Array, choose: str) -> Fitted:
    import mog_jax

    mixture = mog_jax.fit(x, choose=choose).mixture
    return Fitted(
        weights=np.asarray(mixture.weights),
        means=np.asarray(mixture.means),
        variances=np.asarray(mixture.variances),
    )


def _scikit_learn(x: Array, **options: Any) -> Fitted:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    rows = []
    with _one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for row in x:
            model = GaussianMixture(2, random_state=0, **options).fit(row[:, None])
            rows.append((model.weights_, model.means_[:, 0], model.covariances_[:, 0, 0]))
    weights, means, variances = (np.array(column) for column in zip(*rows, strict=True))
    return Fitted(weights=weights, means=means, variances=variances)


def _gmm_gpu(x: Array) -> Fitted:
    import torch
    from gmm_gpu.gmm import GMM

    # On raw data its float32 covariances end as NaN in one row of ten.
    z, mean, deviation = standardised(x)
    model = GMM(n_components=2, device="cpu", random_seed=1)
    model.fit(torch.from_numpy(z[..., None]))
    weights = torch.stack(model._pi, dim=1).double().numpy()
    means = torch.stack([m[:, 0] for m in model.means], dim=1).double().numpy()
    variances = torch.stack([c[:, 0, 0] for c in model.covs], dim=1).double().numpy()
    return Fitted(
        weights=weights, means=mean + deviation * means, variances=deviation**2 * variances
    )


def _gmmx(x: Array) -> Fitted:
    import jax

    # It refuses float64, and float32 keeps the digits of standardised data only.
    z, mean, deviation = standardised(x)
    arguments = [array.astype(np.float32) for array in (z, *two_means(z))]
    with jax.enable_x64(False):
        found = _gmmx_program()(*arguments)
    weights, means, variances = (np.asarray(array, np.float64) for array in found)
    return Fitted(
        weights=weights, means=mean + deviation * means, variances=deviation**2 * variances
    )


@functools.cache
def _gmmx_program() -> Any:
    import jax
    from gmmx import EMFitter, GaussianMixtureModelJax

    def fit(x: Any, weights: Any, means: Any, variances: Any) -> Any:
        start = GaussianMixtureModelJax.from_squeezed(
            means[:, None], variances[:, None, None], weights, covariance_type="full"
        )
        found = EMFitter().fit(x[:, None], start).gmm
        return (
            found.weights[0, :, 0, 0],
            found.means[0, :, 0, 0],
            found.covariances.values[0, :, 0, 0],
        )

    return jax.jit(jax.vmap(fit))


def _adam(x: Array) -> Fitted:
    import jax

    z, mean, deviation = standardised(x)
    weights, means, variances = two_means(z)
    start = np.concatenate(
        [np.log(weights[:, :1] / weights[:, 1:]), means, np.log(variances)], axis=1
    )
    with jax.enable_x64(False):
        theta = np.asarray(_adam_program()(z.astype(np.float32), start.astype(np.float32)), float)
    weight = 1.0 / (1.0 + np.exp(-theta[:, :1]))
    return Fitted(
        weights=np.concatenate([weight, 1.0 - weight], axis=1),
        means=mean + deviation * theta[:, 1:3],
        variances=deviation**2 * np.exp(theta[:, 3:]),
    )


@functools.cache
def _adam_program() -> Any:
    import jax
    import jax.numpy as jnp
    import optax

    optimiser = optax.adam(ADAM_RATE)

    def textbook(theta: Any, x: Any) -> Any:
        logit, means, log_variances = theta[0], theta[1:3], theta[3:]
        logs = jnp.stack([jax.nn.log_sigmoid(logit), jax.nn.log_sigmoid(-logit)])
        squares = (x[:, None] - means) ** 2 * jnp.exp(-log_variances)
        terms = logs - 0.5 * (log_variances + squares)
        return -jnp.mean(jax.nn.logsumexp(terms, axis=1))

    def fit(x: Any, theta: Any) -> Any:
        def step(state: Any, _: None) -> Any:
            theta, memory = state
            update, memory = optimiser.update(jax.grad(textbook)(theta, x), memory)
            return (optax.apply_updates(theta, update), memory), None

        (theta, _), _ = jax.lax.scan(step, (theta, optimiser.init(theta)), length=ADAM_STEPS)
        return theta

    return jax.jit(jax.vmap(fit))


def _lbfgs(x: Array) -> Fitted:
    with _one_thread():
        return _lbfgs_loop(x)


def _lbfgs_loop(x: Array) -> Fitted:
    from scipy.optimize import minimize

    weights, means, variances = two_means(x)
    rows = []
    for index, row in enumerate(x):
        mean, deviation = row.mean(), row.std()
        start = np.concatenate(
            [
                [np.log(weights[index, 0] / weights[index, 1])],
                (means[index] - mean) / deviation,
                np.log(variances[index] / deviation**2),
            ]
        )
        options = {"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-8}
        z = (row - mean) / deviation
        theta = minimize(_textbook, start, (z,), "L-BFGS-B", jac=True, options=options).x
        weight = 1.0 / (1.0 + np.exp(-theta[0]))
        rows.append(
            ([weight, 1 - weight], mean + deviation * theta[1:3], deviation**2 * np.exp(theta[3:]))
        )
    found = [np.array(column) for column in zip(*rows, strict=True)]
    return Fitted(weights=found[0], means=found[1], variances=found[2])


def _textbook(theta: Array, z: Array) -> tuple[float, Array]:
    """Minus the mean log-likelihood of one dataset, up to a constant, and its gradient."""
    log_weights = -np.logaddexp(0.0, np.array([-theta[0], theta[0]]))
    means, log_variances = theta[1:3, None], theta[3:, None]
    precisions = np.exp(-log_variances)
    u = (z - means) * precisions
    q = u * (z - means)
    terms = log_weights[:, None] - 0.5 * (log_variances + q)
    total = np.logaddexp(terms[0], terms[1])
    gamma = np.exp(terms - total)
    n = len(z)
    gradient = np.concatenate(
        [
            [gamma[0].sum() - n * np.exp(log_weights[0])],
            (gamma * u).sum(axis=1),
            0.5 * (gamma * (q - 1.0)).sum(axis=1),
        ]
    )
    return -total.sum() / n, -gradient / n


# With max_iter at its default of 100 a small tol would change nothing.
_PATIENT: dict[str, Any] = {"tol": 1e-8, "max_iter": 100_000}

TOOLS = {
    "mog_jax": Tool(
        needs=("mog_jax",),
        fit=functools.partial(_mog_jax, choose="regular"),
        at_most=10**9,
        note="fit(x, choose='regular'): the highest maximum, which is what is asked of all here",
    ),
    "mog_jax, penalised": Tool(
        needs=("mog_jax",),
        fit=functools.partial(_mog_jax, choose="penalised"),
        at_most=10**9,
        note="fit(x), defaults: by intention not always the highest maximum",
    ),
    "gmm-gpu": Tool(
        needs=("torch", "gmm_gpu"),
        fit=_gmm_gpu,
        at_most=10**9,
        note="GMM(2).fit(x) on the CPU, defaults (float32, k-means start, tol 1e-3), standardised "
        "data",
    ),
    "gmmx": Tool(
        needs=("gmmx",),
        fit=_gmmx,
        at_most=2_000,
        note="EMFitter().fit under vmap, defaults (float32, tol 1e-3), standardised data, from "
        "the 2-means split",
    ),
    "Adam": Tool(
        needs=("optax",),
        fit=_adam,
        at_most=1_000,
        note=f"optax.adam({ADAM_RATE}), {ADAM_STEPS} steps, float32, vmap of jax.grad of the "
        "textbook likelihood, standardised data, from the 2-means split",
    ),
    "L-BFGS": Tool(
        needs=("scipy", "threadpoolctl"),
        fit=_lbfgs,
        at_most=300,
        note="scipy.optimize, analytic gradient in NumPy, standardised data, 2-means split",
    ),
    "scikit-learn": Tool(
        needs=("sklearn",), fit=_scikit_learn, at_most=300, note="GaussianMixture(2), defaults"
    ),
    "scikit-learn, tol": Tool(
        needs=("sklearn",),
        fit=functools.partial(_scikit_learn, **_PATIENT),
        at_most=100,
        note="GaussianMixture(2, tol=1e-8), as many iterations as that takes",
    ),
    "scikit-learn, tol, n_init": Tool(
        needs=("sklearn",),
        fit=functools.partial(_scikit_learn, n_init=5, **_PATIENT),
        at_most=30,
        note="GaussianMixture(2, tol=1e-8, n_init=5)",
    ),
}
