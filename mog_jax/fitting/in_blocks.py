"""Fills in the fits of a batch block by block, on several threads."""

from collections.abc import Callable, Iterable

import jax

from mog_jax.arrays import HostArray as Array
from mog_jax.fitting.results.fit import Fit
from mog_jax.progress import bar
from mog_jax.threads import in_threads


def fill_in(
    fits: Fit,
    blocks: Iterable[Array],
    fit_block: Callable[[Array], Fit],
    *,
    progress: bool,
    threads: int | None = None,
) -> None:
    """Fit the datasets block by block, and write the answers into the arrays of `fits`.

    Parameters
    ----------
    fits : Fit, shape (b,)
        NumPy arrays, which are written to.
    blocks : iterable of arrays of int
        The datasets of each block.
    fit_block : callable
        Fits the datasets of a block; called on any thread.
    progress : bool
        Whether to show a progress bar on standard error.
    threads : int, optional
        As for :func:`mog_jax.threads.in_threads`.
    """

    def work(index: Array) -> None:
        found = fit_block(index)
        for whole, part in zip(jax.tree.leaves(fits), jax.tree.leaves(found), strict=True):
            whole[index] = part

    done = 0
    with bar(show=progress) as report:

        def take(index: Array, _: None) -> None:
            nonlocal done
            done += len(index)
            report("fitting", done, len(fits), done)

        in_threads(work, blocks, take, threads)
