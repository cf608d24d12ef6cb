"""The page in a real browser: it loads without messages, searches, sorts and draws."""

import base64
import contextlib
import csv
import hashlib
import json
import math
import random
import re
import shutil
import xml.etree.ElementTree
import zlib

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from mog_jax import cli
from mog_jax.report import write_report
from mog_jax.tables import TableError
from mog_jax.tables.results import open_results
from mog_jax.tables.schema import ANSWERS

NASTY = "</script><b>x</b>"


def table_of_answers(keys, n, **changed):
    """Answers made by hand: the page is tested, not the fitter."""
    rng = np.random.default_rng(0)
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
    rows |= changed
    return pyarrow.table(keys | {f.name: pyarrow.array(rows[f.name], f.type) for f in ANSWERS})


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    n = 40
    genes = [f"gene_{i:02d}" for i in range(n - 1)] + [NASTY]
    path = tmp_path_factory.mktemp("fits") / "fits.parquet"
    pyarrow.parquet.write_table(table_of_answers({"gene": genes}, n), path)
    return path


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium without a network; its requests are recorded."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    with playwright.sync_playwright() as library:
        browser = library.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


@contextlib.contextmanager
def visited(browser, path, viewport=DESKTOP, scheme="light", fragment=""):
    """The page of some fits; it must make no request, log no error, and run no foreign script."""
    report = path.with_name("report.html")
    assert cli.main(["report", str(path), "-o", str(report)]) == 0
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    heard = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url))
    page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
    page.on("popup", lambda popup: heard.append(popup.url))
    page.goto(report.as_uri() + fragment)
    page.wait_for_selector("body[data-ready]")
    yield page
    page.wait_for_timeout(50)
    assert [each.partition("#")[0] for each in heard] == [report.as_uri()]
    assert page.evaluate("window.pwned") is None
    page.close()


@pytest.fixture(scope="module")
def page(fits, browser):
    with visited(browser, fits) as page:
        yield page


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


def chosen(page):
    return page.locator("#name").inner_text()


def test_conditions_on_numbers_choose_groups(page):
    for text, groups in {
        "delta_bic > 25": {"gene_36", "gene_37", "gene_38", NASTY},
        "ΔBIC>=28": {"gene_38", NASTY},
        "delta_bic > 25 and delta_bic < 27, n_points = 300": {"gene_36"},
        "delta_bic <= -9 && separation != 1e3": {"gene_01"},
        "threshold_se < 0.1": set(),
    }.items():
        page.fill("#where", text)
        assert {*shown(page)} == groups, text
    page.fill("#where", "delta_bic > 20")
    page.fill("#search", "gene_3")
    assert {*shown(page)} == {f"gene_{i}" for i in range(31, 39)}
    for text, wrong in {
        "delta > 1": "no number is called delta",
        "delta_bic > ten": "not understood: delta_bic > ten",
        "delta_bic > 1 and __proto__ = 0": "no number is called __proto__",
    }.items():
        page.fill("#where", text)
        assert page.locator("#wrong").inner_text() == wrong
        assert page.locator("#where").get_attribute("aria-invalid") == "true"
    page.fill("#search", "")
    page.fill("#where", "")
    assert page.locator("#wrong").inner_text() == ""
    assert page.locator("#where").get_attribute("aria-invalid") is None
    assert page.locator("#found").inner_text() == ""


def saved(page, button, folder):
    with page.expect_download() as waiting:
        page.click(button)
    waiting.value.save_as(folder / waiting.value.suggested_filename)
    return folder / waiting.value.suggested_filename


def test_what_is_filtered_is_saved_as_csv(page, tmp_path):
    page.fill("#where", "delta_bic > 27")
    with saved(page, "#csv", tmp_path).open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert {row["gene"]: float(row["delta_bic"]) for row in rows} == {"gene_38": 28, NASTY: 29}
    assert rows[0]["mean_1_se"] == ""
    assert "histogram" not in rows[0]
    page.fill("#where", "")


def test_the_drawing_is_saved_in_the_colours_of_paper(page, tmp_path):
    page.emulate_media(color_scheme="dark")
    page.fill("#search", "gene_07")
    page.locator(".tabulator-row").first.click()
    svg = saved(page, "#svg", tmp_path)
    assert svg.name == "gene_07.svg"
    words = "".join(xml.etree.ElementTree.parse(svg).getroot().itertext())
    for word in ("gene_07", "density", "sum", "lower", "upper", "threshold 2.5 ± 0.39 (95 %)"):
        assert word in words
    from PIL import Image

    with Image.open(saved(page, "#png", tmp_path)) as picture:
        assert picture.size[0] == 3 * 560
        assert picture.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
    page.fill("#search", "")
    page.emulate_media(color_scheme="light")


def test_keys_go_through_rows_and_dots(page):
    page.fill("#where", "delta_bic > 20")
    page.locator(".tabulator-col-title", has_text="ΔBIC").click()
    page.locator(".tabulator-row").first.click()
    order = shown(page)
    page.focus(".tabulator-tableholder")
    for key, name in [
        ("ArrowDown", order[1]),
        ("ArrowDown", order[2]),
        ("ArrowUp", order[1]),
        ("End", order[-1]),
        ("ArrowDown", order[-1]),
        ("Home", order[0]),
    ]:
        page.keyboard.press(key)
        assert chosen(page) == name
    assert page.locator(".tabulator-row.tabulator-selected").count() == 1
    page.focus(".tabulator-col[tabulator-field=key0]")
    page.keyboard.press("Enter")
    assert shown(page) == sorted(order)
    page.fill("#where", "")
    page.evaluate("select(20)")
    page.focus("#overview svg")
    by_evidence = [f"gene_{i:02d}" for i in range(1, 39)] + [NASTY]
    place = by_evidence.index(chosen(page))
    page.keyboard.press("ArrowDown")
    assert chosen(page) == by_evidence[place - 1]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert chosen(page) == by_evidence[place + 1]
    separations = page.evaluate("dots.map((row) => row.separation).sort((a, b) => a - b)")
    before = page.evaluate("chosen.separation")
    page.keyboard.press("ArrowRight")
    after = page.evaluate("chosen.separation")
    assert separations.index(after) == min(separations.index(before) + 1, 38)


def test_a_link_leads_to_a_group(browser, fits):
    with visited(browser, fits, fragment="#gene_05") as page:
        assert chosen(page) == "gene_05"
        assert page.locator(".tabulator-row.tabulator-selected").is_visible()
        page.evaluate("location.hash = 'gene_00'")
        page.wait_for_function("document.getElementById('name').textContent === 'gene_00'")
        assert page.locator("#svg").is_disabled()
        page.evaluate("select(39)")
        assert page.evaluate("decodeURIComponent(location.hash)") == "#gene_00"
        page.evaluate("select(0)")
        assert page.evaluate("decodeURIComponent(location.hash)") == f"#{NASTY}"
    with visited(browser, fits, fragment="#%E0%A4%A") as page:
        assert chosen(page) == NASTY


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_legible_at_either_width_in_either_scheme(browser, fits, viewport, scheme):
    with visited(browser, fits, viewport, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        table, drawing = (page.locator(each).bounding_box() for each in ("#table", "#fit svg"))
        if viewport is PHONE:  # the table comes first, and the drawing after it
            assert table["y"] + table["height"] < drawing["y"]
        else:
            assert table["x"] + table["width"] < drawing["x"]
        selected = ".tabulator-row.tabulator-selected"
        for selector, behind in {
            "h1": "body",
            "#settings": "body",
            f"{selected} .tabulator-cell": selected,
            ".tabulator-row:not(.tabulator-selected) .tabulator-cell": ".tabulator-row",
            ".tabulator-col-title": ".tabulator-col",
            "#numbers .low": "body",
            "#numbers .high": "body",
        }.items():
            ink = page.locator(selector).first.evaluate("(e) => getComputedStyle(e).color")
            paper = page.locator(behind).last.evaluate("(e) => getComputedStyle(e).backgroundColor")
            assert contrast(ink, paper) > 3.5, (selector, ink, paper)
        curve = page.locator("#fit path[stroke-width='2.4'], #fit [stroke-width='2.4'] path").first
        assert curve.is_visible()


def contrast(*colours):
    """WCAG's ratio of two colours."""

    def luminance(colour):
        parts = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted(map(luminance, colours))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_axis_says_what_the_values_are(browser, fits, tmp_path):
    record = json.loads(record_of({"gene": []})["mog_jax"])
    for value, columns, title in [("intensity", None, "intensity"), (None, ["x"], "gene_38")]:
        record["columns"] |= {"value": value, "columns": columns}
        table = pyarrow.parquet.read_table(fits).replace_schema_metadata(
            {"mog_jax": json.dumps(record)}
        )
        pyarrow.parquet.write_table(table, tmp_path / "fits.parquet")
        with visited(browser, tmp_path / "fits.parquet", fragment="#gene_38") as page:
            labels = page.locator("#fit svg text").all_text_contents()
            assert {title, "density", "data", "sum"} <= {*labels}


def test_p_and_q_values_are_shown_and_chosen_by(browser, tmp_path):
    table = table_of_answers({"gene": [f"gene_{i}" for i in range(9)]}, 9)
    for name in ("p_value", "q_value"):
        column = pyarrow.array([None, *(0.01 * i for i in range(1, 9))])
        table = table.append_column(name, column)
    pyarrow.parquet.write_table(table, tmp_path / "fits.parquet")
    with visited(browser, tmp_path / "fits.parquet", fragment="#gene_3") as page:
        titles = page.locator(".tabulator-col-title").all_inner_texts()
        assert {"p", "q"} <= {*titles}
        assert "q 0.03" in page.locator("#about").inner_text()
        page.fill("#where", "q_value <= 0.05")
        assert sorted(shown(page)) == [f"gene_{i}" for i in range(1, 6)]


def test_fifty_thousand_groups_are_sorted_and_searched(browser, tmp_path):
    n = 50_000
    table = table_of_answers({"gene": [f"gene_{i}" for i in range(n)]}, n)
    pyarrow.parquet.write_table(table, tmp_path / "fits.parquet")
    with visited(browser, tmp_path / "fits.parquet", fragment="#gene_123") as page:
        assert page.locator("#summary").inner_text().startswith("50,000 groups")
        assert chosen(page) == "gene_123"
        assert page.locator("#overview circle").count() < 5_000
        page.fill("#where", "delta_bic >= 49980")
        assert page.locator("#found").inner_text() == "10 of 50,000"
    assert (tmp_path / "report.html").stat().st_size < 6e6


def test_the_page_stands_alone(fits, tmp_path):
    with open_results(fits) as results:
        write_report(results, tmp_path / "report.html", limit=5)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|img|link|iframe)[^>]*(src|href)=\"(?!data:,)", text)
    assert "@import" not in text
    assert "sourceMappingURL" not in text
    found = re.search(r'<script type="text/plain" id="data">(.*?)</script>', text, re.DOTALL)
    data = json.loads(zlib.decompress(base64.b64decode(found[1], validate=True)))
    assert data["total"] == 40
    assert data["names"] == [[NASTY, *(f"gene_{i}" for i in (38, 37, 36, 35))]]
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


HOSTILE = [
    "<img src=x onerror='window.pwned=1'>",
    "</script><script>window.pwned=2</script>",
    "<!--<script>",
    "</style></title></textarea><svg onload=window.pwned=3>",
    "\"'`><iframe srcdoc='<script>parent.pwned=4</script>'>",
    "javascript:window.pwned=5",
    "<a href='javascript:window.pwned=6'>x</a>",
    "<link rel=stylesheet href=//x.invalid/a.css><style>*{display:none}</style>",
    "<meta http-equiv=refresh content='0;url=//x.invalid'>",
    "\u2028\u2029window.pwned=7//",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "{{data}}{{program}}",
    "${window.pwned=8}",
    "\\u003cimg\\u003e&lt;b&gt;&amp;",
    "a.b.c[0]",
    "\x00\x1b[31m\r\n\t\u202eabc",
    "🧬é\ufeff",
    "field",
    "id",
]


def test_hostile_names_are_text(browser, tmp_path_factory):
    n = len(HOSTILE)
    # A file name may hold all of these except a slash and a NUL.
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / "<img src=x onerror='window.pwned=9'>{{data}}\"&amp;.parquet"
    keys = {name: HOSTILE[i:] + HOSTILE[:i] for i, name in enumerate(HOSTILE[:4] + HOSTILE[9:16])}
    table = table_of_answers(keys, n, status=HOSTILE)
    pyarrow.parquet.write_table(table.replace_schema_metadata(record_of(keys)), path)
    with visited(browser, path) as page:
        title = page.locator("h1").inner_text()
        assert title == "Fits of " + HOSTILE[0] + ".csv"
        assert page.title() == title
        titles = page.locator(".tabulator-col-title").all_text_contents()
        assert titles[: len(keys)] == [*keys]
        options = page.locator("#status option").all_text_contents()[1:]
        assert {*options} == {text.replace("_", " ") for text in HOSTILE}
        for index in range(n):
            page.select_option("#status", index=index + 1)
            page.locator(".tabulator-row").click()
            name = page.locator(".tabulator-row .tabulator-cell").first.text_content()
            assert page.locator("#name").text_content().startswith(name + ", ")
            assert name in HOSTILE
            page.locator(".tabulator-col-title").first.hover()
        page.select_option("#status", index=0)
        for text in HOSTILE[:4]:
            page.fill("#search", text)
            assert page.locator(".tabulator-row").count() == len(keys)
        assert page.locator("img, iframe, a, textarea, link[rel=stylesheet]").count() == 0
        assert page.locator("script").count() == 5
        assert page.locator("body").is_visible()


def record_of(keys):
    record = {
        "version": HOSTILE[0],
        "source": {"name": HOSTILE[0] + ".csv", "paths": []},
        "input": {"n_rows": 2, "n_groups": 1, "digest": "1"},
        "null_rows": {},
        "columns": {"by": [*keys], "value": HOSTILE[1], "columns": None, "count": None},
        "reading": {},
        "options": {},
    }
    return {"mog_jax": json.dumps(record)}


def test_a_name_in_the_record_need_not_be_text(fits, tmp_path):
    record = record_of({"gene": []})["mog_jax"].replace(".csv", "\\ud800.csv")
    table = pyarrow.parquet.read_table(fits).replace_schema_metadata({"mog_jax": record})
    pyarrow.parquet.write_table(table, tmp_path / "fits.parquet")
    with open_results(tmp_path / "fits.parquet") as results:
        write_report(results, tmp_path / "report.html")
    assert "?.csv</h1>" in (tmp_path / "report.html").read_text("utf-8")


EXTREME = [0.0, -0.0, 1e-320, 1e-300, 1.0, 1e15, 1e300, -1e308, 1e308, math.inf, math.nan, None]


@pytest.mark.parametrize("seed", range(3))
def test_numbers_at_the_ends_break_nothing(browser, tmp_path, seed):
    rng = random.Random(seed)
    n = 120
    numbers = [field.name for field in ANSWERS if field.type == pyarrow.float64()]
    drawn = {name: [rng.choice(EXTREME) for _ in range(n)] for name in numbers}
    drawn["n_missing"] = [rng.choice([0, 2**60, None]) for _ in range(n)]
    drawn["histogram"] = [rng.choice([None, [], [0] * 32, [255], [*range(32)]]) for _ in range(n)]
    drawn["status"] = [None] * n
    table = table_of_answers({"gene": [*map(str, range(n))]}, n, **drawn)
    pyarrow.parquet.write_table(table, tmp_path / "fits.parquet")
    with visited(browser, tmp_path / "fits.parquet") as page:
        assert page.evaluate("rows.length") == n
        page.evaluate("rows.forEach((row) => show(row))")


def policy_of(text):
    return re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]


def test_the_policy_names_what_is_on_the_page_and_nothing_else(fits, tmp_path):
    with open_results(fits) as results:
        write_report(results, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    policy = dict(part.split(" ", 1) for part in policy_of(text).split("; "))
    assert text.index("Content-Security-Policy") < text.index("<title>")
    assert policy["default-src"] == "'none'"
    assert {*policy} == {
        "default-src",
        "script-src",
        "style-src",
        "img-src",
        "base-uri",
        "form-action",
    }
    assert "unsafe" not in str(policy)
    assert "http" not in str(policy)
    found = re.findall(r"<(script|style)>(.*?)</\1>", text, re.DOTALL)
    for kind, content in found:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[f"{kind}-src"]
    assert [kind for kind, _ in found] == ["style", *["script"] * 4]
    assert policy["script-src"].count("sha256-") == 4


def test_the_policy_holds_where_the_escaping_fails(browser, fits, tmp_path):
    """As if a name had been written into the page as it is."""
    with open_results(fits) as results:
        write_report(results, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    evil = "".join(HOSTILE[:9]) + "<script>window.pwned=10;fetch('//x.invalid')</script>"
    (tmp_path / "report.html").write_text(text.replace("</h1>", evil + "</h1>"), encoding="utf-8")
    page = browser.new_page()
    asked = []
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.route("http://**", lambda route: asked.append(route.request.url))
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_timeout(300)
    assert page.evaluate("window.pwned") is None
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
    page.close()


def test_a_page_replaces_a_page_and_nothing_else(fits, tmp_path, capsys):
    own = tmp_path / "fits.parquet"
    shutil.copy(fits, own)
    (tmp_path / "hard.html").hardlink_to(own)
    (tmp_path / "soft.html").symlink_to(own)
    (tmp_path / "other.html").write_text("<p>mine</p>", encoding="utf-8")
    (tmp_path / "folder").mkdir()

    def report(name, *more):
        code = cli.main(["report", str(own), "-o", str(tmp_path / name), *more])
        return code, capsys.readouterr().err

    for name in ("fits.parquet", "hard.html", "soft.html"):
        for more in ([], ["--overwrite"]):
            code, err = report(name, *more)
            assert code == 2
            assert "it is the input" in err
            assert err.count("\n") == 1
    assert own.read_bytes() == fits.read_bytes()
    assert "it is a directory" in report("folder", "--overwrite")[1]
    code, err = report("other.html")
    assert code == 2
    assert "replace it with --overwrite" in err
    assert (tmp_path / "other.html").read_text(encoding="utf-8") == "<p>mine</p>"
    for more in (["--overwrite"], [], []):
        assert report("other.html", *more) == (0, "")
        assert "Fits of" in (tmp_path / "other.html").read_text(encoding="utf-8")
    assert len([*tmp_path.iterdir()]) == 5


def test_a_page_does_not_replace_the_values_either(fits, tmp_path):
    source = tmp_path / "cells.html"
    source.write_text("x\n1\n", encoding="utf-8")
    record = json.loads(record_of({})["mog_jax"])
    record["source"]["paths"] = [str(source)]
    table = pyarrow.parquet.read_table(fits).replace_schema_metadata(
        {"mog_jax": json.dumps(record)}
    )
    pyarrow.parquet.write_table(table, tmp_path / "fits.parquet")
    with (
        open_results(tmp_path / "fits.parquet") as results,
        pytest.raises(TableError, match="it is the input"),
    ):
        write_report(results, source, overwrite=True)


def test_what_lies_beyond_a_limit_is_hatched(browser, tmp_path):
    record = json.loads(record_of({"gene": []})["mog_jax"])
    record["options"] |= {"limits": [-3, None], "resolution": 0.5, "window": [-9, 9]}
    table = table_of_answers(
        {"gene": ["a", "b", "c"]}, 3, n_below=[0.0, 30.0, 0.0], n_above=[9.0] * 3
    )
    table = table.replace_schema_metadata({"mog_jax": json.dumps(record)})
    pyarrow.parquet.write_table(table, tmp_path / "fits.parquet")
    with visited(browser, tmp_path / "fits.parquet", fragment="#b") as page:
        hatched = "#fit svg [fill='url(#beyond)'] rect"
        # The lower limit's and the upper one's; the pattern is there, and the legend says it.
        assert page.locator(hatched).count() == 2
        assert page.locator("#fit svg pattern#beyond").count() == 1
        assert "beyond a limit" in page.locator("#fit svg text").all_text_contents()
        assert "--limits -3, · " in page.locator("#settings").inner_text()
    with visited(browser, tmp_path / "fits.parquet", fragment="#c") as page:
        assert page.locator(hatched).count() == 1
