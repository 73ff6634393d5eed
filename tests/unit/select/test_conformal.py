import numpy as np
import pytest

from lamflow.errors import InputError
from lamflow.select.conformal import conformal_bound, nearest_distance


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_covers_as_many_new_frames_as_promised(coverage: float) -> None:
    rng = np.random.default_rng(5)
    held = []
    for _ in range(200):
        distance = rng.uniform(0.1, 2.0, 240)
        error = distance * rng.lognormal(0, 1, 240)
        found = conformal_bound(distance[:40], error[:40], coverage)
        held.append(np.mean(error[40:] <= found.bound(distance[40:])))
    assert coverage - 0.01 < np.mean(held) < coverage + 0.035  # at most 1/(n+1) above


def test_factor_is_an_order_statistic() -> None:
    found = conformal_bound(np.ones(9), np.arange(1.0, 10.0), 0.9)
    assert (found.factor, found.frames) == (9.0, 9)


def test_too_few_frames_promise_nothing() -> None:
    assert conformal_bound(np.ones(8), np.ones(8), 0.9).factor == np.inf


def test_coverage_is_checked() -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        conformal_bound(np.ones(3), np.ones(3), 1.0)


def test_distance_to_the_nearest() -> None:
    known = np.array([[0.0, 0.0], [4.0, 0.0]])
    assert nearest_distance(np.array([[3.0, 0.0], [0.0, 2.0]]), known).tolist() == [1.0, 2.0]
    assert nearest_distance(np.zeros((1, 2)), np.empty((0, 2))).tolist() == [np.inf]
