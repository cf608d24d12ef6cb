"""All commands and code blocks of README run, and its examples answer a first user's questions."""

import numpy as np
import pytest

from tests.pages import ROOT, Page

README = Page(ROOT / "README.md")
SET_UP = [command for command in README.commands() if "-m venv" in command]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The output of README's blocks, and the names that they define."""
    return README.run(tmp_path_factory.mktemp("readme"))


def test_blocks_run_and_show_what_they_print(ran):
    printed, _ = ran
    assert "200 converged" in printed


# What somebody who knows scikit-learn asks, of the matrix that README makes: 300 cells, 200 genes,
# of which the first 120 have two components, 0 and 4, of sd 1, the upper one with weight 0.4.


def test_the_threshold_of_each_of_200_genes_and_its_error(ran):
    _, names = ran
    threshold = names["threshold"]
    assert threshold.value.shape == threshold.standard_error.shape == (200,)
    right = 2 + np.log(0.6 / 0.4) / 4
    score = (threshold.value[:120] - right) / threshold.standard_error[:120]
    assert np.isfinite(score).all()
    assert 0.8 < score.std() < 1.2
    assert np.mean(np.abs(score) < 1.96) > 0.9


def test_the_posterior_of_each_cell(ran):
    _, names = ran
    posterior, is_on = names["posterior"], names["is_on"]
    assert posterior.shape == names["X"].shape == (300, 200)
    assert ((posterior >= 0) & (posterior <= 1)).all()
    assert np.mean((posterior > 0.5)[:, :120] == is_on[:, :120]) > 0.97


def test_the_genes_that_are_bimodal_at_a_false_discovery_rate(ran):
    _, names = ran
    is_bimodal = names["is_bimodal"]
    assert is_bimodal[:120].all()
    # 5 % of some 126 calls, and three standard deviations more.
    assert is_bimodal[120:].sum() <= 14


@pytest.mark.parametrize(
    "word", ["threshold", "standard error", "posterior", "false discovery rate", "scikit-learn"]
)
def test_the_first_quick_start_has_the_words_that_are_looked_for(word):
    text = README.text.lower()
    assert word in text[: text.index("## a table from the shell")]


def test_set_up_commands_are_two_and_ci_and_the_tests_do_what_they_say():
    main_job, tests = SET_UP
    create, install, check, fit = main_job.split(" && ")
    assert (create, install) == ("python3 -m venv .venv", ".venv/bin/pip install '.[all]'")
    # In a fresh clone CI runs the second as it stands, and this of the first.
    assert check == ".venv/bin/mog-jax check"
    assert check in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    # Its output is shown, and held to that.
    assert README.blocks("console")[0].text.startswith(f"$ {fit.removeprefix('.venv/bin/')}\n")
    assert tests.split(" && ")[0] == create
    assert tests.endswith(" && .venv/bin/pytest")
