"""Strict settings for all tests: explicit promotion, warnings as errors, reproducible examples."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).parent

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def _compiled_programs() -> Path:
    """Folder of JAX's compilation cache: the user's, so that all checkouts and clones share it.

    If there is no home, or it cannot be written, the folder is in this checkout: JAX warns of a
    folder that it cannot write, and a warning fails a test.
    """
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = home / "mog_jax" / "tests"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):
        pass
    return HERE.parent / ".pytest_cache" / "jax"


# Workers load what another one has compiled, and so do the processes that tests start and the
# next run. Cross-checks compile the same small programs in many tests, some in a hundredth of a
# second, of which loading takes a part.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_compiled_programs()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.02")
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
jax.config.update(
    "jax_persistent_cache_min_compile_time_secs",
    float(os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"]),
)

# Tests leave nothing in the package's own cache; and a program in which a test has replaced a
# function must not be found there by the next one.
os.environ.setdefault("MOG_JAX_CACHE", "off")

# `deadline` is off because a first call compiles; derandomised so that CI is deterministic.
_COMMON = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("ci", max_examples=60, derandomize=True, database=None, **_COMMON)
settings.register_profile("nightly", max_examples=2_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# The files that take longest, longest first: a worker that begins one of them late works alone
# while the others wait. `pytest --durations=0` says how long each test takes.
LONGEST = (
    "benchmarks/test_mutants.py",
    "crosscheck/test_verdicts.py",
    "crosscheck/test_crosscheck.py",
    "test_guide.py",
    "engines/test_spark.py",
    "crosscheck/test_linear_algebra.py",
    "test_gradients.py",
    "report/test_report.py",
    "test_program_cache.py",
    "crosscheck/mutation/test_score.py",
    "crosscheck/exact/test_structure.py",
    "fitting/test_local_maximum.py",
    "crosscheck/test_arguments.py",
    "test_array_like.py",
    "streams/test_fit_chunks.py",
    "test_plots.py",
    "crosscheck/test_pytest_plugin.py",
    "crosscheck/judge/test_conditioning.py",
    "tables/test_run.py",
    "crosscheck/exact/test_machine.py",
    "test_readme.py",
    "test_devices.py",
    "test_cli.py",
    "crosscheck/judge/test_memory.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first. xdist hands files out in this order: --no-loadscope-reorder."""
    rank = {HERE / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_collection_finish() -> None:
    """Exclude the collected tests and imported modules from garbage collection.

    They live to the end. Tracing a program creates hundreds of thousands of objects: with Python's
    own thresholds a tenth of the suite's processor time is garbage collection that finds little.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, *gc.get_threshold()[1:])


# In bytes. A worker that never clears its programs takes many gigabytes by the last file.
_MUCH = 3e9


@pytest.fixture(autouse=True, scope="module")
def _programs_are_let_go() -> Iterator[None]:
    """Clear the compiled programs if they fill the memory; else the next file may use them."""
    yield
    if _resident_bytes() > _MUCH:
        jax.clear_caches()


def _resident_bytes() -> float:
    """Memory of this process in bytes; infinite if the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return float("inf")
    return pages * float(os.sysconf("SC_PAGE_SIZE"))
