"""The cache of compiled programs: loaded if complete and in the same circumstances."""

import contextlib
import errno
import importlib.util
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mog_jax import inference, program_cache
from mog_jax.program_cache import circumstances, kept, storage

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="programs are stored on Linux alone"
)

TINY = """
import dataclasses
import enum
from pathlib import Path

import jax
import jax.numpy as jnp

from mog_jax.program_cache import keep_compiled

HERE = Path(__file__).parent


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Both:
    first: jax.Array
    second: tuple


@dataclasses.dataclass(frozen=True)
class Rules:
    power: int
    way: object = None


class Way(enum.Enum):
    UP = 1
    DOWN = -1


def double(x):
    return 2 * x


def _both(x, others, *, rules=Rules(1)):
    x = jnp.exp(x / 10) ** rules.power
    if isinstance(rules.way, Way):
        x = rules.way.value * x
    elif rules.way is not None:
        x = rules.way(x)
    return Both(first=x * others["scale"], second=(x.sum(), others["shift"]))


both = keep_compiled(
    _both,
    static_argnames=["rules"],
    compiler_options={"xla_cpu_prefer_vector_width": 512},
    sources=HERE,
)


def _powered(x, *, power):
    return jax.lax.convert_element_type(x, type(power) if power == 2 else int)


powered = keep_compiled(_powered, static_argnames=["power"], sources=HERE)


def _calls_back(x):
    return jax.pure_callback(lambda y: y + 1, jax.ShapeDtypeStruct(x.shape, x.dtype), jnp.exp(x))


calls_back = keep_compiled(_calls_back, sources=HERE)
"""
ARGUMENTS = (np.arange(6, dtype=np.float32), {"scale": 2.0, "shift": np.arange(3)})


def load(folder):
    """Import the module in a folder anew, as the next process does."""
    spec = importlib.util.spec_from_file_location("tiny", folder / "tiny.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder with the module, as old as any installed package."""
    monkeypatch.setattr(circumstances, "_IMPORTED", float("inf"))
    monkeypatch.setitem(sys.modules, "tiny", None)
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "tiny.py").write_text(TINY)
    return folder


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty cache folder, and no program that comes from JAX's own cache."""
    name = "jax_persistent_cache_min_compile_time_secs"
    usual = jax.config.values[name]
    jax.config.update(name, 1e9)
    monkeypatch.setenv("MOG_JAX_CACHE", "on")
    monkeypatch.setenv("MOG_JAX_CACHE_DIR", str(tmp_path / "store"))
    yield tmp_path / "store" / f"programs-{os.geteuid()}"
    jax.config.update(name, usual)


@pytest.fixture
def tiny(source, store):
    return load(source)


@pytest.fixture
def compilations():
    """A list that grows by one for each compilation."""
    found = []

    def listen(event, _, **__):
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield found
    jax.monitoring.unregister_event_duration_listener(listen)


def files(store):
    return sorted(path.name for path in store.iterdir()) if store.is_dir() else []


def check(result):
    """Compare a result of `both` with NumPy."""
    x, others = ARGUMENTS
    np.testing.assert_allclose(result.first, 2 * np.exp(x / 10), rtol=1e-6)
    np.testing.assert_array_equal(result.second[1], others["shift"])


def stored(tiny, store, compilations):
    """Compile and store the one program; return its file, and remove it from memory."""
    check(tiny.both(*ARGUMENTS))
    assert len(compilations) == 1
    compilations.clear()
    tiny.both.forget()
    (name,) = files(store)
    return store / name


# In one process


def test_what_was_stored_is_loaded_and_gives_the_same_bits(tiny, store, compilations):
    first = tiny.both(*ARGUMENTS)
    tiny.both(*ARGUMENTS)
    assert len(compilations) == 1
    tiny.both.forget()
    again = tiny.both(*ARGUMENTS)
    assert len(compilations) == 1
    assert isinstance(again, tiny.Both)
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(files(store)) == 1
    assert (store.stat().st_mode & 0o777, (store / files(store)[0]).stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )


def _variants(tiny):
    x, others = ARGUMENTS
    wide = x.astype(np.float64)
    yield (x, others), {}, False
    yield (x[:2], others), {}, False
    yield (wide, others), {}, False
    yield (wide, others), {}, True
    yield (x.astype(np.int32), others), {}, False
    yield (x, {**others, "scale": np.float32(2)}), {}, False
    yield (x, {**others, "scale": 2}), {}, False
    yield (x, {**others, "scale": True}), {}, False
    yield (x, {**others, "scale": jnp.asarray(2.0)}), {}, False
    yield (x, {**others, "more": ()}), {}, False
    yield (x,), {"others": others}, False
    yield (jnp.asarray(x), others), {}, False
    yield (jax.device_put(x, jax.devices()[0]), others), {}, False
    for rules in (
        tiny.Rules(1),
        tiny.Rules(2),
        tiny.Rules(1, tiny.Way.UP),
        tiny.Rules(1, tiny.Way.DOWN),
        tiny.Rules(1, tiny.double),
    ):
        yield (x, others), {"rules": rules}, False


def test_each_kind_of_argument_and_option_has_its_own_program(tiny, store, compilations):
    plain = jax.jit(tiny._both, static_argnames=("rules",))

    def call(function, args, kwargs, x64):
        with jax.enable_x64(x64), jax.numpy_dtype_promotion("standard"):
            return function(*args, **kwargs)

    expected = [call(plain, *variant) for variant in _variants(tiny)]
    for _ in range(2):  # compiled, then loaded
        tiny.both.forget()
        compilations.clear()
        for variant, right in zip(_variants(tiny), expected, strict=True):
            got = call(tiny.both, *variant)
            for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(right), strict=True):
                assert (one.dtype, one.weak_type) == (other.dtype, other.weak_type)
                assert (one.devices(), one.committed) == (other.devices(), other.committed)
                np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-6)
    # An array of JAX and one of NumPy have one program, and so have a default and the same option.
    assert len(files(store)) == len(expected) - 2
    assert compilations == []


def test_options_that_are_equal_and_of_other_types_are_told_apart(tiny):
    one = circumstances.describe_option(tiny.Rules(1), tiny.HERE)
    others = [tiny.Rules(1.0), tiny.Rules(True), (1, None), 1, None, "1"]
    assert one not in [circumstances.describe_option(other, tiny.HERE) for other in others]


_OPTIONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.sampled_from([1.0, -0.0, 0.0, float("inf")])
    # What tuples are written with, within a string.
    | st.text("ab, ()'\"", max_size=6)
    | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)


@given(_OPTIONS, _OPTIONS)
def test_options_are_described_alike_only_if_they_are_alike(one, other):
    described = [circumstances.describe_option(value, Path()) for value in (one, other)]
    assert None not in described
    assert (described[0] == described[1]) == (repr(one) == repr(other))


def test_a_program_is_that_of_its_own_options(tiny):
    # 2 and 2.0 are one option to ``jit``; which came first must not decide what is stored.
    for power in (2, 2.0, True, 1):
        result = tiny.powered(np.arange(3, dtype=np.int32), power=power)
        assert result.dtype == (np.float32 if isinstance(power, float) else np.int32)


def test_options_of_the_users_own_are_not_stored(tiny, store):
    def treble(x):
        return 3 * x

    for way in (treble, lambda x: 3 * x, np.exp, object):
        assert circumstances.describe_option(tiny.Rules(1, way), tiny.HERE) is None
    x, _ = ARGUMENTS
    result = tiny.both(*ARGUMENTS, rules=tiny.Rules(1, treble))
    np.testing.assert_allclose(result.first, 6 * np.exp(x / 10), rtol=1e-6)
    assert files(store) == []


def test_a_function_that_was_put_in_anothers_place_is_not_stored(tiny, store, monkeypatch):
    original = tiny.double
    monkeypatch.setattr(tiny, "double", lambda x: 3 * x)
    assert circumstances.describe_option(original, tiny.HERE) is None


def test_many_threads_compile_once(tiny, store, compilations):
    ready, results = threading.Barrier(8), []

    def work():
        ready.wait()
        results.append(tiny.both(*ARGUMENTS))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(compilations) == 1
    assert len(results) == 8
    for result in results:
        check(result)


def test_what_is_prepared_is_not_compiled_again(tiny, compilations):
    thread = threading.Thread(target=tiny.both.prepare, args=ARGUMENTS)
    thread.start()
    thread.join()
    assert len(compilations) == 1
    check(tiny.both(*ARGUMENTS))
    assert len(compilations) == 1


def test_within_a_transformation_it_is_plain_jit(tiny, store):
    x, others = ARGUMENTS

    def total(x):
        return tiny.both(x, others).first.sum()

    expected = 2 * np.exp(x / 10)
    np.testing.assert_allclose(jax.jit(total)(x), expected.sum(), rtol=1e-6)
    np.testing.assert_allclose(jax.grad(total)(x), expected / 10, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(total)(x[:, None]), expected, rtol=1e-6)
    assert files(store) == []
    # Arguments that are none of the transformation's are computed with as ever.
    np.testing.assert_allclose(jax.jit(lambda y: y + total(x))(1), 1 + expected.sum(), rtol=1e-6)


@pytest.mark.parametrize("setting", [jax.disable_jit, jax.debug_nans, jax.debug_infs])
def test_settings_that_watch_a_program_are_obeyed(tiny, store, compilations, setting):
    check(tiny.both(*ARGUMENTS))
    before = files(store)
    with setting(True):
        check(tiny.both(*ARGUMENTS))
    with jax.debug_nans(True), pytest.raises(FloatingPointError):
        tiny.both(np.full(6, np.nan, np.float32), ARGUMENTS[1])
    assert files(store) == before


def test_a_program_that_cannot_be_written_out_works_all_the_same(tiny, store):
    for _ in range(2):
        result = tiny.calls_back(ARGUMENTS[0])
        np.testing.assert_allclose(result, np.exp(ARGUMENTS[0]) + 1, rtol=1e-6)
    assert files(store) == []


def test_errors_are_those_of_the_function(tiny):
    with pytest.raises(TypeError, match="missing"):
        tiny.both(ARGUMENTS[0])
    with pytest.raises(TypeError, match="unexpected keyword"):
        tiny.both(*ARGUMENTS, nonsense=1)
    with pytest.raises(TypeError, match="non-array argument"):
        tiny.both("abc", ARGUMENTS[1])
    with pytest.raises(TypeError, match="broadcast"):
        tiny.both(ARGUMENTS[0], {"scale": np.ones(4, np.float32), "shift": 0})
    check(tiny.both(*ARGUMENTS))


def test_what_can_be_kept_is_said_at_the_door(tiny):
    def local(x):
        return x

    for function in (local, lambda x: x, tiny._both):
        with pytest.raises(ValueError, match="`function` must be defined at the top level"):
            program_cache.keep_compiled(function)
    for name in ("x", "nonsense"):
        with pytest.raises(ValueError, match=f"keyword-only parameters of _both; got '{name}'"):
            program_cache.keep_compiled(tiny._both, static_argnames=[name], sources=tiny.HERE)


# Turning it off


def test_it_is_turned_off_and_on(tiny, store, compilations, monkeypatch):
    monkeypatch.setenv("MOG_JAX_CACHE", "off")
    check(tiny.both(*ARGUMENTS))
    assert (program_cache.directory(), files(store)) == (None, [])
    monkeypatch.setenv("MOG_JAX_CACHE", "on")
    tiny.both.forget()
    program_cache.disable()
    try:
        check(tiny.both(*ARGUMENTS))
        assert (program_cache.directory(), files(store)) == (None, [])
    finally:
        program_cache.enable()
    tiny.both.forget()
    check(tiny.both(*ARGUMENTS))
    assert program_cache.directory() == store
    assert len(files(store)) == 1


def test_nonsense_in_the_environment_is_refused(store, monkeypatch):
    monkeypatch.setenv("MOG_JAX_CACHE", "offf")
    with pytest.raises(ValueError, match="MOG_JAX_CACHE must be 'on' or 'off'; got 'offf'"):
        program_cache.directory()


def test_clear_removes_programs_and_nothing_else(tiny, store, compilations):
    path = stored(tiny, store, compilations)
    (store / "note.txt").write_text("mine")
    (store / ".unfinished-abc").write_bytes(b"half")
    check(tiny.both(*ARGUMENTS))
    program_cache.clear()
    assert files(store) == ["note.txt"]
    check(tiny.both(*ARGUMENTS))
    assert len(compilations) == 1
    assert path.exists()


# Where it is stored


def test_the_folder_is_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MOG_JAX_CACHE", "")
    monkeypatch.setenv("MOG_JAX_CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    own = f"programs-{os.geteuid()}"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert program_cache.directory() == tmp_path / "xdg" / "mog_jax" / own
    for useless in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", useless)
        assert program_cache.directory() == tmp_path / ".cache" / "mog_jax" / own
    monkeypatch.setenv("MOG_JAX_CACHE_DIR", "~/named")
    assert program_cache.directory() == tmp_path / "named" / own
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOG_JAX_CACHE_DIR", "relative")
    assert program_cache.directory() == tmp_path / "relative" / own
    assert list(tmp_path.iterdir()) == []


def test_without_a_home_or_outside_linux_nothing_is_stored(monkeypatch, tiny):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("MOG_JAX_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "home", homeless)
        assert program_cache.directory() is None
        check(tiny.both(*ARGUMENTS))
        program_cache.clear()
    with monkeypatch.context() as patch:
        patch.setattr(storage.sys, "platform", "darwin")
        assert program_cache.directory() is None


# Circumstances


def test_another_processors_program_is_not_loaded(tiny, store, compilations, monkeypatch):
    own = stored(tiny, store, compilations)
    with monkeypatch.context() as patch:
        patch.setattr(circumstances, "processor_model", lambda: "a lesser one, without avx512f")
        check(tiny.both(*ARGUMENTS))
        assert len(compilations) == 1
        assert len(files(store)) == 2
    tiny.both.forget()
    check(tiny.both(*ARGUMENTS))
    assert len(compilations) == 1
    assert own.name in files(store)


def test_circumstances_tell_all_that_a_program_depends_on(source, monkeypatch):
    found = {circumstances.circumstances(source)}
    assert found != {None}

    def differs():
        described = circumstances.circumstances(source)
        assert described not in found
        found.add(described)

    with monkeypatch.context() as patch:
        patch.setattr(jax, "__version__", "0.0.1")
        differs()
        patch.setattr(np, "__version__", "0.0.1")
        differs()
        patch.setattr(circumstances.importlib.metadata, "version", lambda _: "99.0.1")
        differs()
        patch.setattr(sys, "version", "2.7")
        differs()
        patch.setattr(circumstances.platform, "machine", lambda: "vax")
        differs()
        patch.setattr(os, "sched_getaffinity", lambda _: set(range(99)))
        differs()
        patch.setattr(jax, "local_device_count", lambda _: 99)
        differs()
        patch.setattr(circumstances, "_AT_IMPORT", [("XLA_FLAGS", "--xla_cpu_enable_fast_math")])
        patch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math")
        monkeypatch.setattr(circumstances, "compiler_environment", lambda: circumstances._AT_IMPORT)
        differs()
    with jax.default_matmul_precision("float32"):
        differs()
    with jax.threefry_partitionable(not jax.config.jax_threefry_partitionable):
        differs()


@pytest.mark.parametrize(
    ("version", "stored"),
    [
        ("0.9.9", False),
        ("0.10.1", False),
        ("0.10.2", True),
        ("0.10.2.dev7", True),
        ("1.0rc1", True),
    ],
)
def test_a_jaxlib_that_complains_at_each_load_is_not_used(source, monkeypatch, version, stored):
    monkeypatch.setattr(circumstances.importlib.metadata, "version", lambda _: version)
    assert (circumstances.circumstances(source) is not None) == stored


def test_what_says_where_to_store_and_what_to_print_does_not_count(source):
    before = circumstances.circumstances(source)
    with jax.log_compiles(not jax.config.jax_log_compiles):
        assert circumstances.circumstances(source) == before


@pytest.mark.parametrize("name", ["XLA_FLAGS", "JAX_ENABLE_X64", "TF_XLA_FLAGS", "NPROC"])
def test_flags_that_were_changed_after_the_import_are_not_trusted(source, monkeypatch, name):
    monkeypatch.setenv(name, "changed")
    assert circumstances.circumstances(source) is None


def test_the_environment_of_caches_and_logs_does_not_count(source, monkeypatch):
    before = circumstances.circumstances(source)
    for name in ("JAX_COMPILATION_CACHE_DIR", "TF_CPP_MIN_LOG_LEVEL", "JAX_TRACEBACK_FILTERING"):
        monkeypatch.setenv(name, "0")
    assert circumstances.circumstances(source) == before


def test_changed_sources_are_compiled_anew(source, store, compilations, tmp_path):
    stored(load(source), store, compilations)
    other = tmp_path / "other"
    other.mkdir()
    (other / "tiny.py").write_text(TINY.replace("x / 10", "x / 5"))
    result = load(other).both(*ARGUMENTS)
    np.testing.assert_allclose(result.first, 2 * np.exp(ARGUMENTS[0] / 5), rtol=1e-6)
    assert len(compilations) == 1
    assert len(files(store)) == 2


def test_sources_elsewhere_are_the_same_sources(source, store, compilations, tmp_path):
    stored(load(source), store, compilations)
    other = tmp_path / "other"
    other.mkdir()
    (other / "tiny.py").write_text(TINY)
    check(load(other).both(*ARGUMENTS))
    assert compilations == []


def test_sources_that_were_changed_since_the_import_are_not_trusted(
    source, store, compilations, monkeypatch
):
    monkeypatch.setattr(circumstances, "_IMPORTED", time.time() - 60)
    check(load(source).both(*ARGUMENTS))
    assert files(store) == []


def test_a_package_without_source_files_is_not_stored(tmp_path):
    assert circumstances.digest_of_sources(tmp_path) is None


def test_the_package_itself_can_be_kept():
    assert circumstances.circumstances(kept._PACKAGE) is not None


X86 = "processor\t: {0}\nvendor_id\t: V\nmodel\t\t: 17\ncpu MHz\t\t: {1}\nflags\t\t: fpu {2}\n\n"
ARM = "processor\t: 0\nBogoMIPS\t: {0}\nFeatures\t: fp {1}\nCPU part\t: 0xd0c\n\n"


def _model(tmp_path, text):
    path = tmp_path / f"cpuinfo-{hash(text)}"
    path.write_text(text)
    return circumstances.processor_model(path)


def test_a_processor_is_its_model_and_features(tmp_path):
    one = _model(tmp_path, X86.format(0, 2596.1, "avx512f"))
    assert "avx512f" in one
    assert one == _model(tmp_path, X86.format(0, 3100.0, "avx512f") + X86.format(1, 1.0, "avx512f"))
    assert one != _model(tmp_path, X86.format(0, 2596.1, "avx2"))
    assert one != _model(tmp_path, X86.format(0, 2596.1, "avx512f").replace("17", "18"))
    arm = _model(tmp_path, ARM.format(50.0, "sve"))
    assert arm == _model(tmp_path, ARM.format(60.0, "sve"))
    assert arm != _model(tmp_path, ARM.format(50.0, ""))


def test_a_processor_that_does_not_tell_its_features_is_unknown(tmp_path):
    assert _model(tmp_path, "processor\t: 0\nmodel name\t: secret\n") is None
    assert circumstances.processor_model(tmp_path / "absent") is None


# Files


@contextlib.contextmanager
def _storing_in(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOG_JAX_CACHE", "on")
        patch.setenv("MOG_JAX_CACHE_DIR", folder)
        yield Path(folder) / f"programs-{os.geteuid()}"


@given(payload=st.binary(max_size=200), data=st.data())
def test_a_file_is_found_as_it_was_written_or_not_at_all(payload, data):
    with tempfile.TemporaryDirectory() as folder, _storing_in(folder) as store:
        storage.write("one", payload)
        assert storage.read("one") == payload
        assert storage.read("two") is None
        path = store / "one.program"
        content = path.read_bytes()
        position = data.draw(st.integers(0, len(content) - 1), label="position")
        flipped = bytearray(content)
        flipped[position] ^= 1 << data.draw(st.integers(0, 7), label="bit")
        for damaged in (bytes(flipped), content[:position], content + b"\0"):
            path.write_bytes(damaged)
            assert storage.read("one") is None
        storage.write("one", payload)
        assert storage.read("one") == payload
        path.rename(store / "two.program")
        assert storage.read("two") is None


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _empty(path):
    path.write_bytes(b"")


def _anothers_content(path):
    name = path.name.removesuffix(".program") + "0"
    storage.write(name, b"another program")
    path.with_name(name + ".program").replace(path)


def _whole_but_no_program(path):
    storage.write(path.name.removesuffix(".program"), b"no pickle")


def _writable_by_the_group(path):
    path.chmod(0o660)


def _writable_by_all(path):
    path.chmod(0o602)


def _symlink(path):
    real = path.with_name("elsewhere")
    path.rename(real)
    path.symlink_to(real)


def _dangling_symlink(path):
    path.unlink()
    path.symlink_to("nowhere")


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGES = [
    *(_truncate, _flip, _empty, _anothers_content, _whole_but_no_program),
    *(_writable_by_the_group, _writable_by_all, _symlink, _dangling_symlink, _pipe),
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_file_that_is_not_trusted_is_ignored_and_replaced(tiny, store, compilations, damage):
    path = stored(tiny, store, compilations)
    damage(path)
    check(tiny.both(*ARGUMENTS))
    assert len(compilations) == 1
    tiny.both.forget()
    check(tiny.both(*ARGUMENTS))
    assert len(compilations) == 1


def test_a_file_behind_a_symlink_is_left_alone(tiny, store, compilations):
    path = stored(tiny, store, compilations)
    victim = path.with_name("victim")
    victim.write_text("precious")
    path.unlink()
    path.symlink_to(victim)
    check(tiny.both(*ARGUMENTS))
    assert victim.read_text() == "precious"


def test_a_folder_in_place_of_the_file_is_no_error(tiny, store, compilations):
    path = stored(tiny, store, compilations)
    path.unlink()
    path.mkdir()
    check(tiny.both(*ARGUMENTS))
    assert files(store) == [path.name]
    program_cache.clear()


def test_another_users_file_and_folder_are_not_read(tiny, store, compilations, monkeypatch):
    stored(tiny, store, compilations)
    real, other = os.fstat, os.geteuid() + 1

    def of_another(descriptor):
        status = list(real(descriptor))
        status[4] = other  # st_uid
        return os.stat_result(status)

    with monkeypatch.context() as patch:
        patch.setattr(storage.os, "fstat", of_another)
        check(tiny.both(*ARGUMENTS))
    assert len(compilations) == 1
    tiny.both.forget()
    # The name of the folder holds the user; one that is there already is another's.
    with monkeypatch.context() as patch:
        patch.setattr(storage.os, "geteuid", lambda: other)
        store.rename(store.with_name(f"programs-{other}"))
        check(tiny.both(*ARGUMENTS))
        assert len(compilations) == 2
        assert storage.read("one") is None
        program_cache.clear()
    assert len(files(store.with_name(f"programs-{other}"))) == 1


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_may_write_is_not_used(tiny, store, compilations, mode):
    stored(tiny, store, compilations)
    store.chmod(mode)
    before = files(store)
    check(tiny.both(*ARGUMENTS))
    assert len(compilations) == 1
    storage.write("one", b"")
    program_cache.clear()
    assert files(store) == before


def _fails(number):
    def function(*_, **__):
        raise OSError(number, os.strerror(number))

    return function


class _FullDisk:
    """A file that cannot take what is written to it."""

    def __init__(self, descriptor, *_, **__):
        self.descriptor = descriptor

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.descriptor)

    writelines = staticmethod(_fails(errno.ENOSPC))


@pytest.mark.parametrize(
    ("place", "name", "fault"),
    [
        (Path, "mkdir", _fails(errno.EROFS)),
        (Path, "mkdir", _fails(errno.EACCES)),
        (storage.tempfile, "mkstemp", _fails(errno.EROFS)),
        (storage.tempfile, "mkstemp", _fails(errno.ENOSPC)),
        (storage.os, "fdopen", _FullDisk),
        (Path, "replace", _fails(errno.EXDEV)),
    ],
    ids=["read-only", "forbidden", "read-only-file", "full-file", "full-disk", "rename"],
)
def test_a_disk_that_takes_nothing_is_no_error(tiny, store, monkeypatch, place, name, fault):
    with monkeypatch.context() as patch:
        patch.setattr(place, name, fault)
        check(tiny.both(*ARGUMENTS))
        assert files(store) == []
    tiny.both.forget()
    check(tiny.both(*ARGUMENTS))
    assert len(files(store)) == 1


def test_a_disk_that_is_read_only_is_read(tiny, store, compilations, monkeypatch):
    stored(tiny, store, compilations)
    monkeypatch.setattr(storage.os, "utime", _fails(errno.EROFS))
    monkeypatch.setattr(storage.tempfile, "mkstemp", _fails(errno.EROFS))
    check(tiny.both(*ARGUMENTS))
    assert compilations == []


def test_a_file_in_place_of_the_folder_is_no_error(tiny, store):
    store.parent.write_text("not a folder")
    check(tiny.both(*ARGUMENTS))
    program_cache.clear()
    assert store.parent.read_text() == "not a folder"


def test_those_not_used_for_longest_are_removed_beyond_the_limit(store, monkeypatch):
    monkeypatch.setattr(storage, "LIMIT", 3_000)
    for age, name in enumerate(["new", "middle", "old"]):
        storage.write(name, b"0" * 900)
        os.utime(store / f"{name}.program", (1e9 - age, 1e9 - age))
    (store / "note.txt").write_bytes(b"0" * 9_000)
    assert storage.read("old") is not None  # and so it is the newest
    storage.write("last", b"0" * 900)
    assert files(store) == ["last.program", "new.program", "note.txt", "old.program"]
    assert storage.read("middle") is None
    storage.write("huge", b"0" * 9_000)
    assert storage.read("huge") is None


def test_what_was_never_finished_is_removed_after_an_hour(store):
    storage.write("one", b"")
    for age, name in ((10, "recent"), (7200, "ancient")):
        path = store / f".unfinished-{name}"
        path.write_bytes(b"half a program")
        os.utime(path, (time.time() - age,) * 2)
    storage.write("two", b"")
    assert files(store) == [".unfinished-recent", "one.program", "two.program"]


# Whole processes

SCRIPT = """
import json, os, sys, time
sys.path.insert(0, {source!r})
import jax
import numpy as np
compilations = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, _, **__: compilations.append(event)
    if event == "/jax/core/compile/backend_compile_duration" else None
)
import tiny
from mog_jax.program_cache import storage
{before}
arguments = (np.arange(6, dtype=np.float32), {{"scale": 2.0, "shift": np.arange(3)}})
result = tiny.both(*arguments)
print(json.dumps([np.asarray(result.first).tolist(), len(compilations)]))
"""


def start(source, store, before="", **variables):
    """Start a process that calls `both` once."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JAX_", "XLA_", "MOG_JAX_"))
    }
    script = SCRIPT.format(source=str(source), before=textwrap.dedent(before))
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment | {"MOG_JAX_CACHE_DIR": str(store.parent)} | variables,
        cwd=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    """Wait for a process that must be right and silent; return the number of compilations."""
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    values, count = json.loads(out)
    np.testing.assert_allclose(values, 2 * np.exp(ARGUMENTS[0] / 10), rtol=1e-6)
    return count


def test_processes_at_once_and_the_next_one(source, store):
    assert {finish(process) for process in [start(source, store) for _ in range(3)]} <= {0, 1}
    (name,) = files(store)
    assert name.endswith(".program")
    assert finish(start(source, store)) == 0


def test_killed_during_a_write(source, store):
    process = start(
        source,
        store,
        f"storage.Path.replace = lambda *_: os.kill(os.getpid(), {int(signal.SIGKILL)})",
    )
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    (unfinished,) = files(store)
    assert unfinished.startswith(".unfinished-")
    assert finish(start(source, store)) == 1
    assert finish(start(source, store)) == 0


def test_a_disk_that_is_full_in_truth(source, store):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    assert finish(start(source, store, limit)) == 1
    assert files(store) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_home_that_does_not_exist(source, store):
    gone = {"HOME": "/dev/null/home", "XDG_CACHE_HOME": "", "MOG_JAX_CACHE_DIR": ""}
    assert finish(start(source, store, **gone)) == 1


def test_several_devices(source, store):
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    assert [finish(start(source, store, **flags)) for _ in range(2)] == [1, 0]
    assert len(files(store)) == 1
    elsewhere = """
        there = jax.device_put(np.arange(6, dtype=np.float32), jax.devices()[1])
        result = tiny.both(there, {"scale": 2.0, "shift": np.arange(3)})
        assert result.first.devices() == {jax.devices()[1]}
        compilations.clear()
    """
    assert finish(start(source, store, elsewhere, **flags)) == 0
    assert len(files(store)) == 1
    # The same arguments, with another number of devices.
    assert finish(start(source, store)) == 1


def test_what_comes_out_of_jaxs_own_cache_is_not_written_out_again(source, store, tmp_path):
    own = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
    finish(start(source, store, **own, MOG_JAX_CACHE="off"))
    for _ in range(2):
        finish(start(source, store, **own))
        assert files(store) == []


def test_a_program_that_calls_lapack_is_not_stored(tmp_path, monkeypatch):
    # A process that loaded it would not have registered what it calls, and crash.
    monkeypatch.setenv("MOG_JAX_CACHE_DIR", str(tmp_path))
    information = np.eye(5) + 0.1
    found = inference.covariance(information)
    np.testing.assert_allclose(found @ information, np.eye(5), atol=1e-12)
    assert not list(tmp_path.rglob("_covariance*"))
