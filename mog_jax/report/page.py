"""One page of all fits, to sort, search and look at: a file that needs no network and no server.

Tabulator keeps the table, Observable Plot draws; both lie in ``vendor`` with their licences and are
written into the page.

Names of columns, groups and files are foreign text. They reach the page as compressed JSON, and
its elements as text, never as HTML. Beside that the page's policy lets the browser run the scripts
that are named by their hashes, and nothing else: no script in an attribute, no request of any kind.
Styles likewise.
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
# The page's own program, in this order: one script.
_PROGRAM = ("data", "filters", "table", "drawing", "overview", "exports", "page")
_STYLES = ("tabulator_simple.min.css",)
# Plot writes a style of its own into each drawing; a browser's console says its hash if it changes.
_STYLE_OF_PLOT = "sha256-jSYQUrW7J0b3jPqhZP9C2Xh1PyJKHKXd4s0fpGGKrww="
# What tells a page of ours from another; it stands near its beginning.
_MARK = '<meta name="generator" content="mog_jax report">'


def write_report(
    results: Results, path: str | Path, *, limit: int = 50_000, overwrite: bool = False
) -> None:
    """Write the page.

    Parameters
    ----------
    results : Results
        Of `mog_jax.tables.results.open_results`.
    path : path
        Of the page.
    limit : int
        Most groups on it: those with the highest ΔBIC. The summary counts all of them.
    overwrite : bool
        Replace what is at `path`, even if it is no page of ours; never the file of the results.

    Raises
    ------
    TableError
        If the page cannot be written, or `path` is the results' own file or one of another's.
    """
    if limit < 1:
        raise TableError(f"`limit` must be at least 1; got {limit}.")
    refuse_input(path, [results.name, *_sources(results)])
    refuse_foreign(path, _is_page, overwrite=overwrite)
    page = _page(results, limit)
    with written_whole(path) as aside:
        # A name of a file may hold bytes that are no text at all.
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
    # In one pass: what is put in is not looked through for further places.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _resource("page.html"))


def _policy(scripts: list[str], style: str) -> str:
    """Write the Content-Security-Policy that lets just these scripts and this style count."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {_hash(style)} '{_STYLE_OF_PLOT}'",
            # The empty icon, without which a browser asks for one; and a drawing that becomes PNG.
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
    """Six digits are more than can be seen; bins become two hexadecimal digits each."""
    if isinstance(cell, float):
        return float(f"{cell:.6g}") if abs(cell) < float("inf") else None
    if isinstance(cell, list):
        return None if None in cell else bytes(min(max(each, 0), 255) for each in cell).hex()
    return cell


def _packed(data: Any) -> str:
    """Compress the data, in letters among which no name can end the element that holds them."""
    text = json.dumps(data, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 6)).decode()


def _program() -> str:
    return "\n".join(_resource(f"program/{name}.js") for name in _PROGRAM)


def _resource(name: str) -> str:
    return (importlib.resources.files(__package__) / name).read_text(encoding="utf-8")


def _vendor(name: str) -> str:
    text = _resource(f"vendor/{name}")
    # The maps that help in debugging are not on the page.
    return re.sub(r"(//# sourceMappingURL=.*|/\*# sourceMappingURL=.*?\*/)", "", text)
