from dataclasses import replace

import numpy as np
import pytest

from lamflow.errors import InputError
from lamflow.select.survey import Survey
from lamflow.select.verdict import (
    BORDERLINE,
    COVERED,
    NEW,
    Yardstick,
    conformal_bands,
    conformal_p,
    judge,
    verdict_of,
    wilson_interval,
)

SYMBOLS = ("H", "O")


def made(frames: int, seed: int, labelled: bool = True) -> Survey:
    """Frames of water whose errors, deviations and distances scatter as those of any other."""
    rng = np.random.default_rng(seed)
    shape = (frames, 2)
    error = rng.lognormal(size=shape) if labelled else np.full(shape, np.nan)
    return Survey(
        symbols=SYMBOLS, places=tuple(("water", index) for index in range(frames)),
        compositions=("H2O1",) * frames, counts=np.tile([2, 1], (frames, 1)),
        foreign=np.zeros(frames, dtype=np.bool_), error=error, relative=error / 2,
        energy=np.full((frames, 1), np.nan), deviation=rng.lognormal(size=shape) / 3,
        distance=rng.lognormal(size=shape), points=np.zeros((frames, 3), dtype=np.float32),
        force_squares=np.full(frames, np.nan), force_error_squares=np.full(frames, np.nan),
    )  # fmt: skip


@pytest.fixture(scope="module")
def usual() -> Yardstick:
    return Yardstick(made(200, 0), 0.9)


def test_chance_of_a_false_alarm_is_as_promised() -> None:
    rng = np.random.default_rng(7)
    alarms = [
        (conformal_p(rng.lognormal(size=50), rng.lognormal(size=19)) <= 0.1).mean()
        for _ in range(400)
    ]
    assert 0.085 < np.mean(alarms) < 0.115


def test_bands_by_rank() -> None:
    known = np.arange(1.0, 20.0)  # 19 frames: p is a multiple of 0.05
    chances, bands = conformal_bands(np.array([0.5, 18.5, 19.5, np.nan]), known, 0.9)
    assert np.allclose(chances[:3], [1.0, 0.1, 0.05])
    assert bands.tolist() == [COVERED, BORDERLINE, NEW, NEW]


def test_wilson_interval_of_five_in_ten() -> None:
    low, high = wilson_interval(0.5, 10)
    assert (round(low, 4), round(high, 4)) == (0.2366, 0.7634)
    assert wilson_interval(1.0, 4)[1] == pytest.approx(1.0)
    assert wilson_interval(0.0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("labelled", [True, False])
def test_frames_like_the_training_set_are_covered(usual: Yardstick, labelled: bool) -> None:
    judged = judge(made(2000, 1, labelled), usual, SYMBOLS)
    assert 0.85 < (judged.bands == COVERED).mean() < 0.95
    assert (judged.bands == NEW).mean() < 0.03
    assert judged.suspect.mean() < 0.01


def test_large_errors_make_frames_new(usual: Yardstick) -> None:
    seen = made(100, 2)
    judged = judge(replace(seen, error=seen.error * 30, distance=seen.distance * 5), usual, SYMBOLS)
    assert (judged.bands == NEW).mean() > 0.8
    assert not judged.suspect.any()


def test_an_error_that_nothing_explains_makes_the_label_doubtful(usual: Yardstick) -> None:
    seen = made(100, 3)
    error = seen.error.copy()
    error[:5] = 500.0
    for table in (seen.deviation, seen.distance):
        table[:5] = 0.1
    judged = judge(replace(seen, error=error, relative=error / 2), usual, SYMBOLS)
    assert judged.suspect[:5].all()
    assert judged.suspect[5:].sum() <= 2


def test_many_such_errors_are_another_method_not_wrong_labels(usual: Yardstick) -> None:
    seen = made(100, 3)
    for table in (seen.deviation, seen.distance):
        table[:] = 0.1
    error = np.full(seen.error.shape, 500.0)
    assert not judge(replace(seen, error=error), usual, SYMBOLS).suspect.any()


def test_predicted_well_but_far_away_is_borderline(usual: Yardstick) -> None:
    seen = made(100, 4)
    seen.error[:] = seen.relative[:] = 0.1
    judged = judge(replace(seen, distance=np.full(seen.distance.shape, 1e3)), usual, SYMBOLS)
    assert set(judged.bands.tolist()) == {BORDERLINE}


def test_an_element_that_was_not_trained_on_is_new(usual: Yardstick) -> None:
    judged = judge(made(10, 5), usual, ("H",))
    assert set(judged.bands.tolist()) == {NEW}
    assert judged.strange.all()
    assert set(judged.elements[:, 1].tolist()) == {NEW}
    assert COVERED in judged.elements[:, 0]


def test_elements_are_judged_by_themselves(usual: Yardstick) -> None:
    seen = made(100, 6, labelled=False)
    seen.distance[:, 1] *= 100
    judged = judge(seen, usual, SYMBOLS)
    assert (judged.elements[:, 1] == NEW).mean() > 0.9
    assert (judged.elements[:, 0] == COVERED).mean() > 0.8


def test_too_few_calibration_frames_are_refused() -> None:
    with pytest.raises(InputError, match=r"only 9 frames .* 10 are needed"):
        Yardstick(made(9, 1), 0.9)


def test_expected_share_allows_for_few_calibration_frames() -> None:
    few, many = Yardstick(made(30, 1), 0.9).expected, Yardstick(made(2000, 1), 0.9).expected
    assert 0.75 < few < 0.85 < many < 0.9


@pytest.mark.parametrize(
    ("covered", "new", "interval", "verdict"),
    [
        (0.9, 0.0, (0.8, 0.95), "covered"),
        (0.78, 0.1, (0.6, 0.9), "covered"),
        (0.78, 0.1, (0.75, 0.8), "borderline"),
        (0.1, 0.8, (0.05, 0.2), "new"),
        (0.1, 0.1, (0.05, 0.2), "borderline"),
    ],
)
def test_verdict_on_a_dataset(
    covered: float, new: float, interval: tuple[float, float], verdict: str
) -> None:
    assert verdict_of(covered, new, interval, 0.85) == verdict
