"""Statements about the project are true: places, versions, licences, CI."""

import ast
import dataclasses
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

import mog_jax
from mog_jax import Status
from mog_jax.cli import command_line, fit_arguments, show
from mog_jax.crosscheck.exact import (
    arithmetic,
    control,
    decompositions,
    linear,
    machine,
    reductions,
    sparse,
    structure,
    windows,
)
from mog_jax.crosscheck.exact.interpreter import _RULES
from mog_jax.fitting.climb.directions import DIRECTIONS
from mog_jax.fitting.results.columns import COLUMNS, TEST_COLUMNS
from tests.conftest import HERE, LONGEST
from tests.pages import Page

ROOT = HERE.parent
GITHUB = ROOT / ".github"
CONTRIBUTING = (GITHUB / "CONTRIBUTING.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (GITHUB / "workflows").glob("*.yml")
}


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def in_backticks(text):
    return re.findall(r"`([^`\n]+)`", text)


def paths(text):
    """Paths among what stands in backticks: with a folder, or with an ending that files have."""
    for name in in_backticks(text):
        if re.fullmatch(r"\.?[\w.-]+(/[\w.-]+)+|\.?[\w-]+\.(md|py|toml|yml|yaml)", name):
            yield name


# What the documents name


@pytest.mark.parametrize("document", sorted(GITHUB.rglob("*.md")), ids=lambda path: path.name)
def test_every_path_that_is_named_exists(document):
    named = set(paths(document.read_text(encoding="utf-8"))) - {"mog_jax/jax"}  # in a user's cache
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def places():
    """Every place of the lists of how to add something: the heading, its files, its names."""
    for heading, text in re.findall(
        r"^### (.*?)\n(.*?)(?=^##)", CONTRIBUTING, re.MULTILINE | re.DOTALL
    ):
        for place in re.findall(r"^- (.*?)(?=^- |^\S|^$)", text, re.MULTILINE | re.DOTALL):
            files = list(paths(place))
            names = [name for name in in_backticks(place) if re.fullmatch(r"\w+", name)]
            yield pytest.param(files, names, id=f"{heading}-{files[0]}")


@pytest.mark.parametrize(("files", "names"), list(places()))
def test_every_name_in_a_list_of_places_stands_in_its_files(files, names):
    text = "".join(map(read, files))
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


def test_there_are_lists_for_all_that_is_often_added():
    headings = re.findall(r"^### (.*)", CONTRIBUTING, re.MULTILINE)
    assert headings == [
        "a direction",
        "an option of a fit",
        "a primitive to exact evaluation",
        "a hand-written gradient",
        "a status",
        "a column of the answer",
    ]
    assert len(list(places())) > 15


def test_the_command_line_offers_every_direction():
    parser = command_line._parser()
    for direction in DIRECTIONS:
        assert parser.parse_args(["fit", "x.csv", "--direction", direction]).direction == direction
    with pytest.raises(SystemExit):
        parser.parse_args(["fit", "x.csv", "--direction", "none of them"])


@pytest.mark.parametrize(
    "table",
    [
        arithmetic,
        control,
        decompositions,
        linear,
        machine,
        reductions,
        sparse,
        structure,
        windows,
    ],
    ids=lambda table: table.__name__,
)
def test_every_table_of_primitives_is_looked_into_and_in_the_list(table):
    assert table.RULES.keys() <= _RULES.keys()
    assert f"{table.__name__.replace('.', '/')}.py" in CONTRIBUTING


def test_what_the_command_line_counts_as_a_maximum_has_converged():
    fit = mog_jax.fit(mog_jax.datasets.faithful())
    converged = [
        status for status in Status if dataclasses.replace(fit, status=np.int32(status)).converged
    ]
    assert [status.name.lower() for status in converged] == [*show.AT_MAXIMUM]


def test_the_help_of_fit_has_every_column():
    shown = set(re.findall(r"\w+", fit_arguments._EPILOG))
    columns = {column.name for column in COLUMNS + TEST_COLUMNS}
    # "mean_1_se ... sd_2_se" stands for those between them.
    assert columns - shown == {"mean_2_se", "sd_1_se"}


@pytest.mark.parametrize("status", Status)
def test_every_status_has_its_sentence(status):
    assert len(status.message) > 10


def test_set_up_is_that_of_readme():
    (command,) = re.findall(r"^python3 -m venv.*", CONTRIBUTING, re.MULTILINE)
    assert command in read("README.md").splitlines()


# Versions and licences


def test_the_version_is_the_same_everywhere():
    changelog = read("mog_jax/CHANGELOG.md")
    assert re.search(r"^## (\S+)", changelog, re.MULTILINE)[1] == PROJECT["version"]
    assert re.search(r"version = \{(.*)\}", read("README.md"))[1] == PROJECT["version"]


def test_licences_that_are_named_are_there_and_those_that_are_there_are_named():
    named = {path for pattern in PROJECT["license-files"] for path in ROOT.glob(pattern)}
    found = {ROOT / "LICENSE", *(ROOT / "mog_jax").rglob("LICENSE*")}
    assert named == found
    for pattern in PROJECT["license-files"]:
        assert list(ROOT.glob(pattern)), pattern


def test_the_licence_expression_has_the_licences_of_what_is_shipped():
    shipped = {"MIT", *re.findall(r"\| (\w+) \|$", read("mog_jax/report/vendor/README.md"), re.M)}
    shipped -= {"licence"}
    assert set(PROJECT["license"].split(" AND ")) == shipped


def test_vendored_files_have_a_licence_each():
    folder = ROOT / "mog_jax" / "report" / "vendor"
    scripts = {path.name.split(".")[0] for path in folder.glob("*.js")}
    assert {path.suffix[1:] for path in folder.glob("LICENSE.*")} == scripts


# Continuous integration


def test_workflows_and_templates_are_valid_yaml_and_say_what_they_are():
    assert WORKFLOWS.keys() == {"ci", "docs", "release"}
    for workflow in WORKFLOWS.values():
        # YAML 1.1 reads the key `on` as true.
        assert workflow.keys() >= {"name", True, "permissions", "jobs"}
        assert workflow["permissions"] == {"contents": "read"}
    for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml"):
        template = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.stem == "config":
            continue
        assert template.keys() >= {"name", "description", "body"}, path
        identifiers = [field["id"] for field in template["body"]]
        assert len(identifiers) == len(set(identifiers))
        assert all(field["attributes"]["label"] for field in template["body"])


def steps(job):
    return "\n".join(step.get("run", "") for step in job["steps"])


def test_ci_runs_the_one_command_on_every_python_that_is_promised():
    job = WORKFLOWS["ci"]["jobs"]["test"]
    assert ".ci/run" in steps(job)
    matrix = job["strategy"]["matrix"]
    promised = [
        name.rpartition(" ")[2]
        for name in PROJECT["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", name)
    ]
    assert matrix["python"] == promised
    assert PROJECT["requires-python"] == f">={promised[0]}"
    # The oldest dependencies with the oldest Python: later ones have no wheels of them.
    assert matrix["include"] == [{"python": promised[0], "dependencies": "oldest"}]
    assert ".ci/lowest" in steps(job)


def test_a_release_is_tested_checked_and_published_without_a_token():
    jobs = WORKFLOWS["release"]["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/ci.yml"
    assert (ROOT / jobs["test"]["uses"]).is_file()
    needs = {name: job.get("needs") for name, job in jobs.items()}
    assert needs == {"test": None, "build": "test", "wheel": "build", "publish": "wheel"}
    assert ".ci/build dist" in steps(jobs["build"])
    assert "twine check --strict" in read(".ci/build")
    promised = WORKFLOWS["ci"]["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert jobs["wheel"]["strategy"]["matrix"]["python"] == promised
    assert ".ci/try-wheel dist" in steps(jobs["wheel"])
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text(encoding="utf-8")


def test_the_site_is_built_by_the_documented_command_and_a_warning_is_an_error():
    built = steps(WORKFLOWS["docs"]["jobs"]["site"])
    command = "sphinx-build -W --keep-going .docs .docs/_site"
    assert command in built
    assert command in CONTRIBUTING
    assert "pip install '.[docs]'" in built
    assert "docs" in PROJECT["optional-dependencies"]


def test_links_of_readme_are_absolute_in_a_release(tmp_path):
    assert ".ci/absolute-links README.md" in steps(WORKFLOWS["release"]["jobs"]["build"])
    page = Page(ROOT / "README.md")
    copy = tmp_path / "README.md"
    copy.write_text(page.text, encoding="utf-8")
    here = "https://example.org/owner/name"
    subprocess.run([sys.executable, ROOT / ".ci/absolute-links", copy, here, "v1"], check=True)
    relative, absolute = page.links(), Page(copy).links()
    assert len(absolute) == len(relative) > 10
    for before, after in zip(relative, absolute, strict=True):
        kind = "raw" if before.endswith(".png") else "blob"
        assert after == (before if "://" in before else f"{here}/{kind}/v1/{before}")
    assert Page(copy).blocks() == page.blocks()


def test_the_wheel_is_tried_with_tests_that_exist():
    tests = re.findall(r"\btests/[\w/.]+", read(".ci/try-wheel"))
    assert len(tests) > 5
    assert [name for name in tests if not (ROOT / name).exists()] == []


def test_the_lowest_versions_are_those_of_pyproject():
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "lowest"], capture_output=True, text=True, check=True
    )
    lowest = dict(line.split("==") for line in done.stdout.splitlines())
    for requirement in PROJECT["dependencies"]:
        name, bound = requirement.split(">=")
        assert lowest[name] == bound
    assert {"jax", "numpy", "duckdb", "matplotlib"} <= lowest.keys()


def test_hooks_before_a_commit_run_what_ci_runs():
    (local,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert local["repo"] == "local"
    ci = read(".ci/run")
    for hook in local["hooks"]:
        tool = re.match(r"\.venv/bin/\w+(?: check| format)?", hook["entry"])[0]
        assert tool in ci


# The suite itself


def test_the_longest_files_exist():
    assert [name for name in LONGEST if not (HERE / name).is_file()] == []
    assert len(LONGEST) == len(set(LONGEST))


def test_the_planted_cases_wait_to_be_asked_for():
    options = PYPROJECT["tool"]["pytest"]["ini_options"]
    assert options["addopts"][-2:] == ["-m", "not planted"]
    assert 'tests+=" -m="' in read(".ci/run")
    for path in ("benchmarks", "tests/benchmarks", "mog_jax/crosscheck"):
        assert path in read(".ci/run")
        assert Path(ROOT / path).is_dir()


# What compiles, for seconds.
SLOW = {"ascent_path", "bootstrap_test", "compare", "crosscheck", "crosscheck_rule", "fit"}
SLOW |= {"fit_table", "local_maximum", "profile_interval"}


def called_at_import(node):
    """Names of the functions that a module calls when it is imported."""
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, ast.Call):
        yield ast.unparse(node.func).rpartition(".")[2]
    inner = node.decorator_list if isinstance(node, ast.FunctionDef) else ast.iter_child_nodes(node)
    for child in inner:
        yield from called_at_import(child)


def test_nothing_is_fitted_or_checked_while_tests_are_collected():
    called = {
        str(path.relative_to(HERE)): SLOW.intersection(
            called_at_import(ast.parse(path.read_text(encoding="utf-8")))
        )
        for path in HERE.rglob("*.py")
    }
    assert {path: names for path, names in called.items() if names} == {}
