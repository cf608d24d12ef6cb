"""Cases written after the harness, and before it had seen them: its first run on them counts.

Of kinds that were not there yet: attention, a Cholesky factor, a solve with its implicit rule,
censored survival, counts, a differential equation.
"""

from benchmarks.planted.case import Case
from benchmarks.planted.fresh import attention, counts, growth, kepler, normal, survival

FRESH: tuple[Case, ...] = (
    *attention.planted,
    *normal.planted,
    *kepler.planted,
    *survival.planted,
    *counts.planted,
    *growth.planted,
)
