"""One dataset that does not fit into memory, fitted by passes over its chunks.

- `blocks`: chunks of any length become blocks of one length, of the points that are there;
- `passes`: the blocks' nine sums, added up, and whether each pass has seen the same points;
- `survey`: the first pass: size, mean, variance and a sample;
- `starts`: the fits of the sample;
- `climb`: from there to the maxima of all points;
- `answer`: which of them is the answer;
- `maximum`: all of this, one after the other;
- `levels`: the one pass that rounded or censored values take, which counts distinct ones.
"""

from mog_jax.chunks.blocks import Chunk, Chunks
from mog_jax.chunks.maximum import maximum

__all__ = ["Chunk", "Chunks", "maximum"]
