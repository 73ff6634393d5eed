"""An error bound from one model: how far a frame is from what the model was trained on.

For runs without a committee. The distance of a frame to the nearest training frame in the
model's own descriptor is turned into a bound on its force error by split conformal prediction.
"""

from dataclasses import dataclass

import numpy as np

from lamflow.data.frames import FloatArray
from lamflow.errors import InputError


@dataclass(frozen=True)
class ConformalBound:
    """A frame at `distance` has an error of at most factor × distance, with this coverage.

    Attributes
    ----------
    factor
        eV/Å per unit of descriptor distance; infinite if there are too few labelled frames.
    coverage
        Fraction of new frames, like those calibrated on, for which the bound holds; 0 to 1.
    frames
        Labelled frames used.
    """

    factor: float
    coverage: float
    frames: int

    def bound(self, distance: FloatArray) -> FloatArray:
        """Bound on the error of each frame, eV/Å."""
        return self.factor * distance


def conformal_bound(
    distance: FloatArray, error: FloatArray, coverage: float = 0.9
) -> ConformalBound:
    """Calibrate on labelled frames that were not trained on.

    Parameters
    ----------
    distance
        (nframes,) to the nearest training frame, see `nearest_distance`.
    error
        (nframes,) eV/Å, largest force error of the same frames.
    coverage
        Between 0 and 1. At least ``coverage / (1 - coverage)`` frames are needed for a finite
        bound.

    Raises
    ------
    InputError
        `coverage` is not between 0 and 1.

    Notes
    -----
    The factor is the ceil((n + 1) · coverage)-th smallest error / distance. Source: split
    conformal prediction with normalised scores, Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018);
    for interatomic potentials Hu et al., Mach. Learn.: Sci. Technol. 3, 045028 (2022).
    """
    if not 0 < coverage < 1:
        raise InputError(f"a coverage of {coverage} is not between 0 and 1")
    usable = np.isfinite(distance) & np.isfinite(error) & (distance > 0)
    scores = np.sort(error[usable] / distance[usable])
    rank = int(np.ceil((len(scores) + 1) * coverage))
    factor = float(scores[rank - 1]) if rank <= len(scores) else np.inf
    return ConformalBound(factor, coverage, len(scores))


def nearest_distance(points: FloatArray, known: FloatArray) -> FloatArray:
    """Euclidean distance of each of `points` (npoints, ndim) to the nearest of `known`."""
    from scipy.spatial import cKDTree

    if not len(known):
        return np.full(len(points), np.inf)
    return np.asarray(cKDTree(known).query(points)[0])
