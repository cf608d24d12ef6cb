"""An AnnData object: its fits equal those of its columns, and are stored in it."""

import types

import numpy as np
import pytest
import scipy.sparse

import mog_jax
import mog_jax.anndata

anndata = pytest.importorskip("anndata", reason="pip install 'mog_jax[anndata]'")
pandas = pytest.importorskip("pandas")

N_CELLS, N_GENES = 300, 4
KINDS = {
    "dense": np.asarray,
    "float32": lambda matrix: matrix.astype(np.float32),
    "csr": scipy.sparse.csr_matrix,
    "csc": scipy.sparse.csc_matrix,
    "csr array": scipy.sparse.csr_array,
}


def counts_of(seed=0):
    rng = np.random.default_rng(seed)
    shape = (N_CELLS, N_GENES)
    background = rng.poisson(3, shape) * (rng.random(shape) < 0.5)
    return np.where(rng.random(shape) < 0.3, 20.0 + rng.poisson(20, shape), background)


def cells_of(matrix):
    obs = pandas.DataFrame(
        {"donor": pandas.Categorical(["b", "a", None] * (N_CELLS // 3), ["a", "b", "c"])},
        index=[f"cell{i}" for i in range(N_CELLS)],
    )
    var = pandas.DataFrame(index=[f"gene{i}" for i in range(N_GENES)])
    adata = anndata.AnnData(matrix, obs=obs, var=var)
    adata.obsm["protein"] = pandas.DataFrame(
        counts_of(1)[:, :2], index=obs.index, columns=["CD4", "CD8"]
    )
    return adata


def columns(matrix, zeros):
    dense = matrix.toarray() if scipy.sparse.issparse(matrix) else matrix
    return [column[column != 0] if zeros == "drop" else column for column in dense.T]


def dense(posterior):
    return posterior.toarray() if scipy.sparse.issparse(posterior) else posterior


def same(left, right):
    np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("zeros", ["keep", "drop"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_fit_of_each_column(kind, zeros):
    adata = cells_of(KINDS[kind](counts_of()))
    fits = mog_jax.anndata.fit(adata, zeros=zeros)
    direct = mog_jax.fit(columns(adata.X, zeros))
    same(fits.mixture.means, direct.mixture.means)
    assert fits["gene2"].names == "gene2"
    same(adata.var["mixture_threshold"], direct.threshold().value)
    assert adata.var["mixture_status"].tolist() == ["converged"] * N_GENES
    mog_jax.anndata.posterior(adata)
    upper = dense(adata.layers["mixture_posterior"])
    assert scipy.sparse.issparse(adata.layers["mixture_posterior"]) == (zeros == "drop")
    for place, column in enumerate(columns(adata.X, "keep")):
        expected = np.asarray(fits[place].responsibilities(column))[:, 1]
        if zeros == "drop":
            expected = np.where(column == 0, 0, expected)
        same(upper[:, place], expected)


@pytest.mark.parametrize("kind", ["dense", "csr"])
@pytest.mark.parametrize("zeros", ["keep", "drop"])
def test_groups_of_cells_are_fitted_apart(kind, zeros):
    adata = cells_of(KINDS[kind](counts_of()))
    by_donor = mog_jax.anndata.fit(adata, by="donor", zeros=zeros, key="k")
    mog_jax.anndata.posterior(adata, key="k", monotone=True)
    assert [*by_donor] == ["a", "b"]
    upper = dense(adata.layers["k_posterior"])
    for donor, fits in by_donor.items():
        cells = (adata.obs["donor"] == donor).to_numpy()
        values = columns(adata.X[cells], zeros)
        same(fits.mixture.means, mog_jax.fit(values).mixture.means)
        assert adata.varm[f"k_{donor}"].loc["gene1", "mean_2"] == fits["gene1"].mixture.means[1]
        expected = np.asarray(fits["gene1"].responsibilities(values[1], monotone=True))[:, 1]
        here = adata.X[cells][:, [1]]
        here = here.toarray() if scipy.sparse.issparse(here) else here
        shown = upper[cells, 1] if zeros == "keep" else upper[cells, 1][here[:, 0] != 0]
        same(shown, expected)
    nobody = upper[adata.obs["donor"].isna().to_numpy()]
    assert (np.isnan(nobody) if zeros == "keep" else nobody == 0).all()


def test_proteins_in_obsm_and_a_layer():
    adata = cells_of(counts_of())
    adata.layers["other"] = counts_of(2)
    proteins = mog_jax.anndata.fit(adata, obsm="protein", key="protein")
    assert proteins.names.tolist() == ["CD4", "CD8"]
    frame = adata.uns["protein"]["fits"]["all"]
    assert frame.loc["CD8", "mean_1"] == proteins["CD8"].mixture.means[0]
    mog_jax.anndata.posterior(adata, key="protein")
    assert adata.obsm["protein_posterior"].shape == (N_CELLS, 2)
    other = mog_jax.anndata.fit(adata, layer="other", equal_variances=True)
    assert other.equal_variances
    assert adata.uns["mixture"]["layer"] == "other"
    mog_jax.anndata.fit(adata, obsm="protein", by="donor", key="protein")
    assert {*adata.uns["protein"]["fits"]} == {"a", "b"}


def test_the_answers_go_with_the_file(tmp_path):
    adata = cells_of(scipy.sparse.csr_matrix(counts_of()))
    for key, chosen in {
        "all": {},
        "counts": {"zeros": "drop"},
        "each": {"by": "donor"},
        "protein": {"obsm": "protein", "by": "donor"},
    }.items():
        mog_jax.anndata.fit(adata, key=key, **chosen)
        mog_jax.anndata.posterior(adata, key=key)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    for key in ("all", "counts", "each", "protein"):
        there = "obsm" if key == "protein" else "layers"
        before = dense(getattr(adata, there)[f"{key}_posterior"])
        mog_jax.anndata.posterior(read, key=key)
        np.testing.assert_array_equal(dense(getattr(read, there)[f"{key}_posterior"]), before)
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    fits = mog_jax.anndata.fit(backed, key="backed")
    same(fits.mixture.means, mog_jax.fit(columns(adata.X, "keep")).mixture.means)
    backed.file.close()


def test_what_was_there_under_the_key_goes():
    adata = cells_of(counts_of())
    mog_jax.anndata.fit(adata, by="donor")
    assert {*adata.varm} == {"mixture_a", "mixture_b"}
    mog_jax.anndata.fit(adata)
    assert not [*adata.varm]
    assert "mixture_mean_1" in adata.var
    mog_jax.anndata.fit(adata, obsm="protein")
    assert "mixture_mean_1" not in adata.var


def test_genes_of_one_name_and_genes_without_a_fit():
    matrix = counts_of()
    matrix[:, 3] = 0
    adata = cells_of(scipy.sparse.csr_matrix(matrix))
    adata.var_names = ["x", "x", "y", "z"]
    mog_jax.anndata.fit(adata, zeros="drop")
    assert adata.var["mixture_status"].tolist()[2:] == ["converged", "too_few_points"]
    assert adata.var["mixture_mean_1"].isna().tolist() == [False, False, False, True]
    mog_jax.anndata.posterior(adata)
    assert adata.layers["mixture_posterior"].shape == matrix.shape


def test_what_cannot_be_used_is_named():
    adata = cells_of(counts_of())
    fit, posterior = mog_jax.anndata.fit, mog_jax.anndata.posterior
    for arguments, message in [
        ({"layer": "raw"}, "`layer` must be one of adata.layers; got 'raw'; there are: none"),
        ({"obsm": "proteins"}, "`obsm` must be one of adata.obsm; .* did you mean 'protein'"),
        ({"by": "donour"}, "`by` must be a column of adata.obs; .* did you mean 'donor'"),
        ({"layer": "raw", "obsm": "protein"}, "give `layer` or `obsm`, not both"),
        ({"zeros": "no"}, "`zeros` must be 'keep' or 'drop'; got 'no'"),
        ({"key": "a/b"}, "`key` must be a text without '/'; got 'a/b'"),
        ({"starts": "slow"}, "`starts` must be"),
    ]:
        with pytest.raises(ValueError, match=message):
            fit(adata, **arguments)
    adata.obs["type"] = ["CD4/CD8"] * N_CELLS
    with pytest.raises(ValueError, match=r"a group is called 'CD4/CD8', .* rename it"):
        fit(adata, by="type")
    adata.obs["type"] = None
    with pytest.raises(ValueError, match="'type' is missing for all cells"):
        fit(adata, by="type")
    with pytest.raises(ValueError, match=r"no fits under 'mixture': call mog_jax\.anndata\.fit"):
        posterior(adata)
    with pytest.raises(ValueError, match="`adata` must be an AnnData object; got ndarray"):
        fit(counts_of())
    with pytest.raises(ValueError, match=r"got MuData: give a modality, as mdata\['prot'\]"):
        fit(types.SimpleNamespace(mod={}))
    with pytest.raises(ValueError, match=r"adata\.X is empty; name a `layer`"):
        fit(anndata.AnnData(obs=adata.obs))
