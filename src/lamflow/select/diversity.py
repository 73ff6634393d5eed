"""Pick frames that differ from each other and from those that are known."""

from collections.abc import Mapping, Sequence

import numpy as np

from lamflow.data.frames import FloatArray, IntArray


def farthest_points(
    points: FloatArray,
    count: int,
    rng: np.random.Generator,
    known: FloatArray | None = None,
    *,
    reach: float | None = None,
) -> IntArray:
    """Pick points one by one, each as far as possible from all picked before.

    Parameters
    ----------
    points
        (npoints, ndim), any unit; Euclidean distances are meant.
    count
        How many to pick; all, if there are not more.
    rng
        Draws the first point if nothing is known.
    known
        (nknown, ndim) points to keep away from as well.
    reach
        Stop once every point is this near to a picked or known one.

    Returns
    -------
    Indices into `points` in the order of picking. Of equally far points the first is taken.

    Notes
    -----
    Source: Gonzalez, Theor. Comput. Sci. 38, 293 (1985). Time is O(npoints · count), memory
    O(npoints).
    """
    count = min(count, len(points))
    distance = np.full(len(points), np.inf)
    for point in known if known is not None else ():
        distance = np.minimum(distance, _squared(points, point))
    picked: list[int] = []
    while len(picked) < count:
        first = not picked and known is None
        index = int(rng.integers(len(points))) if first else int(distance.argmax())
        if reach is not None and distance[index] <= reach**2:
            break
        picked.append(index)
        distance = np.minimum(distance, _squared(points, points[index]))
        distance[index] = -1.0  # never again, even where all points are the same
    return np.array(picked, dtype=np.int64)


def _squared(points: FloatArray, point: FloatArray) -> FloatArray:
    return np.asarray(np.square(points - point).sum(axis=1))


def random_points(npoints: int, count: int, rng: np.random.Generator) -> IntArray:
    """Pick points at random: the baseline that a selection has to beat."""
    return rng.permutation(npoints)[:count].astype(np.int64)


def share_out(available: Mapping[str, int], count: int) -> dict[str, int]:
    """Divide `count` labels over compositions as evenly as what is there allows.

    A composition with fewer frames than its share leaves the rest to the others.

    Parameters
    ----------
    available
        Candidates per composition.
    count
        Labels to give.

    Returns
    -------
    Labels per composition; their sum is `count`, or all there are.
    """
    given = dict.fromkeys(available, 0)
    left = min(count, sum(available.values()))
    while left:
        open_ = [name for name in available if given[name] < available[name]]
        share = max(1, left // len(open_))
        for name in open_:
            more = min(share, available[name] - given[name], left)
            given[name] += more
            left -= more
    return given


def by_name(names: Sequence[str]) -> dict[str, IntArray]:
    """Indices of equal names, in the order of their first appearance."""
    found: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        found.setdefault(name, []).append(index)
    return {name: np.array(members, dtype=np.int64) for name, members in found.items()}
