"""Limits the size of groups that are fitted in memory, where all rows are held at once."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb

from mog_jax.tables.columns import ChosenColumns
from mog_jax.tables.errors import TableError
from mog_jax.tables.sources import TableSource

# At the peak: 2 and 20 million rows of one group took from 325 to 365 bytes each, beside what an
# idle process has. They are joined, sorted, standardised and padded to the next size of a program.
BYTES_PER_ROW = 400


def refuse_too_large(
    connection: duckdb.DuckDBPyConnection,
    source: TableSource,
    rows: ChosenColumns,
    largest: int | None,
) -> None:
    """Raise `TableError` if a group in the table ``survey`` has more rows than memory can hold.

    A file of some kilobytes may unfold to any number of rows. They are counted before they are
    kept, so that takes time and no memory. Groups of more than `largest` rows are not held in
    memory; None: all are.
    """
    free = available_memory()
    keys = ", ".join(f"k{index}::VARCHAR" for index in range(len(rows.keys)))
    is_held = "true" if largest is None else f"n_rows <= {largest}"
    found = connection.execute(
        f"SELECT {keys}, n_rows FROM survey WHERE {is_held} ORDER BY n_rows DESC LIMIT 1"
    ).fetchone()
    if free is None or found is None:
        return
    *key, n_rows = found
    needed = n_rows * BYTES_PER_ROW
    if needed <= free:
        return
    name = ", ".join("null" if part is None else repr(part) for part in key)
    raise TableError(
        f"{source.name}: group {name} has {n_rows:,} rows; to fit it takes about {_size(needed)} "
        f"of memory, and {_size(free)} are available. Fit a sample of its rows, or each distinct "
        "value once, with how often it occurs as `count` (--count)."
    )


def available_memory() -> int | None:
    """Bytes that this process can still have: by the system, its control groups, and its limits.

    None where the system does not say.
    """
    return min([*_of_system(), *_of_control_groups(), *_of_process()], default=None)


def _of_system() -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                yield int(line.split()[1]) * 1024
                return
    with contextlib.suppress(OSError, ValueError, AttributeError):  # none on Windows
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_control_groups() -> Iterator[int]:
    """Yield the memory left by the limits of a container or job, and of the groups around it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            number, _, rest = line.partition(":")
            controllers, _, path = rest.partition(":")
            root = Path("/sys/fs/cgroup")
            if number == "0":
                names = ("memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                root /= "memory"
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            else:
                continue
            here = root / path.lstrip("/")
            for folder in (here, *here.parents):
                yield from _left_in(folder, *names)
                if folder == root:
                    break


def _left_in(folder: Path, limit: str, used: str, reclaimable: str) -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError):  # "max" is no number: there is no limit
        free = int((folder / limit).read_text(encoding="ascii"))
        free -= int((folder / used).read_text(encoding="ascii"))
        statistics = (folder / "memory.stat").read_text(encoding="ascii")
        fields = dict(line.split() for line in statistics.splitlines())
        # Of what is used, the copies of files can be given back at any time.
        yield max(0, free + int(fields.get(reclaimable, 0)))


def _of_process() -> Iterator[int]:
    with contextlib.suppress(OSError, ValueError, ImportError):  # none on Windows
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            yield max(0, limit - pages * resource.getpagesize())


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
