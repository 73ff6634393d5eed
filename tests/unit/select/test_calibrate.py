import numpy as np
import pytest

from lamflow.errors import InputError
from lamflow.select.calibrate import (
    Levels,
    calibrate,
    calibrate_distance,
    largest_force_error,
    trust_levels,
)


def test_finds_the_slope_of_noisy_errors() -> None:
    rng = np.random.default_rng(3)
    deviation = rng.uniform(0.02, 0.5, 400)
    error = 3.0 * deviation * np.exp(rng.normal(0, 0.1, 400))
    fit = calibrate(deviation, error)
    assert fit.method == "line"
    assert fit.slope == pytest.approx(3.0, rel=0.03)
    assert fit.correlation is not None
    assert fit.correlation > 0.9
    assert fit.warning == ""


def test_exact_line() -> None:
    deviation = np.linspace(0.1, 1, 20)
    assert calibrate(deviation, 2.5 * deviation).slope == pytest.approx(2.5)


def test_few_frames_are_taken_carefully_and_said_to_be_few() -> None:
    deviation = np.full(5, 0.1)
    error = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    fit = calibrate(deviation, error)
    assert fit.method == "ratio"
    assert fit.slope == pytest.approx(4.2)  # 80th percentile of 1, 2, 3, 4, 5
    assert "only 5" in fit.warning


def test_nothing_to_calibrate_on() -> None:
    fit = calibrate(np.array([0.0, np.nan]), np.array([0.1, 0.1]))
    assert (fit.slope, fit.method, fit.frames) == (1.0, "assumed", 0)
    assert "no labelled frame" in fit.warning


def test_says_when_deviation_tells_nothing() -> None:
    rng = np.random.default_rng(4)
    fit = calibrate(rng.uniform(0.1, 0.2, 200), rng.uniform(0.1, 0.2, 200))
    assert "little about error" in fit.warning


def test_levels_are_deviations_of_the_wished_errors() -> None:
    levels = trust_levels(calibrate(np.full(20, 0.1), np.full(20, 0.4)), 0.2, 2.0)
    assert levels.low == pytest.approx(0.05)
    assert levels.high == pytest.approx(0.5)


def test_levels_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(InputError, match="below the failed one"):
        trust_levels(calibrate(np.ones(20), np.ones(20)), 2.0, 1.0)


def test_bands_are_half_open_and_nan_has_failed() -> None:
    bands = Levels(0.1, 0.5).bands(np.array([0.05, 0.1, 0.49, 0.5, np.nan, np.inf]))
    assert bands.tolist() == [0, 1, 1, 2, 2, 2]


def test_error_is_that_of_the_worst_atom() -> None:
    true = np.zeros((1, 2, 3))
    predicted = np.array([[[0.0, 0.0, 1.0], [3.0, 4.0, 0.0]]])
    assert largest_force_error(predicted, true).tolist() == [5.0]


def test_distances_are_bounded_if_there_are_enough_frames_and_else_fitted() -> None:
    distance, error = np.ones(9), np.arange(1.0, 10.0)
    assert calibrate_distance(distance, error).method == "conformal"
    assert calibrate_distance(distance, error).slope == 9.0
    assert calibrate_distance(distance[:5], error[:5]).method == "ratio"
