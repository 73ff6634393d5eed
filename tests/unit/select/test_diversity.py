import numpy as np
import pytest

from lamflow.select.diversity import by_name, farthest_points, random_points, share_out

LINE = np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])


def test_picks_the_farthest_from_what_is_known() -> None:
    picked = farthest_points(LINE, 3, np.random.default_rng(0), known=np.array([[0.0]]))
    assert picked.tolist() == [4, 2, 1]  # 10, then 2 (2 away), then 1 and 9 tie at 1


def test_first_point_is_drawn_by_the_seed_alone() -> None:
    one, same = (farthest_points(LINE, 5, np.random.default_rng(7)) for _ in range(2))
    assert one.tolist() == same.tolist()
    assert sorted(one.tolist()) == [0, 1, 2, 3, 4]


def test_covers_clusters_before_it_comes_back() -> None:
    rng = np.random.default_rng(1)
    centres = np.array([[0, 0], [10, 0], [0, 10], [10, 10]])
    points = np.concatenate([c + rng.normal(0, 0.1, (50, 2)) for c in centres])
    picked = farthest_points(points, 4, rng)
    assert sorted(picked // 50) == [0, 1, 2, 3]


def test_same_points_are_not_picked_twice() -> None:
    picked = farthest_points(np.zeros((4, 2)), 9, np.random.default_rng(0))
    assert sorted(picked.tolist()) == [0, 1, 2, 3]


def test_picking_stops_once_all_are_near() -> None:
    points = np.array([[0.0], [1.0], [10.0], [10.5]])
    rng = np.random.default_rng(0)
    picked = farthest_points(points, 4, rng, np.array([[0.0]]), reach=1.0)
    assert picked.tolist() == [3]


def test_nothing_to_pick_from() -> None:
    assert farthest_points(np.empty((0, 3)), 4, np.random.default_rng(0)).tolist() == []


def test_random_points_are_distinct() -> None:
    assert sorted(random_points(5, 9, np.random.default_rng(0)).tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("available", "count", "given"),
    [
        ({"a": 100, "b": 100}, 10, {"a": 5, "b": 5}),
        ({"a": 100, "b": 2, "c": 100}, 12, {"a": 5, "b": 2, "c": 5}),
        ({"a": 1, "b": 1}, 10, {"a": 1, "b": 1}),
        ({"a": 9, "b": 9, "c": 9}, 2, {"a": 1, "b": 1, "c": 0}),
        ({}, 3, {}),
    ],
)
def test_shares(available: dict[str, int], count: int, given: dict[str, int]) -> None:
    assert share_out(available, count) == given


def test_by_name() -> None:
    assert {k: v.tolist() for k, v in by_name(["x", "y", "x"]).items()} == {"x": [0, 2], "y": [1]}
