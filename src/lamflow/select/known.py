"""Frames that need no label: labelled already, or almost the same as another."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from lamflow.data.fingerprint import fingerprints
from lamflow.data.frames import FloatArray, System
from lamflow.select.diversity import by_name

NEAR = 0.004
"""Fingerprints nearer than this are the same frame: moving atoms by 0.01 Å (standard deviation of
each coordinate) moves the fingerprints of molecules and crystals by 0.001 to 0.009."""


def fingerprint_table(systems: Iterable[System]) -> tuple[list[str], FloatArray]:
    """Compositions and fingerprints (nframes, 24) of all frames; see `lamflow.data.fingerprint`."""
    names: list[str] = []
    rows: list[FloatArray] = []
    for system in systems:
        for name, point in fingerprints(system):
            names.append(name)
            rows.append(point)
    return names, np.array(rows) if rows else np.empty((0, 0))


def new_frames(
    names: Sequence[str],
    points: FloatArray,
    priority: FloatArray,
    known_names: Sequence[str] = (),
    known_points: FloatArray | None = None,
    near: float = NEAR,
) -> NDArray[np.bool_]:
    """Tell which frames are neither known nor near-duplicates of a better one.

    Parameters
    ----------
    names
        Composition of each frame; only frames of one composition can be the same.
    points
        (nframes, ndim) fingerprints; a frame with NaN is never new.
    priority
        (nframes,) of near-duplicates the one with the highest is kept.
    known_names, known_points
        The same of frames that have labels.
    near
        Largest distance of fingerprints that count as the same.

    Returns
    -------
    (nframes,) mask.
    """
    from scipy.spatial import cKDTree

    fresh = np.zeros(len(names), dtype=np.bool_)
    if len(names):
        fresh[:] = np.isfinite(points).all(axis=1)
    known = by_name(known_names)
    for name, members in by_name(names).items():
        members = members[fresh[members]]
        if name in known and known_points is not None and len(members):
            reference = known_points[known[name]]
            tree = cKDTree(reference[np.isfinite(reference).all(axis=1)])
            old = tree.query(points[members])[0] <= near
            fresh[members[old]] = False
            members = members[~old]
        _drop_near(points, members, priority, near, fresh)
    return fresh


def _drop_near(
    points: FloatArray,
    members: NDArray[np.int64],
    priority: FloatArray,
    near: float,
    fresh: NDArray[np.bool_],
) -> None:
    """Go through `members` by priority; each that stays drops those near it."""
    from scipy.spatial import cKDTree

    if len(members) < 2:
        return
    tree = cKDTree(points[members])
    for place in np.argsort(-priority[members], kind="stable"):
        if fresh[members[place]]:
            close = [other for other in tree.query_ball_point(points[members[place]], near)
                     if other != place]  # fmt: skip
            fresh[members[close]] = False
