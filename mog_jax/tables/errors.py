"""The error of the tables, and DuckDB's errors as one line of it."""

import contextlib
import re
from collections.abc import Iterable, Iterator

import duckdb

from mog_jax.suggestions import did_you_mean


class TableError(ValueError):
    """A table or a file that cannot be used; the message says why and what to do, in one line."""


def no_such(kind: str, wanted: str, there: Iterable[str], *, source: str) -> TableError:
    """Return an error: `source` has no such column (or other thing), what it has, the nearest."""
    names = [name if name.isprintable() else ascii(name) for name in there]
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    hint = did_you_mean(wanted, names)
    return TableError(f"{source} has no {kind} {wanted!r}; it has {shown}{hint}")


@contextlib.contextmanager
def reading(source: str) -> Iterator[None]:
    """Turn what DuckDB says about a source it cannot read into one line."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        if out_of_space(error):
            raise no_space(error) from None
        raise TableError(f"cannot read {source}: {_explain(error)}") from None
    except duckdb.Error as error:
        raise TableError(f"cannot read {source}: {_explain(error)}") from None


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Turn a full disk or an unwritable path into one line."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        if out_of_space(error):
            raise no_space(error) from None
        raise TableError(f"cannot write {path}: {_explain(error)}") from None


def out_of_space(error: BaseException) -> bool:
    """Return whether a write failed because there was no room for it."""
    return bool(re.search(r"No space left|File too large|max_temp_directory_size", str(error)))


def no_space(error: BaseException) -> TableError:
    """Describe a full disk, and say that nothing is lost."""
    return TableError(
        f"no space left on the disk ({first_line(error)}); what was fitted before is kept: "
        "make room, then run the same command again."
    )


def first_line(error: BaseException) -> str:
    """Return the first line of a message, without DuckDB's name for its kind."""
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return re.sub(r"^(\w+ )*Error: ", "", line).rstrip(" .!")


def ragged(line: str | int, found: str | int, wanted: str | int) -> str:
    """Return a sentence that a line has too few or too many cells."""
    cells = "cell" if str(found) == "1" else "cells"
    return f"line {line} has {found} {cells}, the header {wanted}."


def not_encoded(encoding: str, line: str | int | None) -> str:
    """Return a sentence that a text is not in this encoding, and what to do."""
    where = "" if line is None else f" (line {line})"
    return (
        f"it is not a text file in {encoding}{where}; say what it is with `encoding` "
        "(--encoding latin-1)."
    )


def _explain(error: BaseException) -> str:
    text = str(error)
    cells = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    line = re.search(r"CSV Error on Line: (\d+)", text)
    if cells and line:
        return ragged(line[1], cells[2], cells[1])
    if "not utf-8" in text or "Invalid unicode" in text:
        return not_encoded("UTF-8", line[1] if line else None)
    if "state machine" in text:
        return (
            "some of its lines end in a line feed, others in a carriage return; let all end in a "
            "line feed."
        )
    if line:
        reason = text.strip().splitlines()[1:2]
        return f"line {line[1]}: {''.join(reason).rstrip('. ')}."
    if re.search(r"magic bytes|too small to be a Parquet|footer|TProtocol|thrift", text, re.I):
        return "it is not a whole Parquet file; was it truncated?"
    return f"{first_line(error)}."
