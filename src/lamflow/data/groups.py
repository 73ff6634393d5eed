"""Group frames that are nearly the same, so that a split does not tear them apart."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee
from scipy.spatial import cKDTree

from lamflow.data.frames import FloatArray, IntArray

NEIGHBOURS = 8
NEAR_FRACTION = 0.35
"""Frames are near if their distance is below this part of the typical distance of the set."""
_SAMPLE = 2000
_TINY = 1e-6
# Directions with less of the largest spread than this mostly carry what atoms far away do.
_MINOR = 0.05


@dataclass(frozen=True)
class Near:
    """Frames of one composition that are nearly the same.

    Attributes
    ----------
    groups
        (nframes,) number of each frame's group, from 0.
    edges
        (nedges, 2) pairs of near frames, at most `NEIGHBOURS` per frame.
    """

    groups: IntArray
    edges: IntArray


def near_groups(points: FloatArray, seed: int) -> Near:
    """Join frames of one composition whose fingerprints are nearly the same.

    Distances are measured in units of the spread of each principal direction. Independent frames
    of one ensemble then lie at about the same distance from each other (it concentrates with the
    number of directions), and correlated ones clearly below, whatever the system: frames are
    joined if they are closer than `NEAR_FRACTION` of the median distance of random pairs.

    Parameters
    ----------
    points
        (nframes, ndim) fingerprints; frames with NaN stay alone.
    seed
        For the random pairs.
    """
    count = len(points)
    usable = np.flatnonzero(np.isfinite(points).all(axis=1))
    if len(usable) < 2:
        return Near(np.arange(count), np.empty((0, 2), dtype=np.int64))
    scaled = _whitened(points[usable])
    generator = np.random.default_rng(seed)
    one, other = generator.integers(0, len(usable), size=(2, _SAMPLE))
    distinct = one != other
    typical = np.median(np.linalg.norm(scaled[one[distinct]] - scaled[other[distinct]], axis=1))
    reach = max(NEAR_FRACTION * float(typical), _TINY)
    neighbours = min(NEIGHBOURS + 1, len(usable))
    distance, index = cKDTree(scaled).query(scaled, k=neighbours, distance_upper_bound=reach)
    rows, columns = np.nonzero(np.isfinite(distance))
    edges = np.stack([usable[rows], usable[index[rows, columns]]], axis=1)
    edges = edges[edges[:, 0] != edges[:, 1]]
    groups = connected_components(_graph(edges, count), directed=False)[1]
    return Near(groups.astype(np.int64), edges)


def _whitened(points: FloatArray) -> FloatArray:
    """Scale principal directions to unit spread; minor directions are dropped."""
    centred = points - points.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    keep = spread > max(spread[0] * _MINOR, 1e-9 * np.sqrt(len(points)))
    if not keep.any():
        return np.zeros((len(points), 1))
    return np.asarray(centred @ axes[keep].T / spread[keep] * np.sqrt(len(points)))


def cut_large(near: Near, largest: int) -> tuple[IntArray, int]:
    """Cut groups of more than `largest` frames into blocks of about that many.

    A trajectory, or a cloud of small displacements, is often one connected group. Its frames are
    put into an order in which near frames follow each other, and that order is cut, so that only
    frames at the ends of blocks have a near one in another block.

    Parameters
    ----------
    near
        Groups and pairs of near frames.
    largest
        Frames that a group may have without being cut.

    Returns
    -------
    tuple
        (nframes,) new groups, and how many frames were in groups that were cut.

    Notes
    -----
    Source of the order: reverse Cuthill–McKee, as scipy implements it.
    """
    result = np.array(near.groups, dtype=np.int64)
    following = int(result.max()) + 1 if len(result) else 0
    order = reverse_cuthill_mckee(_graph(near.edges, len(result)).tocsr(), symmetric_mode=False)
    cut = 0
    for label, size in zip(*np.unique(near.groups, return_counts=True), strict=True):
        if size <= largest:
            continue
        members = order[near.groups[order] == label]
        for piece in np.array_split(members, -(-size // largest))[1:]:
            result[piece] = following
            following += 1
        cut += int(size)
    return np.unique(result, return_inverse=True)[1].astype(np.int64), cut


def _graph(edges: IntArray, count: int) -> coo_array:
    both = np.concatenate([edges, edges[:, ::-1]])
    return coo_array((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count))


def assign(labels: IntArray, fractions: Mapping[str, float], seed: int) -> dict[str, IntArray]:
    """Deal groups out to the parts, each part as near to its fraction as groups allow.

    Groups come in random order; each goes to the part that lacks most frames. Every part with a
    fraction above 0 gets a group, if there are as many groups as parts.

    Returns
    -------
    dict
        Sorted indices of the frames of each part.
    """
    wanted = {part: fraction for part, fraction in fractions.items() if fraction > 0}
    total = sum(wanted.values())
    target = {part: len(labels) * fraction / total for part, fraction in wanted.items()}
    sizes = np.bincount(labels)
    order = np.random.default_rng(seed).permutation(len(sizes))
    got = dict.fromkeys(wanted, 0)
    home = np.zeros(len(sizes), dtype=np.int64)
    names = list(wanted)
    for place, group in enumerate(order):
        left = len(order) - place
        empty = [part for part in names if not got[part]]
        choices = empty if 0 < len(empty) >= left else names
        best = max(choices, key=lambda part: target[part] - got[part])
        home[group] = names.index(best)
        got[best] += int(sizes[group])
    parts = {part: np.flatnonzero(home[labels] == i) for i, part in enumerate(names)}
    return parts | {part: np.array([], dtype=np.int64) for part in fractions if part not in wanted}
