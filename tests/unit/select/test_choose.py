from collections.abc import Sequence

import numpy as np

from lamflow.data.frames import System
from lamflow.select.calibrate import Levels
from lamflow.select.choose import Choice, Pool, choose
from lamflow.select.descriptor import mean_by_type
from lamflow.select.known import fingerprint_table, new_frames

LEVELS = Levels(0.1, 0.5)


def pool(deviation: Sequence[float], names: Sequence[str] | None = None) -> Pool:
    count = len(deviation)
    return Pool(
        names or ["H2"] * count, np.arange(count, dtype=float)[:, None], np.array(deviation)
    )


def run(frames: Pool, count: int, **more: object) -> Choice:
    return choose(
        frames, LEVELS, count, np.random.default_rng(1),
        lambda index: frames.fingerprints[index], **more,  # type: ignore[arg-type]
    )  # fmt: skip


def check_sums(choice: Choice, frames: Pool) -> None:
    c = choice.counts
    assert c["accurate"] + c["candidate"] + c["failed"] == len(frames)
    assert c["picked"] == len(choice.picked) == len(set(choice.picked.tolist()))


def test_only_candidates_are_picked() -> None:
    frames = pool([0.01, 0.2, 0.3, 0.9, np.nan, 0.4, 0.05, 0.02, 0.03])
    choice = run(frames, 10)
    assert sorted(choice.picked.tolist()) == [1, 2, 5]
    assert choice.counts == {
        "accurate": 4, "candidate": 3, "failed": 2, "duplicate": 0, "left_over": 0, "picked": 3,
        "rescued": 0,
    }  # fmt: skip
    check_sums(choice, frames)


def test_compositions_share_the_labels() -> None:
    frames = pool([0.2] * 9, ["A"] * 7 + ["B"] * 2)
    choice = run(frames, 4)
    assert [frames.compositions[i] for i in choice.picked].count("B") == 2
    assert choice.counts["left_over"] == 5


def test_a_hopeless_model_gets_the_least_wrong_frames() -> None:
    frames = pool([0.2, 3.0, 2.0, 9.0, np.nan, 0.7])
    choice = run(frames, 3)
    assert choice.picked.tolist() == [0, 5, 2]
    assert choice.counts["rescued"] == 2
    check_sums(choice, frames)


def test_a_few_failed_frames_are_left_alone() -> None:
    choice = run(pool([0.2, 0.9, 0.01, 0.01]), 3)
    assert choice.picked.tolist() == [0]


def test_random_takes_any_finite_frame() -> None:
    frames = pool([0.01] * 50 + [np.nan])
    choice = run(frames, 60, strategy="random")
    assert sorted(choice.picked.tolist()) == list(range(50))


def test_labelled_frames_and_near_ones_are_left_out() -> None:
    points = np.array([[0.0], [0.001], [5.0], [7.0]])
    fresh = new_frames(
        ["A", "A", "A", "B"], points, np.array([1.0, 2.0, 3.0, 4.0]), ["A", "B"],
        np.array([[5.001], [0.0]]),
    )  # fmt: skip
    assert fresh.tolist() == [False, True, False, True]  # 1 beats 0, 2 is known, 3 is another


def test_not_finite_frames_are_never_new() -> None:
    assert new_frames(["A"], np.array([[np.nan]]), np.ones(1)).tolist() == [False]
    assert new_frames([], np.empty((0, 0)), np.empty(0)).tolist() == []


def molecule(coords: np.ndarray) -> System:
    types = np.zeros(coords.shape[:2], dtype=np.int64)
    return System("m", ("H",), types, coords, None, None, None, None, np.arange(len(coords)))


def test_a_turned_copy_is_a_duplicate_and_a_stretched_one_is_not() -> None:
    rng = np.random.default_rng(2)
    start = rng.normal(0, 1.2, (6, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    frames = molecule(np.stack([start, start @ turn.T + 3.0, 1.03 * start]))
    names, points = fingerprint_table([frames])
    assert new_frames(names, points, np.array([3.0, 2.0, 1.0])).tolist() == [True, False, True]


def test_mean_of_each_element() -> None:
    described = np.array([[[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]]])
    points = mean_by_type(described, np.array([[0, 0, 2]]), [2, 1, 0])
    assert points.tolist() == [[0.0, 5.0, 0.0, 0.0, 2.0, 0.0]]
