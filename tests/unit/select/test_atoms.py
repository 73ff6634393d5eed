import numpy as np

from lamflow.select.atoms import WIDTH, KnownAtoms, frame_points, projected, worst_mean


def test_projection_keeps_distances() -> None:
    points = np.random.default_rng(1).normal(size=(40, 1600))
    near = projected(points)
    ratio = np.linalg.norm(near[1:] - near[0], axis=1) / np.linalg.norm(
        points[1:] - points[0], axis=1
    )
    assert near.shape == (40, WIDTH)
    assert abs(ratio.mean() - 1) < 0.05
    assert ratio.std() < 0.12


def test_short_descriptors_stay_as_they_are() -> None:
    points = np.arange(12.0).reshape(3, 4)
    assert projected(points) is points


def test_distance_is_the_mean_to_the_nearest_of_the_same_element() -> None:
    known = KnownAtoms({1: np.array([[0.0], [1.0], [5.0]]), 8: np.array([[2.0]])}, neighbours=2)
    points = np.array([[[2.0], [2.0], [0.0]]])
    found = known.distances(points, np.array([[1, 8, 6]]))
    assert found[0, :2].tolist() == [1.5, 0.0]
    assert np.isnan(found[0, 2])


def test_sample_is_bounded_and_by_element() -> None:
    rng = np.random.default_rng(2)
    numbers = np.tile([1, 1, 8], (100, 1))
    chunks = [(rng.normal(size=(100, 3, 4)) + 10 * numbers[..., None], numbers) for _ in range(3)]
    known = KnownAtoms.sample(chunks, rng, most=50)
    assert known.numbers == (1, 8)
    far = known.distances(np.full((1, 2, 4), 10.0), np.array([[1, 8]]))
    assert far[0, 0] < 3 < 100 < far[0, 1]


def test_worst_mean_sees_one_odd_atom_whatever_the_size_of_the_cell() -> None:
    rng = np.random.default_rng(3)
    small, large = rng.uniform(0, 1, (200, 8)), rng.uniform(0, 1, (200, 216))
    ones = [np.ones(values.shape, dtype=np.int64) for values in (small, large)]
    usual = worst_mean(small, ones[0], [1]).mean(), worst_mean(large, ones[1], [1]).mean()
    assert abs(usual[0] - usual[1]) < 0.05
    large[:, 0] = 10.0
    assert worst_mean(large, ones[1], [1]).mean() > 3 * usual[1]


def test_worst_mean_of_a_missing_element_is_nan() -> None:
    found = worst_mean(np.full((1, 2), 3.0), np.array([[1, 1]]), [1, 8])
    assert np.allclose(found[0, 0], 3.0)
    assert np.isnan(found[0, 1])


def test_frame_points_do_not_depend_on_order_or_size() -> None:
    rng = np.random.default_rng(4)
    points, numbers = rng.normal(size=(1, 4, 6)), np.array([[1, 8, 1, 8]])
    order = np.array([3, 0, 1, 2])
    whole = frame_points(points, numbers)
    assert np.allclose(frame_points(points[:, order], numbers[:, order]), whole)
    twice = frame_points(np.tile(points, (1, 2, 1)), np.tile(numbers, (1, 2)))
    assert np.allclose(twice, whole)
    assert not np.allclose(frame_points(points, numbers[:, ::-1]), whole)
