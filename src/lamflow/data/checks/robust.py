"""Statistics that a quarter of wrong frames does not spoil."""

import numpy as np

from lamflow.data.frames import FloatArray

_NORMAL = 1.4826


def spread(values: FloatArray, floor: float = 0.0) -> tuple[float, float]:
    """Return median and scaled median absolute deviation (a standard deviation if normal).

    Values that are not finite do not count. Source: Rousseeuw & Croux, J. Am. Stat. Assoc. 88,
    1273 (1993).
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.nan, np.nan
    middle = float(np.median(finite))
    return middle, max(_NORMAL * float(np.median(np.abs(finite - middle))), floor)


def scores(values: FloatArray, floor: float = 0.0) -> FloatArray:
    """Return how many robust standard deviations each value is above the median."""
    middle, width = spread(values, floor)
    if not np.isfinite(width) or width == 0:
        return np.where(values > middle, np.inf, np.where(values < middle, -np.inf, 0.0))
    return (values - middle) / width


def trimmed_rms(values: FloatArray, kept: float = 0.9) -> float:
    """Root mean square without the largest part of the values; 0 if there are none."""
    finite = np.sort(values[np.isfinite(values)])
    finite = finite[: max(1, int(kept * len(finite)))]
    return float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0
