"""The guide: its code runs, its links resolve, and it is complete."""

import re

import pytest

import mog_jax
from mog_jax.crosscheck.findings import FAILURES, REMARKS
from mog_jax.inference import Crossing, Reason
from tests.pages import GUIDE, ROOT, Page

PAGES = [Page(path) for path in sorted(GUIDE.glob("*.md"))]
INDEX = Page(GUIDE / "index.md")


def page(name):
    return Page(GUIDE / f"{name}.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_blocks_run_and_show_what_they_print(page, tmp_path):
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    page.run(tmp_path)


@pytest.mark.parametrize(
    "page", [Page(ROOT / "README.md"), *PAGES], ids=lambda page: page.path.stem
)
def test_links_lead_somewhere(page):
    inside = [link for link in page.links() if "://" not in link]
    assert [link for link in inside if not (page.path.parent / link).exists()] == []


def test_every_page_is_in_the_index():
    linked = {link for link in INDEX.links() if "/" not in link}
    assert linked == {page.path.name for page in PAGES} - {"index.md"}


# Every status, reason and verdict is explained


def rows(section):
    """First cells of the table under a heading of the page of statuses, without backticks."""
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", page("statuses").text, re.M | re.S)[1]
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("section", "members"),
    [
        ("Status of a fit", [status.name.lower() for status in mog_jax.Status]),
        ("Reason for a missing number", [reason.name.lower() for reason in Reason]),
        ("Crossing of a threshold", [crossing.name.lower() for crossing in Crossing]),
        ("Verdicts that fail a cross-check", list(FAILURES)),
        ("Remarks of a cross-check", list(REMARKS)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_member_is_explained_and_nothing_else(section, members):
    assert set(rows(section)) == set(members)
    assert len(rows(section)) == len(members)


@pytest.mark.parametrize("section", re.findall(r"^## (.*)", page("statuses").text, re.M))
def test_every_member_says_what_to_do(section):
    text = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", page("statuses").text, re.M | re.S)[1]
    for line in re.findall(r"^\| `\w+` \|.*", text, re.M):
        _, _, meaning, advice, _ = re.split(r"(?<!\\)\|", line)
        assert meaning.strip().endswith("."), line
        assert advice.strip().endswith("."), line
