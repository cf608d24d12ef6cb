"""Writing files: never over an input, never over a foreign file, and never in part."""

import contextlib
import csv
import glob
import io
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from mog_jax.tables.errors import TableError
from mog_jax.tables.schema import ANSWERS, TESTS

# Bytes of a header that are read; a CSV file with a longer one is foreign.
_LONGEST_HEADER = 1 << 20
_IN_CSV = [name for name in ANSWERS.names if name != "histogram"]


def refuse_name(path: str | Path) -> None:
    """Raise `TableError` if a name is no text in UTF-8, or holds a NUL: DuckDB and Arrow need that.

    DuckDB would cut it at the NUL, and so take another file.
    """
    name = str(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise TableError(
            f"{name!a}: the name of the file is not text in UTF-8; rename it."
        ) from None
    if "\0" in name:
        raise TableError(f"{name!a}: the name of a file cannot hold a NUL.")


def refuse_input(out: str | Path, source: Any) -> None:
    """Raise `TableError` if `out` is one of the files that `source` reads, or can be no file.

    A file is identified by its place on the disk: a hard or symbolic link to it is the same file,
    and so is standard input that was redirected from it.

    Parameters
    ----------
    out : path
        What is about to be written.
    source : path, glob, list of these, "-", or frame
        See `fit_table`; a frame is no file.
    """
    refuse_name(out)
    try:
        there = Path(out).stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise TableError(f"cannot write {out}: {error.strerror}.") from None
    for name, status in _files_of(source):
        if os.path.samestat(there, status):
            raise TableError(f"cannot write {out}: it is the input ({name}); choose another name.")


def _files_of(source: Any) -> Iterator[tuple[str, os.stat_result]]:
    if isinstance(source, list | tuple):
        for part in source:
            yield from _files_of(part)
    elif isinstance(source, str | Path) and str(source) == "-":
        with contextlib.suppress(OSError, ValueError, AttributeError):  # not a file on this system
            yield "standard input", os.fstat(sys.stdin.fileno())
    elif isinstance(source, str | Path):
        path = str(source)
        # Path.glob takes no absolute pattern.
        names = [path] if Path(path).exists() else glob.glob(path, recursive=True)  # noqa: PTH207
        for name in names:
            with contextlib.suppress(OSError):
                yield name, Path(name).stat()


def refuse_foreign(out: str | Path, is_ours: Callable[[Path], bool], *, overwrite: bool) -> None:
    """Raise `TableError` if `out` is there and cannot be replaced without loss.

    Parameters
    ----------
    out : path
        What is about to be written.
    is_ours : function
        Whether this package has written a file of this kind. An empty file may be replaced in any
        case.
    overwrite : bool
        Whether a file of any kind may be replaced.
    """
    path = Path(out)
    if path.is_dir():
        raise TableError(f"cannot write {out}: it is a directory.")
    if not path.exists():
        return
    if not path.is_file():
        raise TableError(f"cannot write {out}: it is not a regular file.")
    if overwrite or path.stat().st_size == 0 or is_ours(path):
        return
    raise TableError(
        f"cannot write {out}: a file exists that this command has not written; choose another "
        "name, or replace it with --overwrite (overwrite=True)."
    )


@contextlib.contextmanager
def written_whole(out: str | Path) -> Iterator[Path]:
    """Yield a name beside `out` to write to; without an error the file is renamed at the end.

    Raises
    ------
    TableError
        If the file cannot be written, by an `OSError` in the context too.
    """
    path = Path(out)
    aside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}{path.suffix[:20]}")
    try:
        yield aside
        aside.replace(path)
    except OSError as error:
        raise TableError(f"cannot write {out}: {error.strerror or error}.") from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def is_answers(path: Path) -> bool:
    """Return whether a Parquet or CSV file holds the complete answers of a run and nothing else."""
    try:
        return _is_parquet_of_ours(path) if path.suffix == ".parquet" else _is_csv_of_ours(path)
    except (OSError, ValueError, KeyError, TypeError, csv.Error, RecursionError):
        return False  # pyarrow's errors are among them


def _is_parquet_of_ours(path: Path) -> bool:
    with pyarrow.parquet.ParquetFile(path) as file:
        record = (file.metadata.metadata or {}).get(b"mog_jax")
        names, n_rows = file.schema_arrow.names, file.metadata.num_rows
    if record is None or not _ends_in(names, ANSWERS.names):
        return False
    # Arrow copies the record to tables derived from the answers, such as a part of them.
    return bool(json.loads(record)["input"]["n_groups"] == n_rows)


def _is_csv_of_ours(path: Path) -> bool:
    with path.open("rb") as file:
        text = file.read(_LONGEST_HEADER).decode("utf-8-sig", errors="replace")
    header = next(csv.reader(io.StringIO(text, newline="")), [])
    return _ends_in(header, _IN_CSV)


def _ends_in(names: list[str], answers: list[str]) -> bool:
    """Return whether columns end in those of the answer, with or without those of a bootstrap."""
    tests = TESTS.names
    if names[-len(tests) :] == tests:
        names = names[: -len(tests)]
    return names[-len(answers) :] == answers
