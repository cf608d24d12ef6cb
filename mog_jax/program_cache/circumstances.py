"""Everything besides its arguments that a compiled program depends on, as text.

An entry too many costs a compilation; an entry too few could load a wrong program. Doubtful entries
are therefore included.
"""

import dataclasses
import enum
import functools
import hashlib
import importlib.metadata
import inspect
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

# XLA and JAX read these: flags of the compiler, number of devices, number of threads.
_READ_BY_COMPILER = ("XLA_", "JAX_", "TF_", "NPROC")
# Settings with these words in their names concern storing and printing, not compilation.
_IRRELEVANT = ("cache", "log", "traceback")
# Earlier, XLA's loader warned on standard error of programs that it had made on the same processor:
# "+prefer-no-gather is not supported on the host machine".
_LOADS_IN_SILENCE = (0, 10, 2)
# The lines of /proc/cpuinfo that tell the model of a processor and its features.
_PROCESSOR = {
    *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
    *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features"),
}
_FEATURES = {"flags", "Features"}


def circumstances(sources: Path) -> str | None:
    """Describe all that programs made from `sources` depend on, or None where it is unknown."""
    jaxlib = importlib.metadata.version("jaxlib")
    if _numbers(jaxlib) < _LOADS_IN_SILENCE or compiler_environment() != _AT_IMPORT:
        return None
    processor, digest = processor_model(), digest_of_sources(sources)
    if processor is None or digest is None:
        return None
    settings = {
        name: value
        for name, value in jax.config.values.items()
        if not any(word in name for word in _IRRELEVANT)
    }
    parts = {
        "sources": digest,
        "jax": jax.__version__,
        "jaxlib": jaxlib,
        "numpy": np.__version__,
        "python": sys.version,
        "platform": (sys.platform, platform.machine()),
        "processor": processor,
        "processors": len(os.sched_getaffinity(0)),
        "devices": jax.local_device_count("cpu"),
        "environment": _AT_IMPORT,
        "settings": sorted(settings.items()),
    }
    return "\n".join(f"{name}: {value!r}" for name, value in parts.items())


@functools.cache
def processor_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Describe the processor with all its features, or give None where they are unknown.

    The lines of the first processor are read; those of the others take milliseconds each.
    """
    found = {}
    try:
        with cpuinfo.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.strip():
                    break
                name, _, value = line.partition(":")
                if name.strip() in _PROCESSOR:
                    found[name.strip()] = value.strip()
    except OSError:
        return None
    return repr(sorted(found.items())) if _FEATURES & found.keys() else None


def describe_option(value: Any, sources: Path) -> str | None:
    """Describe a static option so that another process describes an equal one alike.

    None if that is impossible: the name of a user's function does not say what it does.
    """
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return f"{type(value).__name__} {value!r}"
    if isinstance(value, enum.Enum):
        return _describe_all(type(value), [value.name], sources)
    if isinstance(value, tuple):
        return _describe_all(type(value), value, sources)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return _describe_all(type(value), fields, sources)
    return _describe_definition(value, sources)


def _describe_all(kind: type, values: Any, sources: Path) -> str | None:
    parts = [_describe_definition(kind, sources), *(describe_option(v, sources) for v in values)]
    return None if None in parts else f"({', '.join(map(str, parts))})"


def _describe_definition(value: Any, sources: Path) -> str | None:
    """Name a class or function that stands in `sources` under its own name."""
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    name = getattr(value, "__qualname__", None)
    if module is None or name is None:
        return None
    if value is tuple:
        return "tuple"
    known = Path(inspect.getfile(module)).is_relative_to(sources) if _has_file(module) else False
    return f"{module.__name__}.{name}" if known and getattr(module, name, None) is value else None


def _has_file(module: Any) -> bool:
    return getattr(module, "__file__", None) is not None


@functools.cache
def digest_of_sources(sources: Path) -> str | None:
    """Hash the Python files in a folder, if they are those that this process runs.

    A file that was changed since is not the imported one: an upgrade or an editor has written it.
    """
    digest = hashlib.sha256()
    paths = sorted(sources.rglob("*.py"))
    for path in paths:
        status = path.stat()
        if max(status.st_mtime, status.st_ctime) > _IMPORTED:
            return None
        digest.update(f"{path.relative_to(sources)}\0{status.st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest() if paths else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def compiler_environment() -> list[tuple[str, str]]:
    """Return the environment variables that XLA and JAX read, but for those that do not count."""
    return sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith(_READ_BY_COMPILER)
        and not any(word in name.lower() for word in _IRRELEVANT)
    )


# JAX reads its environment when it is imported, XLA some time later. Whether a change in between or
# afterwards has an effect is unknown; then nothing is stored.
_AT_IMPORT = compiler_environment()
_IMPORTED = time.time()
