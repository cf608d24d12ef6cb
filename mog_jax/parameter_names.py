"""Names of single parameters, as arguments and columns use them, and their ranges."""

import math

PARAMETERS = ("weight_1", "weight_2", "mean_1", "mean_2", "sd_1", "sd_2")


def out_of_range(name: str, lowest: float, highest: float) -> str:
    """Return what a parameter must be, if the range from `lowest` to `highest` is not that."""
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        return "finite"
    if name.startswith("weight") and not 0 < lowest <= highest < 1:
        return "between 0 and 1"
    if name.startswith("sd") and lowest <= 0:
        return "positive"
    return ""
