"""The record of a run beside its answers, read from a file that may have been changed."""

import dataclasses
import json
from typing import Any

from mog_jax.parameter_names import PARAMETERS
from mog_jax.tables.errors import TableError
from mog_jax.tables.read_options import ReadOptions

_READ_OPTIONS = {field.name for field in dataclasses.fields(ReadOptions)}


def read_record(text: Any, name: str) -> dict[str, Any]:
    """Read what `mog_jax.tables.fingerprint.describe` has written.

    Raises
    ------
    TableError
        If it is not such a record.
    """
    try:
        record = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        record = None
    if not _is_record(record):
        raise TableError(f"{name}: its record of what was fitted is damaged.")
    checked: dict[str, Any] = record
    return checked


def _is_record(record: Any) -> bool:
    def is_map(there: Any, **kinds: Any) -> bool:
        return isinstance(there, dict) and all(
            is_a(there.get(name)) for name, is_a in kinds.items()
        )

    def is_text(value: Any) -> bool:
        return isinstance(value, str)

    def is_count(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0

    def is_texts(value: Any) -> bool:
        return isinstance(value, list) and all(map(is_text, value))

    return is_map(
        record,
        version=is_text,
        source=lambda source: is_map(source, name=is_text, paths=is_texts),
        input=lambda given: is_map(given, n_rows=is_count, n_groups=is_count, digest=is_text),
        null_rows=lambda rows: isinstance(rows, dict) and all(map(is_count, rows.values())),
        columns=lambda columns: is_map(
            columns,
            by=is_texts,
            value=lambda value: value is None or is_text(value),
            columns=lambda value: value is None or is_texts(value),
            count=lambda value: value is None or is_text(value),
        ),
        # The values are checked where they are used.
        reading=lambda options: isinstance(options, dict) and {*options} <= _READ_OPTIONS,
        options=lambda options: isinstance(options, dict) and _is_fixed(options.get("fixed", {})),
    )


def _is_fixed(fixed: Any) -> bool:
    return isinstance(fixed, dict) and all(
        name in PARAMETERS and isinstance(value, str | int | float) for name, value in fixed.items()
    )
