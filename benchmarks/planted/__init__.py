"""Derivatives that are wrong on purpose, and right ones written another way."""

from benchmarks.planted import (
    gaussian_process,
    logistic,
    mixture_cases,
    reported,
    rules,
    small,
    student,
)
from benchmarks.planted.case import KINDS, Case, Subject
from benchmarks.planted.fresh import FRESH
from benchmarks.planted.held_back import HELD_BACK

CASES: tuple[Case, ...] = (
    *mixture_cases.planted,
    *logistic.planted,
    *student.planted,
    *gaussian_process.planted,
    *small.planted,
    *rules.planted,
    *HELD_BACK,
    *FRESH,
    *reported.planted,
)

__all__ = ["CASES", "KINDS", "Case", "Subject"]
