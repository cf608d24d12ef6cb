"""Cases that the checker's author does not look at: they tell what it does with unseen bugs."""

from benchmarks.planted.case import Case
from benchmarks.planted.held_back import (
    cross_entropy,
    kalman,
    mixture_cases,
    rules,
    small_cases,
    springs,
)

HELD_BACK: tuple[Case, ...] = (
    *mixture_cases.planted,
    *kalman.planted,
    *cross_entropy.planted,
    *springs.planted,
    *small_cases.planted,
    *rules.planted,
)
