"""Writes one HTML page of all fits, which can be opened without a network or a server.

Tabulator shows the table, and Observable Plot draws the fits; both are in ``vendor`` with their
licences, and are written into the page.

Names of columns, groups and files are untrusted text. They are written to the page as compressed
JSON, and into its elements as text, never as HTML. In addition, the page's Content-Security-Policy
allows only the scripts and styles whose hashes it lists: no script in an attribute, and no request.
"""

import base64
import hashlib
import html
import importlib.resources
import json
import re
import zlib
from pathlib import Path
from typing import Any

from mog_jax.fitting.results.columns import COLUMNS, TEST_COLUMNS
from mog_jax.tables.errors import TableError
from mog_jax.tables.outputs import refuse_foreign, refuse_input, written_whole
from mog_jax.tables.results import Results

_SCRIPTS = ("d3.min.js", "plot.umd.min.js", "tabulator.min.js")
# The files of the page's own program, joined to one script in this order.
_PROGRAM = ("data", "filters", "table", "drawing", "overview", "exports", "page")
_STYLES = ("tabulator_simple.min.css",)
# Plot writes a style into each drawing; if it changes, a browser's console shows the new hash.
_STYLE_OF_PLOT = "sha256-jSYQUrW7J0b3jPqhZP9C2Xh1PyJKHKXd4s0fpGGKrww="
# Mark near the beginning of a page, by which pages of this module are recognised.
_MARK = '<meta name="generator" content="mog_jax report">'


def write_report(
    results: Results, path: str | Path, *, limit: int = 50_000, overwrite: bool = False
) -> None:
    """Write the page.

    Parameters
    ----------
    results : Results
        From `mog_jax.tables.results.open_results`.
    path : path
        Where to write the page.
    limit : int
        Largest number of groups on the page: those with the highest ΔBIC. The summary counts all
        groups.
    overwrite : bool
        Whether to replace any file at `path`, not only a page of this module; never the file of the
        results.

    Raises
    ------
    TableError
        If the page cannot be written, or `path` is the results' own file or, without `overwrite`,
        any file that is not such a page.
    """
    if limit < 1:
        raise TableError(f"`limit` must be at least 1; got {limit}.")
    refuse_input(path, [results.name, *_sources(results)])
    refuse_foreign(path, _is_page, overwrite=overwrite)
    page = _page(results, limit)
    with written_whole(path) as aside:
        # A file name may hold bytes that are not valid text.
        aside.write_bytes(page.encode("utf-8", errors="replace"))


def _is_page(path: Path) -> bool:
    with path.open("rb") as file:
        return _MARK.encode() in file.read(1024)


def _page(results: Results, limit: int) -> str:
    scripts = [*(_vendor(name) for name in _SCRIPTS), _program()]
    style = "\n".join([*(_vendor(name) for name in _STYLES), _resource("page.css")])
    parts = {
        "mark": _MARK,
        "policy": _policy(scripts, style),
        "title": html.escape(f"Fits of {_source(results)}"),
        "style": style,
        "libraries": "\n".join(f"<script>{script}</script>" for script in scripts[:-1]),
        "data": _packed(_data(results, limit)),
        "program": scripts[-1],
    }
    # In one pass, so that the inserted text is not searched for placeholders.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _resource("page.html"))


def _policy(scripts: list[str], style: str) -> str:
    """Return the Content-Security-Policy that allows these scripts and this style only."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {_hash(style)} '{_STYLE_OF_PLOT}'",
            # For the empty icon, without which a browser requests one, and for drawings as PNG.
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(results: Results, limit: int) -> dict[str, Any]:
    statuses = results.statuses()
    shown = [
        each.name
        for each in [*COLUMNS, *TEST_COLUMNS]
        if each.is_on_page and each.name in results.columns
    ]
    table = results.table(order="delta_bic DESC NULLS LAST, mean_2 - mean_1 DESC", limit=limit)
    columns = {name: [_short(cell) for cell in table[name].to_pylist()] for name in shown}
    return {
        "source": _source(results),
        "settings": _settings(results),
        "total": sum(statuses.values()),
        "statuses": statuses,
        "two": _favouring_two(results),
        "keys": results.keys,
        "window": None if results.run is None else results.run["options"].get("window"),
        "value": None if results.run is None else results.run["columns"]["value"],
        "names": [[_text(cell) for cell in table[name].to_pylist()] for name in results.keys],
        "columns": columns,
    }


def _favouring_two(results: Results) -> int:
    query = "SELECT count(*) FROM fits WHERE delta_bic > 0"
    return int(results.connection.execute(query).fetchall()[0][0])


def _sources(results: Results) -> list[str]:
    return [] if results.run is None else list(results.run["source"]["paths"])


def _source(results: Results) -> str:
    if results.run is None:
        return Path(results.name).name
    return ", ".join(Path(part).name for part in results.run["source"]["name"].split(", "))


def _settings(results: Results) -> dict[str, Any]:
    if results.run is None:
        return {}
    chosen = {name: value for name, value in results.run["columns"].items() if value}
    for name in ("resolution", "limits", "window"):
        if (word := results.run["options"].get(name)) is not None:
            chosen[name] = word if name == "resolution" else [_end(end) for end in word]
    if len(chosen.get("columns", ())) > 8:
        chosen["columns"] = f"{len(chosen['columns'])} of them"
    return {
        **{f"--{name}": _listed(value) for name, value in chosen.items()},
        "rows": f"{results.run['input']['n_rows']:,}",
        "mog_jax": results.run["version"],
    }


def _listed(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _end(end: Any) -> str:
    return "" if end is None else f"{end:g}"


def _text(cell: Any) -> str:
    return "null" if cell is None else str(cell)


def _short(cell: Any) -> Any:
    """Round a number to six digits, and write bins as two hexadecimal digits each."""
    if isinstance(cell, float):
        return float(f"{cell:.6g}") if abs(cell) < float("inf") else None
    if isinstance(cell, list):
        return None if None in cell else bytes(min(max(each, 0), 255) for each in cell).hex()
    return cell


def _packed(data: Any) -> str:
    """Return the data as compressed JSON in base64, which cannot contain the end of a script."""
    text = json.dumps(data, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 6)).decode()


def _program() -> str:
    return "\n".join(_resource(f"program/{name}.js") for name in _PROGRAM)


def _resource(name: str) -> str:
    return (importlib.resources.files(__package__) / name).read_text(encoding="utf-8")


def _vendor(name: str) -> str:
    text = _resource(f"vendor/{name}")
    # Source maps are not part of the page.
    return re.sub(r"(//# sourceMappingURL=.*|/\*# sourceMappingURL=.*?\*/)", "", text)
