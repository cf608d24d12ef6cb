"""Ray Data gives the answers of a single process, even if a worker fails."""

import numpy as np
import pandas
import pyarrow
import pytest

from mog_jax import ray as mog_ray
from mog_jax.tables import TableError, output_schema, stream
from mog_jax.tables.stream import StreamFitter
from tests.engines.conftest import fitted_here, in_order, plain_fitter

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")
# Ray's own: files and sockets that it leaves open, and what is deprecated in it.
pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def dataset(rows):
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    thirds = [rows.slice(begin, 160) for begin in range(0, rows.num_rows, 160)]
    yield ray.data.from_arrow(thirds)
    ray.shutdown()


def table(fits):
    return pyarrow.concat_tables(ray.get(fits.to_arrow_refs()), promote_options="permissive")


@pytest.mark.usefixtures("without_fitting")
def test_the_same_table(dataset, rows):
    fits = table(mog_ray.fit_groups(dataset, by="gene", value="x"))
    assert in_order(fits) == fitted_here(rows)
    assert fits.schema.names == output_schema(rows.schema, by="gene").names


@pytest.mark.usefixtures("without_fitting")
def test_map_groups_and_map_batches_give_the_same_table(dataset, rows):
    fit = StreamFitter.checked(
        by="gene", value="x", count=None, fixed=None, options={}, function="fit_batches"
    )
    each = dataset.groupby("gene").map_groups(
        lambda rows: pyarrow.Table.from_batches(fit(rows)), batch_format="pyarrow"
    )
    assert in_order(table(each)) == fitted_here(rows)
    blocks = dataset.sort("gene").map_batches(
        lambda rows: pyarrow.Table.from_batches(fit(rows)), batch_size=None, batch_format="pyarrow"
    )
    assert in_order(table(blocks)) == fitted_here(rows)


def test_a_worker_that_is_killed_changes_nothing(dataset, rows, monkeypatch, tmp_path):
    marker = tmp_path / "failed"
    monkeypatch.setattr(stream, "fit_groups", plain_fitter("kill", str(marker)))
    fits = table(mog_ray.fit_groups(dataset, by="gene", value="x"))
    assert marker.exists()
    monkeypatch.setattr(stream, "fit_groups", plain_fitter())
    assert in_order(fits) == fitted_here(rows)


@pytest.mark.usefixtures("without_fitting")
def test_groups_are_never_split_whatever_names_them(dataset):
    keys = np.tile([0.0, -0.0, np.nan, 1.0, 2.0], 60)
    parts = [
        pyarrow.table({"key": part, "n": np.arange(len(part)) % 2, "x": np.ones(len(part))})
        for part in np.split(keys, 5)
    ]
    fits = table(mog_ray.fit_groups(ray.data.from_arrow(parts), by="key", value="x"))
    assert sorted(fits["n_points"].to_pylist()) == [60.0, 60.0, 60.0, 120.0]
    fits = table(mog_ray.fit_groups(ray.data.from_arrow(parts), by=["n", "key"], value="x"))
    assert sorted(fits["n_points"].to_pylist()) == [30.0] * 6 + [60.0] * 2


def test_a_worker_has_one_thread(dataset):
    def threads(batch):
        from mog_jax.threads import workers

        return {"n": np.array([workers()])}

    assert {row["n"] for row in dataset.map_batches(threads).take_all()} == {1}


def test_wrong_arguments_are_refused_before_any_work(dataset, rows):
    with pytest.raises(TableError, match="no column 'genes'; it has gene, x"):
        mog_ray.fit_groups(dataset, by="genes", value="x")
    with pytest.raises(TableError, match="column 'gene' should hold numbers; it holds string"):
        mog_ray.fit_groups(dataset, by="gene", value="gene")
    labels = pandas.DataFrame({"gene": pandas.Categorical(["a", "b"]), "x": [0.0, 1.0]})
    for labelled in (
        ray.data.from_pandas(labels),
        ray.data.from_arrow(pyarrow.Table.from_pandas(labels)),
    ):
        with pytest.raises(TableError, match=r"cannot sort by column 'gene', a .*; decode it"):
            mog_ray.fit_groups(labelled, by="gene", value="x")
    with pytest.raises(TableError, match=r"must be a ray\.data\.Dataset; got Table"):
        mog_ray.fit_groups(rows, by="gene", value="x")
