"""What a training step is given, as a function of the seed and the step's number alone.

A training that was cut off goes on from a checkpoint as if nothing had happened only if the steps
after it draw the same heads and frames as they would have drawn. So nothing is drawn from a stream
whose state would be lost: each draw is computed from the seed and its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lamflow.data.frames import FloatArray, IntArray

_BLOCK = 4096  # steps whose heads are drawn together
# Names of the streams, so that no two of them draw the same numbers.
_HEADS, _ORDER, _SHOWN, _NOISE = range(4)


class HeadDraws:
    """Which head each step trains, and how often a head was trained before a step.

    Parameters
    ----------
    probabilities
        (nheads,) chance of each head; they add up to 1.
    seed
        Of the run.
    """

    def __init__(self, probabilities: Sequence[float] | FloatArray, seed: int) -> None:
        self._probabilities = np.asarray(probabilities, dtype=np.float64)
        self._seed = seed
        self._before = np.zeros((1, len(self._probabilities)), dtype=np.int64)

    def head(self, step: int) -> int:
        """Index of the head that `step` (from 0) trains."""
        return int(self._block(step // _BLOCK)[step % _BLOCK])

    def visits(self, head: int, step: int) -> int:
        """How many of the steps before `step` trained `head`."""
        block, inside = divmod(step, _BLOCK)
        while len(self._before) <= block:
            new = np.bincount(self._block(len(self._before) - 1), minlength=self._before.shape[1])
            self._before = np.vstack([self._before, self._before[-1] + new])
        return int(self._before[block, head] + (self._block(block)[:inside] == head).sum())

    @lru_cache(maxsize=4)  # noqa: B019  lives as long as the training
    def _block(self, block: int) -> IntArray:
        rng = np.random.default_rng([self._seed, _HEADS, block])
        heads = len(self._probabilities)
        return rng.choice(heads, size=_BLOCK, p=self._probabilities).astype(np.int64)


@dataclass(frozen=True)
class Batch:
    """Frames that are trained on together.

    Attributes
    ----------
    system
        Index of their system.
    frames
        Their indices in it.
    """

    system: int
    frames: IntArray


class FrameDraws:
    """The batches of one head: epoch after epoch, each with every frame once, in another order.

    Parameters
    ----------
    frames
        Frames of each system.
    sizes
        Frames of a batch, for each system.
    seed
        Of the run.
    head
        Index of the head.
    """

    def __init__(self, frames: Sequence[int], sizes: Sequence[int], seed: int, head: int) -> None:
        self._frames = tuple(frames)
        self._sizes = tuple(sizes)
        self._seed = seed
        self._head = head
        self.epoch = sum(-(-n // size) for n, size in zip(frames, sizes, strict=True))
        """Batches in an epoch."""

    def batch(self, number: int) -> Batch:
        """Give the batch of this number (from 0), over all epochs."""
        epoch, place = divmod(number, self.epoch)
        return self._order(epoch)[place]

    def shown(self, step: int, number: int) -> Batch:
        """Draw a batch that is only looked at, the `number`-th of this `step`."""
        rng = np.random.default_rng([self._seed, _SHOWN, self._head, step, number])
        return self._order(0)[int(rng.integers(self.epoch))]

    @lru_cache(maxsize=2)  # noqa: B019  lives as long as the training
    def _order(self, epoch: int) -> list[Batch]:
        rng = np.random.default_rng([self._seed, _ORDER, self._head, epoch])
        batches = []
        for system, (count, size) in enumerate(zip(self._frames, self._sizes, strict=True)):
            shuffled = rng.permutation(count)
            batches += [Batch(system, shuffled[i : i + size]) for i in range(0, count, size)]
        return [batches[i] for i in rng.permutation(len(batches))]


def noise_seed(seed: int, step: int) -> int:
    """Seed for all other random numbers of a step, such as the noise of a denoise head."""
    return int(np.random.SeedSequence([seed, _NOISE, step]).generate_state(1, np.uint64)[0] >> 1)
