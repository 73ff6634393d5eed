"""From deviations to the frames that get a label, with a reason for every frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamflow.data.frames import FloatArray, IntArray
from lamflow.select.calibrate import Levels
from lamflow.select.diversity import by_name, farthest_points, random_points, share_out
from lamflow.select.known import new_frames

ACCURATE, CANDIDATE, FAILED = 0, 1, 2
Strategy = Literal["deviation", "random"]
_BANDS = ("accurate", "candidate", "failed")
COUNTS = (*_BANDS, "duplicate", "left_over", "picked", "rescued")
"""Names of `Choice.counts`."""
Points = Callable[[IntArray], FloatArray]
"""Gives points (n, ndim) for the frames of an index array; asked for candidates only."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Unlabelled frames, without their coordinates.

    Attributes
    ----------
    compositions, fingerprints
        (nframes,) and (nframes, 24), see `lamflow.select.known.fingerprint_table`.
    deviation
        (nframes,) eV/Å; NaN counts as failed.
    """

    compositions: Sequence[str]
    fingerprints: FloatArray
    deviation: FloatArray

    def __len__(self) -> int:
        return len(self.compositions)


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen, and where all the others went.

    Attributes
    ----------
    picked
        Indices into the pool, in the order of picking.
    bands
        (nframes,) ACCURATE, CANDIDATE or FAILED.
    counts
        `accurate`, `candidate` and `failed` add up to the frames of the pool. Of those that could
        be labelled, `duplicate` + `left_over` + `picked` is all; `rescued` of the picked ones are
        from the failed band.
    """

    picked: IntArray
    bands: IntArray
    counts: dict[str, int]


def choose(
    pool: Pool,
    levels: Levels,
    count: int,
    rng: np.random.Generator,
    points: Points,
    *,
    strategy: Strategy = "deviation",
    known_compositions: Sequence[str] = (),
    known_fingerprints: FloatArray | None = None,
    most: int = 20_000,
) -> Choice:
    """Choose at most `count` frames: new and diverse candidates of every composition.

    Where more than half of the frames failed the model is too poor for the levels to mean much;
    then failed frames of the smallest deviation fill up what candidates leave free.

    Parameters
    ----------
    pool
        The frames to choose from.
    levels
        Trust levels.
    count
        Labels to give.
    rng
        Draws the first frame of a composition, and those of the random strategy.
    points
        Descriptor points of frames, for diversity.
    strategy
        ``random`` ignores the levels: the baseline for experiments.
    known_compositions, known_fingerprints
        Of labelled frames.
    most
        Of more candidates than this a random part is compared (farthest points need memory).
    """
    bands = levels.bands(pool.deviation).astype(np.int64)
    wanted = _wanted(pool, bands, strategy)
    rescue = (bands == FAILED).sum() > len(pool) / 2 and strategy == "deviation"
    priority = np.nan_to_num(pool.deviation, nan=-np.inf)
    usable = wanted | (bands == FAILED if rescue else False)
    indices = np.flatnonzero(usable)
    fresh = new_frames(
        [pool.compositions[i] for i in indices.tolist()],
        pool.fingerprints[indices],
        priority[indices],
        known_compositions,
        known_fingerprints,
    )
    new = indices[fresh]
    first = new[wanted[new]]
    if len(first) > most:
        first = np.sort(rng.choice(first, most, replace=False))
    picked = _pick(pool, first, count, rng, points, strategy)
    rescued = _least(pool, new[~wanted[new]], count - len(picked))
    picked = np.concatenate([picked, rescued])
    counts = {name: int((bands == band).sum()) for band, name in enumerate(_BANDS)}
    counts |= {
        "duplicate": len(indices) - len(new),
        "left_over": len(new) - len(picked),
        "picked": len(picked),
        "rescued": len(rescued),
    }
    return Choice(picked, bands, counts)


def _wanted(pool: Pool, bands: IntArray, strategy: Strategy) -> NDArray[np.bool_]:
    if strategy == "random":
        return np.asarray(np.isfinite(pool.deviation))
    return np.asarray(bands == CANDIDATE)


def _pick(
    pool: Pool,
    frames: IntArray,
    count: int,
    rng: np.random.Generator,
    points: Points,
    strategy: Strategy,
) -> IntArray:
    if strategy == "random":
        return frames[random_points(len(frames), count, rng)]
    groups = by_name([pool.compositions[i] for i in frames])
    shares = share_out({name: len(members) for name, members in groups.items()}, count)
    picked = [np.empty(0, dtype=np.int64)]
    for name, members in groups.items():
        if shares[name]:
            mine = frames[members]
            picked.append(mine[farthest_points(points(mine), shares[name], rng)])
    return np.concatenate(picked)


def _least(pool: Pool, frames: IntArray, count: int) -> IntArray:
    finite = frames[np.isfinite(pool.deviation[frames])]
    order = np.argsort(pool.deviation[finite], kind="stable")
    return finite[order[: max(count, 0)]]
