"""Without its engine a module can be imported; its use raises, saying what to install."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("engine", "package"), [("spark", "pyspark"), ("ray", "ray.data"), ("dask", "dask.dataframe")]
)
def test_an_engine_that_is_not_installed_is_named_with_its_extra(engine, package, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == package.split(".")[0]]:
        monkeypatch.delitem(sys.modules, name)
    for name in (package.split(".")[0], package):
        monkeypatch.setitem(sys.modules, name, None)
    module = importlib.import_module(f"mog_jax.{engine}")
    with pytest.raises(ImportError, match=rf"pip install 'mog_jax\[{engine}\]'"):
        module.fit_groups(None, by="gene", value="x")
