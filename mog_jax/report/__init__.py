"""One page of all fits, to sort, search and look at: a file that needs no network and no server.

Tabulator keeps the table, Observable Plot draws; both lie in ``vendor`` with their licences and are
written into the page.
"""

import html
import importlib.resources
import json
import re
from pathlib import Path
from typing import Any

from mog_jax.tables.errors import TableError
from mog_jax.tables.results import Results

_SCRIPTS = ("d3.min.js", "plot.umd.min.js", "tabulator.min.js")
_STYLES = ("tabulator_simple.min.css",)
# What the page shows or draws; the rest is in the file that it was made from.
_SHOWN = [
    "n_points",
    "n_missing",
    "weight_1",
    "weight_2",
    "mean_1",
    "mean_2",
    "sd_1",
    "sd_2",
    "weight_se",
    "mean_1_se",
    "mean_2_se",
    "sd_1_se",
    "sd_2_se",
    "delta_bic",
    "threshold",
    "threshold_se",
    "log_likelihood",
    "status",
    "lowest",
    "highest",
    "histogram",
]


def write_report(results: Results, path: str | Path, *, limit: int = 20_000) -> None:
    """Write the page.

    Parameters
    ----------
    results : Results
        Of `mog_jax.tables.results.open_results`.
    path : path
        Of the page.
    limit : int
        Most groups on it: those with the highest ΔBIC. The summary counts all of them.

    Raises
    ------
    TableError
        If the page cannot be written.
    """
    if limit < 1:
        raise TableError(f"`limit` must be at least 1; got {limit}.")
    page = _resource("page.html")
    parts = {
        "title": html.escape(f"Fits of {_source(results)}"),
        "styles": "\n".join([*(_vendor(name) for name in _STYLES), _resource("page.css")]),
        "libraries": "\n".join(f"<script>{_vendor(name)}</script>" for name in _SCRIPTS),
        "data": _json(_data(results, limit)),
        "program": _resource("page.js"),
    }
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)
    aside = Path(path).with_name(Path(path).name + ".partial")
    try:
        aside.write_text(page, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise TableError(f"cannot write {path}: {error.strerror}.") from None


def _data(results: Results, limit: int) -> dict[str, Any]:
    statuses = results.statuses()
    shown = [name for name in _SHOWN if name in results.columns]
    table = results.table(order="delta_bic DESC NULLS LAST, mean_2 - mean_1 DESC", limit=limit)
    columns = {name: [_short(cell) for cell in table[name].to_pylist()] for name in shown}
    return {
        "source": _source(results),
        "settings": _settings(results),
        "total": sum(statuses.values()),
        "statuses": statuses,
        "two": _favouring_two(results),
        "keys": results.keys,
        "names": {name: [_text(cell) for cell in table[name].to_pylist()] for name in results.keys},
        "columns": columns,
    }


def _favouring_two(results: Results) -> int:
    query = "SELECT count(*) FROM fits WHERE delta_bic > 0"
    return int(results.connection.execute(query).fetchall()[0][0])


def _source(results: Results) -> str:
    if results.run is None:
        return Path(results.name).name
    return ", ".join(Path(part).name for part in results.run["source"]["name"].split(", "))


def _settings(results: Results) -> dict[str, Any]:
    if results.run is None:
        return {}
    chosen = {name: value for name, value in results.run["columns"].items() if value}
    if len(chosen.get("columns", ())) > 8:
        chosen["columns"] = f"{len(chosen['columns'])} of them"
    return {
        **{f"--{name}": _listed(value) for name, value in chosen.items()},
        "rows": f"{results.run['input']['n_rows']:,}",
        "mog_jax": results.run["version"],
    }


def _listed(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _text(cell: Any) -> str:
    return "null" if cell is None else str(cell)


def _short(cell: Any) -> Any:
    """Six digits are more than can be seen; bins become two hexadecimal digits each."""
    if isinstance(cell, float):
        return float(f"{cell:.6g}") if abs(cell) < float("inf") else None
    return bytes(cell).hex() if isinstance(cell, list) else cell


def _json(data: Any) -> str:
    # A key called "</script>" must not end the script that holds it.
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _resource(name: str) -> str:
    return (importlib.resources.files(__package__) / name).read_text(encoding="utf-8")


def _vendor(name: str) -> str:
    text = _resource(f"vendor/{name}")
    # The maps that help in debugging are not on the page.
    return re.sub(r"(//# sourceMappingURL=.*|/\*# sourceMappingURL=.*?\*/)", "", text)
