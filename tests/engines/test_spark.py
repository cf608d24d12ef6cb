"""Spark gives the answers of a single process, even if its workers fail."""

import datetime
import decimal
import os
import shutil
import sys

import pyarrow
import pytest

from mog_jax import spark as mog_spark
from mog_jax.tables import TableError, output_schema
from mog_jax.tables.schema import ANSWERS
from tests.engines.conftest import fitted_here, in_order
from tests.pages import GUIDE, Page

pyspark = pytest.importorskip("pyspark")
DAY, NOON = datetime.date(2026, 1, 1), datetime.datetime(2026, 1, 1, 12)
pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(
        not (shutil.which("java") or os.environ.get("JAVA_HOME")), reason="Spark needs Java"
    ),
    # Spark's own, about what none of this uses.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    # It starts Java by a fork, from a process in which JAX has threads.
    pytest.mark.filterwarnings(r"ignore:os\.fork:RuntimeWarning"),
]


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Two tasks at a time, each tried three times.
    session = (
        SparkSession.builder.master("local[2,3]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "3")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="module")
def frame(spark, rows):
    pairs = [(row["gene"], row["x"]) for row in rows.to_pylist()]
    return spark.createDataFrame(pairs, "gene string, x double").repartition(4).cache()


@pytest.mark.usefixtures("without_fitting")
@pytest.mark.parametrize("partitions", [None, 1, 5])
def test_every_partitioning_gives_the_same_table(frame, rows, partitions):
    fits = mog_spark.fit_groups(frame, by="gene", value="x", partitions=partitions)
    assert in_order(fits.toArrow()) == fitted_here(rows)


def in_spark(schema):
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def fitter():
    """`fit_batches` of the rows of this file, as a function that Spark sends to its workers."""
    from mog_jax.tables.stream import StreamFitter

    return StreamFitter.checked(
        by="gene", value="x", count=None, fixed=None, options={}, function="fit_batches"
    )


@pytest.mark.usefixtures("without_fitting")
def test_map_in_arrow_and_apply_in_arrow_give_the_same_table(frame, rows):
    fit, schema = fitter(), in_spark(output_schema(rows.schema, by="gene"))
    grouped = frame.repartition("gene").sortWithinPartitions("gene")
    assert in_order(grouped.mapInArrow(lambda batches: fit(batches), schema).toArrow()) == (
        fitted_here(rows)
    )
    each = frame.groupBy("gene").applyInArrow(
        lambda rows: pyarrow.Table.from_batches(fit(rows)), schema
    )
    assert in_order(each.toArrow()) == fitted_here(rows)


def test_a_worker_that_fails_or_is_killed_changes_nothing(frame, rows, fails_once, monkeypatch):
    fits = in_order(mog_spark.fit_groups(frame, by="gene", value="x").toArrow())
    monkeypatch.undo()
    from mog_jax.tables import stream
    from tests.engines.conftest import plain_fitter

    monkeypatch.setattr(stream, "fit_groups", plain_fitter())
    assert fits == fitted_here(rows)


def test_a_fit_has_the_bits_that_it_has_here(frame, rows):
    fits = mog_spark.fit_groups(frame, by="gene", value="x", partitions=1)
    assert in_order(fits.toArrow()) == fitted_here(rows)


def test_a_fit_has_the_same_bits_in_other_company(frame, rows):
    fits = mog_spark.fit_groups(frame, by="gene", value="x", partitions=3)
    assert in_order(fits.toArrow()) == fitted_here(rows)


def test_what_the_guide_writes_runs(frame):
    blocks = [block.text for block in Page(GUIDE / "scale.md").blocks("py")]
    some = frame.where("gene IN ('gene_1', 'gene_2')").withColumnRenamed("x", "expression")
    namespace = {"cells": some}
    for block in blocks:
        exec(compile(block, "scale.md", "exec"), namespace)
    for fits in (namespace["fits"], namespace["by_hand"]):
        table = fits.toArrow().sort_by("gene")
        assert table["gene"].to_pylist() == ["gene_1", "gene_2"]
        assert table["status"].to_pylist() == ["converged"] * 2


def test_a_worker_has_one_thread(spark):
    def threads(batches):
        from mog_jax.threads import workers

        for batch in batches:
            yield pyarrow.record_batch({"n": [workers()] * batch.num_rows})

    assert spark.range(1).mapInArrow(threads, "n long").toArrow()["n"].to_pylist() == [1]


@pytest.mark.usefixtures("without_fitting")
def test_groups_are_never_split_whatever_names_them(spark):
    keys = [
        (None, None, 0.0, None, None, None, None, None),
        ("a", 1, -0.0, decimal.Decimal("1.50"), True, DAY, NOON, ("u", 1)),
        ("a", 1, float("nan"), decimal.Decimal("1.50"), True, DAY, NOON, ("u", 2)),
    ]
    schema = (
        "text string, whole int, number double, price decimal(6,2), yes boolean, day date, "
        "noon timestamp, pair struct<u: string, v: int>, x double"
    )
    pairs = [(*key, float(index)) for index in range(30) for key in keys]
    frame = spark.createDataFrame(pairs, schema).repartition(4)
    names = [name for name in frame.columns if name != "x"]
    # A column that is not used may be of a type that does not go into Arrow.
    frame = frame.selectExpr("*", "make_ym_interval(whole) AS other")
    fits = mog_spark.fit_groups(frame, by=names, value="x").toArrow()
    assert fits["n_points"].to_pylist() == [30.0] * 3
    assert fits.column_names == [*names, *ANSWERS.names]
    wanted = frame.select(names).distinct().toArrow()
    # Where Spark tells groups apart it makes one zero of the two.
    found = repr(in_order(fits.select(names))).replace("-0.0", "0.0")
    assert found == repr(in_order(wanted))
    alone = mog_spark.fit_groups(frame, by="number", value="x").toArrow()
    # 0.0 and -0.0 are one number.
    assert sorted(alone["n_points"].to_pylist()) == [30.0, 60.0]


@pytest.mark.usefixtures("without_fitting")
def test_no_rows_give_no_fits(frame):
    fits = mog_spark.fit_groups(frame.where("false"), by="gene", value="x").toArrow()
    assert fits.num_rows == 0
    assert fits.column_names[:2] == ["gene", "weight_1"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"by": "genes"}, "no column 'genes'; it has gene, x; did you mean 'gene'"),
        ({"by": []}, "`by` must name at least one column"),
        ({"value": "gene"}, "column 'gene' should hold numbers; it holds string"),
        ({"toleranse": 1}, "did you mean"),
        ({"partitions": 0}, "`partitions` must be"),
    ],
)
def test_wrong_arguments_are_refused_before_any_work(frame, arguments, why):
    with pytest.raises(ValueError, match=why):
        mog_spark.fit_groups(frame, **{"by": "gene", "value": "x"} | arguments)


def test_a_name_that_spark_itself_refuses_is_refused(frame):
    with pytest.raises(TableError, match=r"called 'a\.b' to Python; rename it"):
        mog_spark.fit_groups(frame.withColumnRenamed("gene", "a.b"), by="a.b", value="x")


def test_another_frame_is_refused(rows):
    with pytest.raises(TableError, match="`frame` must be a Spark DataFrame; got Table"):
        mog_spark.fit_groups(rows, by="gene", value="x")
