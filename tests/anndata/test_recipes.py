"""The guide's recipes for single cells run, and their claims hold for their data."""

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

import mog_jax

pytest.importorskip("anndata", reason="pip install 'mog_jax[anndata]'")

PAGE = Path(mog_jax.__file__).parent / "guide" / "single_cell.md"


def test_recipes_run_one_after_the_other(capsys):
    mpl.use("agg")
    names = {"__name__": "single_cell"}
    for block in re.findall(r"^```py\n(.*?)^```$", PAGE.read_text("utf-8"), re.S | re.M):
        exec(compile(block, str(PAGE), "exec"), names)
    adata, truth = names["adata"], names["has_guide"] & (names["counts"] > 3)
    variances = np.asarray(names["fits"].mixture.variances)
    np.testing.assert_allclose(variances[:, 0], variances[:, 1], rtol=1e-5)
    called = names["is_called"].to_numpy()
    assert (called & truth).sum() / truth.sum() > 0.9
    assert (called & names["has_guide"]).sum() / called.sum() > 0.95
    assert adata.obs["guide"].isin([*names["guides"], "none or several"]).all()
    assert names["is_two"].tolist()[:10] == [True] * 10
    assert np.isfinite(names["values"]).all()
    assert "converged" in capsys.readouterr().out
