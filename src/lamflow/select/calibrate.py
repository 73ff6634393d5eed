"""What a model deviation is worth: the error that it stands for, measured on labelled frames.

Deviations of a committee are too small by an unknown factor. That factor is fitted to frames
that have labels but were not trained on, and turns wished errors into trust levels.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from lamflow.data.frames import FloatArray
from lamflow.errors import InputError
from lamflow.select.conformal import conformal_bound

FEW_FRAMES = 10
"""With fewer labelled frames no line is fitted."""
_CAREFUL = 0.8
_WEAK = 0.3
_COVERAGE = 0.9

Method = Literal["line", "ratio", "assumed", "conformal"]


@dataclass(frozen=True)
class Calibration:
    """True force error = slope × predicted deviation.

    Attributes
    ----------
    slope
        Dimensionless.
    method
        `line`: least squares through the origin. `ratio`: fewer than `FEW_FRAMES` frames, the
        80th percentile of error / deviation, so that errors are rather over- than underestimated.
        `assumed`: no usable frame, slope 1. `conformal`: see `calibrate_distance`.
    frames
        Labelled frames used.
    correlation
        Spearman's rank correlation of error and deviation; None with fewer than three frames.
    """

    slope: float
    method: Method
    frames: int
    correlation: float | None

    @property
    def warning(self) -> str:
        """What a reader must know about it; empty if nothing."""
        if self.method == "assumed":
            return "no labelled frame to calibrate on: deviation was taken for error"
        if self.method == "ratio":
            return (
                f"only {self.frames} labelled frames to calibrate on: the 80th percentile of "
                "error / deviation was taken"
            )
        if self.correlation is not None and self.correlation < _WEAK:
            return (
                f"deviation says little about error (rank correlation {self.correlation:.2f}); "
                "more members or more training may help"
            )
        return ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, with the warning."""
        return {**asdict(self), "warning": self.warning}


@dataclass(frozen=True)
class Levels:
    """Trust levels: frames below `low` are accurate, between candidates, above `high` failed.

    Both in eV/Å of the largest force deviation.
    """

    low: float
    high: float

    def bands(self, deviation: FloatArray) -> FloatArray:
        """0 accurate, 1 candidate, 2 failed for each frame, (nframes,); NaN deviates: failed."""
        finite = np.isfinite(deviation)
        safe = np.where(finite, deviation, np.inf)
        return np.where(safe < self.low, 0, np.where(safe < self.high, 1, 2))


def calibrate(deviation: FloatArray, error: FloatArray) -> Calibration:
    """Fit error = slope × deviation.

    Parameters
    ----------
    deviation
        (nframes,) eV/Å, largest force deviation of each frame.
    error
        (nframes,) eV/Å, largest true force error of the same frames. Pairs that are not finite or
        have no deviation are left out.

    Notes
    -----
    A line through the origin by least squares, slope = Σ d·e / Σ d², anew in each iteration, as
    AiiDA-TrainsPot does it.
    """
    usable = np.isfinite(deviation) & np.isfinite(error) & (deviation > 0)
    d, e = deviation[usable], error[usable]
    count = len(d)
    if count == 0:
        return Calibration(1.0, "assumed", 0, None)
    correlation = _rank_correlation(d, e)
    if count < FEW_FRAMES:
        return Calibration(float(np.quantile(e / d, _CAREFUL)), "ratio", count, correlation)
    return Calibration(float(d @ e / (d @ d)), "line", count, correlation)


def calibrate_distance(distance: FloatArray, error: FloatArray) -> Calibration:
    """Bound error by factor × distance where one model stands in for a committee.

    With enough frames the factor is that of `lamflow.select.conformal.conformal_bound` at 90 %
    coverage, else `calibrate` is asked.

    Parameters
    ----------
    distance
        (nframes,) in descriptor space to the nearest training frame.
    error
        (nframes,) eV/Å, as in `calibrate`.
    """
    bound = conformal_bound(distance, error, _COVERAGE)
    if not np.isfinite(bound.factor):
        return calibrate(distance, error)
    usable = np.isfinite(distance) & np.isfinite(error) & (distance > 0)
    correlation = _rank_correlation(distance[usable], error[usable])
    return Calibration(bound.factor, "conformal", bound.frames, correlation)


def trust_levels(calibration: Calibration, wished: float, failed: float) -> Levels:
    """Deviations at which the expected error is `wished` and `failed`, both eV/Å.

    Raises
    ------
    InputError
        Unless 0 < wished < failed.
    """
    if not 0 < wished < failed:
        raise InputError(f"the wished error {wished} eV/Å must be below the failed one, {failed}")
    slope = max(calibration.slope, np.finfo(float).tiny)
    return Levels(wished / slope, failed / slope)


def largest_force_error(predicted: FloatArray, true: FloatArray) -> FloatArray:
    """Length of the worst atom's force error in each frame, (nframes,) eV/Å.

    Both arguments are (nframes, natoms, 3) eV/Å.
    """
    return np.asarray(np.linalg.norm(predicted - true, axis=-1).max(axis=-1))


def _rank_correlation(first: FloatArray, second: FloatArray) -> float | None:
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)
