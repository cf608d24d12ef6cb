"""The page in a real browser: it loads in silence, searches, sorts and draws."""

import json
import re
import shutil

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from mog_jax import cli
from mog_jax.report import write_report
from mog_jax.tables import TableError
from mog_jax.tables.answers import ANSWERS
from mog_jax.tables.results import open_results

NASTY = "</script><b>x</b>"


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """Answers made by hand, so that this tests the page and not the fitter."""
    rng = np.random.default_rng(0)
    n = 40
    rows = {field.name: [None] * n for field in ANSWERS}
    rows |= {
        "weight_1": [0.4] * n,
        "weight_2": [0.6] * n,
        "mean_1": rng.normal(size=n).tolist(),
        "mean_2": (5 + rng.normal(size=n)).tolist(),
        "sd_1": [1.0] * n,
        "sd_2": [0.5] * n,
        "delta_bic": [float(i) - 10 for i in range(n)],
        "threshold": [2.5] * n,
        "threshold_se": [0.2] * n,
        "n_points": [300.0] * n,
        "n_missing": [0] * n,
        "status": ["converged"] * n,
        "lowest": [-3.0] * n,
        "highest": [7.0] * n,
        "histogram": [[*range(32)]] * n,
    }
    for name in ("mean_1", "mean_2", "sd_1", "sd_2", "delta_bic", "threshold", "histogram"):
        rows[name][0] = None
    rows["status"][0] = "constant"
    genes = [f"gene_{i:02d}" for i in range(n - 1)] + [NASTY]
    table = pyarrow.table(
        {"gene": genes} | {f.name: pyarrow.array(rows[f.name], f.type) for f in ANSWERS}
    )
    path = tmp_path_factory.mktemp("fits") / "fits.parquet"
    pyarrow.parquet.write_table(table, path)
    return path


@pytest.fixture(scope="module")
def page(fits):
    """The report in headless Chromium, and what its console and its network said."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    report = fits.with_name("report.html")
    assert cli.main(["report", str(fits), "-o", str(report)]) == 0
    with playwright.sync_playwright() as library:
        browser = library.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        heard = []
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: heard.append(request.url))
        page.goto(report.as_uri())
        page.wait_for_selector("body[data-ready]")
        assert heard == [report.as_uri()]
        yield page
        assert heard == [report.as_uri()]
        browser.close()


def shown(page):
    return page.locator(".tabulator-row .tabulator-cell:first-child").all_inner_texts()


def test_it_says_how_many_and_draws_the_first(page):
    summary = page.locator("#summary").inner_text()
    assert summary.startswith("40 groups: 39 converged, 1 constant.")
    assert "BIC favours two components in 29." in summary
    assert page.locator("#name").inner_text() == NASTY
    assert page.locator("#fit rect").count() >= 8
    assert page.locator("#fit path").count() >= 3
    assert "threshold 2.5" in page.locator("#fit").inner_text()
    assert page.locator("#overview circle:not(.ring)").count() == 39
    about = page.locator("#about").inner_text()
    assert about == "300 points · ΔBIC 29 · threshold 2.5 ± 0.2 · converged"
    # The chosen group, the first by ΔBIC, wears the ring.
    first = page.locator("#overview circle:not(.ring)").first
    ring = page.locator("#overview .ring")
    assert ring.get_attribute("visibility") == "visible"
    assert float(ring.get_attribute("cx")) == pytest.approx(float(first.get_attribute("cx")))


def test_it_searches(page):
    page.fill("#search", "GENE_1")
    assert sorted(shown(page)) == [f"gene_{i}" for i in range(10, 20)]
    assert page.locator("#found").inner_text() == "10 of 40"
    page.fill("#search", "nothing like it")
    assert shown(page) == []
    page.fill("#search", "")
    page.select_option("#status", "constant")
    assert shown(page) == ["gene_00"]
    page.select_option("#status", "")


def test_it_sorts(page):
    page.locator(".tabulator-col-title", has_text="ΔBIC").click()
    assert shown(page)[0] == NASTY
    page.locator(".tabulator-col-title", has_text="ΔBIC").click()
    assert shown(page)[0] == "gene_01"


def test_a_click_draws_that_group(page):
    page.fill("#search", "gene_07")
    before = page.locator("#fit").inner_html()
    page.locator(".tabulator-row").first.click()
    assert page.locator("#name").inner_text() == "gene_07"
    assert page.locator("#fit").inner_html() != before
    page.fill("#search", "gene_00")
    page.locator(".tabulator-row").first.click()
    assert page.locator("#fit").inner_text() == "No fit: constant, 300 points."
    page.fill("#search", "")
    page.locator("#overview circle").nth(3).click(force=True)
    assert page.locator("#name").inner_text() == "gene_36"
    assert page.locator(".tabulator-row.tabulator-selected").count() == 1


def test_the_page_stands_alone(fits, tmp_path):
    with open_results(fits) as results:
        write_report(results, tmp_path / "report.html", limit=5)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|img|link|iframe)[^>]*(src|href)=\"(?!data:,)", text)
    assert "@import" not in text
    assert "sourceMappingURL" not in text
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    data = json.loads(found[1])
    assert data["total"] == 40
    assert data["names"]["gene"] == [NASTY, *(f"gene_{i}" for i in (38, 37, 36, 35))]
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_what_cannot_be_written_or_read(fits, tmp_path, capsys):
    with open_results(fits) as results, pytest.raises(TableError, match=r"cannot write .*No such"):
        write_report(results, tmp_path / "no" / "report.html")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    for path, message in {
        tmp_path / "nowhere.parquet": "no such file",
        tmp_path / "other.csv": "holds no fits",
    }.items():
        assert cli.main(["report", str(path)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
