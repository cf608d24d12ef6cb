"""R reads the answers with the right types."""

import shutil
import subprocess

import pyarrow
import pyarrow.parquet
import pytest

from mog_jax.tables import fit_table
from mog_jax.tables.schema import ANSWERS

GENES = ["a,b", "NA", 'quo"te', "é", "constant", "infinite"]
KINDS = {"double": "numeric", "int64": "integer", "string": "character"}


@pytest.fixture(scope="module")
def table():
    rows = [(gene, float(i % 7 + 40 * (i % 2))) for gene in GENES[:4] for i in range(40)]
    rows += [("constant", 1.0)] * 20 + [("infinite", x) for x in (1.0, 2.0, float("inf"))]
    genes, values = zip(*rows, strict=True)
    return pyarrow.table({"gene": genes, "x": values})


def test_a_csv_read_by_r(table, tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("no R on this machine (Debian: apt install r-base-core)")
    fits = fit_table(table, by="gene", value="x", out=tmp_path / "fits.csv")
    program = (
        'f <- read.csv(commandArgs(TRUE), na.strings = "", encoding = "UTF-8");'
        'cat(f$gene, sep = "\\n"); cat(sapply(f, class), sep = "\\n");'
        "cat(sum(is.na(f$mean_1)), is.na(f$threshold_reason[1]), f$mean_2[1], sep = '\\n')"
    )
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", program, str(tmp_path / "fits.csv")],
        capture_output=True,
        encoding="utf-8",
        check=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    names = [name for name in fits.column_names if name != "histogram"]
    lines = done.stdout.splitlines()
    assert lines[: len(GENES)] == fits["gene"].to_pylist()
    kinds = {name: KINDS[str(fits[name].type)] for name in names}
    found = dict(zip(names, lines[len(GENES) :], strict=False))
    assert found == kinds
    assert lines[-3:-1] == ["2", "TRUE"]
    assert float(lines[-1]) == pytest.approx(fits["mean_2"][0].as_py(), rel=1e-6)


def test_a_parquet_file_has_columns_of_the_plainest_types(table, tmp_path):
    fit_table(table, by="gene", value="x", out=tmp_path / "fits.parquet")
    schema = pyarrow.parquet.read_schema(tmp_path / "fits.parquet")
    assert schema.field("gene").type == pyarrow.string()
    for field in ANSWERS:
        if field.name != "histogram":
            assert str(schema.field(field.name).type) in KINDS
