"""Reads a source to its numbers, without a fit."""

import math
import tempfile
from pathlib import Path

import duckdb

from mog_jax.tables.columns import choose
from mog_jax.tables.read_options import read_options
from mog_jax.tables.sources import open_source
from mog_jax.tables.validate import survey


def read(path, *numbers, **options):
    """Give the columns of a source: as texts, or as floats (NaN: missing) those of `numbers`."""
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as connection:
        source = open_source(connection, path, Path(scratch), read_options(**options))
        return {
            name: _numbers(connection, source, name)
            if name in numbers or (numbers == (...,))
            else _texts(connection, source, name)
            for name in source.types
        }


def columns(path, **options):
    """Give the names of a source's columns."""
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as connection:
        return [*open_source(connection, path, Path(scratch), read_options(**options)).types]


def _numbers(connection, source, name):
    rows = choose(source, by=[], value=name, count=None, columns=None)
    survey(connection, source, rows)
    found = connection.execute(f"SELECT value FROM ({rows.sql})").fetchall()
    return [math.nan if row[0] is None else row[0] for row in found]


def _texts(connection, source, name):
    found = connection.execute(f"SELECT {source.columns[name]} FROM {source.sql}").fetchall()
    return ["" if row[0] is None else row[0] for row in found]
