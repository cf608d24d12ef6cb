"""Names and paths as SQL: nothing is put into a query bare."""

import glob


def identifier(name: str) -> str:
    """Quote a column's name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def path_literal(path: str) -> str:
    """Quote the path of one file for SQL: DuckDB takes brackets, ? and * for a pattern."""
    return literal(glob.escape(path))
