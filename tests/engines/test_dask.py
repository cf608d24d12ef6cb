"""Dask gives the answers of a single process, even if a worker fails."""

import numpy as np
import pandas
import pyarrow
import pytest

from mog_jax import dask as mog_dask
from mog_jax.tables import TableError, output_schema, stream
from tests.engines.conftest import fitted_here, in_order, plain_fitter

dask_frame = pytest.importorskip("dask.dataframe")
distributed = pytest.importorskip("distributed")
# Dask's own: sockets that it leaves open, and what is deprecated in it.
pytestmark = [pytest.mark.dask, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def frame(client, rows):
    return dask_frame.from_pandas(rows.to_pandas(), npartitions=4)


def table(fits, rows):
    """The answers as Arrow, with the types of answers that Dask did not fit."""
    schema = output_schema(rows.schema, by="gene")
    return pyarrow.Table.from_pandas(fits.compute(), schema=schema, preserve_index=False)


@pytest.mark.usefixtures("without_fitting")
@pytest.mark.parametrize("partitions", [None, 1, 20])
def test_every_partitioning_gives_the_same_table(frame, rows, partitions):
    fits = mog_dask.fit_groups(frame, by="gene", value="x", partitions=partitions)
    assert in_order(table(fits, rows)) == fitted_here(rows)


def test_a_worker_that_fails_or_is_killed_changes_nothing(frame, rows, monkeypatch, tmp_path):
    marker = tmp_path / "failed"
    monkeypatch.setattr(stream, "fit_groups", plain_fitter("kill", str(marker)))
    fits = table(mog_dask.fit_groups(frame, by="gene", value="x"), rows)
    assert marker.exists()
    monkeypatch.setattr(stream, "fit_groups", plain_fitter())
    assert in_order(fits) == fitted_here(rows)


@pytest.mark.usefixtures("without_fitting")
def test_groups_are_never_split_whatever_names_them(client):
    keys = np.tile([0.0, -0.0, np.nan, 1.0, 2.0], 60)
    rows = pandas.DataFrame({"key": keys, "n": np.arange(300) % 2, "x": np.ones(300)})
    rows["label"] = pandas.Categorical(np.where(rows.n == 0, "even", "odd"))
    frame = dask_frame.from_pandas(rows, npartitions=5)
    fits = mog_dask.fit_groups(frame, by="key", value="x", partitions=4).compute()
    assert sorted(fits.n_points) == [60.0, 60.0, 60.0, 120.0]
    fits = mog_dask.fit_groups(frame, by=["n", "key"], value="x", partitions=4).compute()
    assert sorted(fits.n_points) == [30.0] * 6 + [60.0] * 2
    fits = mog_dask.fit_groups(frame, by="label", value="x").compute()
    assert (fits.dtypes["label"], fits.n_points.tolist()) == ("category", [150.0] * 2)


def test_a_worker_has_one_thread(client):
    from mog_jax.threads import workers

    assert client.submit(workers).result() == 1


def test_wrong_arguments_are_refused_before_any_work(frame, rows):
    with pytest.raises(TableError, match="no column 'genes'; it has gene, x"):
        mog_dask.fit_groups(frame, by="genes", value="x")
    with pytest.raises(TableError, match="column 'gene' should hold numbers; it holds"):
        mog_dask.fit_groups(frame, by="gene", value="gene")
    with pytest.raises(TableError, match="must be a Dask DataFrame; got Table"):
        mog_dask.fit_groups(rows, by="gene", value="x")
