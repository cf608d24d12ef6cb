"""Fits one dataset that does not fit into memory, by passes over its chunks.

- `blocks`: regroups chunks of any length to blocks of one length, without missing values;
- `passes`: sums the nine sums of the blocks, and checks that each pass has the same points;
- `survey`: the first pass: size, mean, variance and a sample;
- `starts`: fits the sample, for the starts of the climbs;
- `climb`: climbs from the starts to maxima of all points;
- `answer`: chooses the answer among them;
- `maximum`: calls all of these;
- `levels`: counts the distinct values of rounded or censored data, in one pass.
"""

from mog_jax.chunks.blocks import Chunk, Chunks
from mog_jax.chunks.maximum import maximum

__all__ = ["Chunk", "Chunks", "maximum"]
