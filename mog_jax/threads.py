"""Work in blocks on several threads; an interruption or an error ends it within one block."""

import collections
import concurrent.futures
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def workers() -> int:
    """Number of threads that work at a time: the number of cores, or ``OMP_NUM_THREADS``.

    ``OMP_NUM_THREADS`` limits the threads of NumPy and SciPy as well. Spark, Ray and Dask set it to
    1 in their workers, each of which has a core to itself.
    """
    cores = os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(cores, int(told)) if told.isdecimal() and int(told) > 0 else cores


def in_threads(
    function: Callable[[Item], Answer],
    items: Iterable[Item],
    take: Callable[[Item, Answer], object],
    threads: int | None = None,
) -> None:
    """Call a function with each item, on several threads.

    If a call raises, or the caller is interrupted, items that have not begun are cancelled, and the
    exception is raised as soon as the calls in progress have ended.

    Parameters
    ----------
    function : callable
        Called on any thread.
    items : iterable
        Read at once.
    take : callable
        Called on this thread with each item and its result, in the order in which the calls end.
    threads : int, optional
        Number of threads: by default `workers()`.
    """
    waiting = list(items)
    if not waiting:
        return
    most = workers() if threads is None else threads
    with concurrent.futures.ThreadPoolExecutor(min(len(waiting), most)) as pool:
        try:
            jobs = {pool.submit(function, item): item for item in waiting}
            for job in concurrent.futures.as_completed(jobs):
                # Removed, so that results are not all kept until the last one is there.
                take(jobs.pop(job), job.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def in_order(function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
    """Call a function with each item, on `workers()` threads.

    Items are read on this thread, one more than there are threads ahead of the results.

    Parameters
    ----------
    function : callable
        Called on any thread.
    items : iterable
        May be longer than memory.

    Yields
    ------
    answer
        In the order of the items.
    """
    with concurrent.futures.ThreadPoolExecutor(workers()) as pool:
        waiting: collections.deque[concurrent.futures.Future[Answer]] = collections.deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > workers():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
