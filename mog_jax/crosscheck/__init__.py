"""A gradient checker whose verdict can be trusted, for any JAX function.

`crosscheck` holds a hand-written derivative against the function that it claims to differentiate;
`crosscheck_rule` holds a function with a custom derivative rule against the same one without.

Names are loaded on first use: importing this loads neither JAX nor Hypothesis.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mog_jax.crosscheck import strategies
    from mog_jax.crosscheck.api import crosscheck, crosscheck_rule
    from mog_jax.crosscheck.exact import Undecided, UnknownPrimitive, evaluate, register_primitive
    from mog_jax.crosscheck.findings import Finding
    from mog_jax.crosscheck.report import CrosscheckError, Report

_HOME = {
    "CrosscheckError": "report",
    "Finding": "findings",
    "Report": "report",
    "Undecided": "exact",
    "UnknownPrimitive": "exact",
    "crosscheck": "api",
    "crosscheck_rule": "api",
    "evaluate": "exact",
    "register_primitive": "exact",
}
_MODULES = {"strategies"}

__all__ = [
    "CrosscheckError",
    "Finding",
    "Report",
    "Undecided",
    "UnknownPrimitive",
    "crosscheck",
    "crosscheck_rule",
    "evaluate",
    "register_primitive",
    "strategies",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"mog_jax.crosscheck.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'mog_jax.crosscheck' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mog_jax.crosscheck.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
