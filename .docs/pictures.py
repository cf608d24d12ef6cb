"""Draw the pictures of README and the guide anew: ``python .docs/pictures.py``."""

import re
from pathlib import Path

import matplotlib as mpl

import mog_jax
from mog_jax.plots import plot_fit, plot_fits

GUIDE = Path(__file__).parent.parent / "mog_jax" / "guide"
PICTURES = GUIDE / "pictures"


def main() -> None:
    """Draw all of them."""
    mpl.use("agg")
    waiting = mog_jax.datasets.faithful()
    axes = plot_fit(mog_jax.fit(waiting), waiting, label="waiting time in minutes")
    axes[0].figure.savefig(PICTURES / "faithful.png", dpi=110)

    # The data of the page itself.
    page = (GUIDE / "which_statistic.md").read_text(encoding="utf-8")
    names: dict = {}
    exec(re.search(r"^```python\n(.*?)^fits = ", page, re.DOTALL | re.MULTILINE)[1], names)
    axes = plot_fits(mog_jax.fit(names["data"]), names["data"], columns=5)
    axes[0].figure.savefig(PICTURES / "five.png", dpi=110)


if __name__ == "__main__":
    main()
