import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lamflow.data.fingerprint import fingerprint as of_pairs
from lamflow.data.fingerprint import fingerprints, neighbour_pairs

CELL = np.array([[7.0, 0, 0], [1.0, 8.0, 0], [0.5, -1.0, 9.0]])
NUMBERS = np.array([8, 8, 22, 22, 8, 1])


def fingerprint(coords: np.ndarray, cell: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return of_pairs(neighbour_pairs(coords, cell), numbers)


@pytest.fixture
def coords() -> np.ndarray:
    return np.random.default_rng(3).random((6, 3)) @ CELL


def test_pairs_of_a_cubic_crystal() -> None:
    pairs = neighbour_pairs(np.zeros((1, 3)), np.eye(3) * 4.0, cutoff=5.0)
    # A lone atom sees 6 images at 4 Å; each pair counts once.
    assert len(pairs.distances) == 3
    np.testing.assert_allclose(pairs.distances, 4.0)


def test_invariances(coords: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    plain = fingerprint(coords, CELL, NUMBERS)
    rotation = Rotation.random(rng=rng).as_matrix()
    shifts = rng.integers(-2, 3, size=(6, 3)) @ CELL
    order = np.array([4, 1, 3, 2, 0, 5])
    other_cell = np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]]) @ CELL
    for same in (
        fingerprint(coords + 1.7, CELL, NUMBERS),
        fingerprint(coords @ rotation.T, CELL @ rotation.T, NUMBERS),
        fingerprint(coords + shifts, CELL, NUMBERS),
        fingerprint(coords[order], CELL, NUMBERS[order]),
        fingerprint(coords, other_cell, NUMBERS),
    ):
        np.testing.assert_allclose(same, plain, atol=1e-9)


def test_another_element_or_place_changes_it(coords: np.ndarray) -> None:
    plain = fingerprint(coords, CELL, NUMBERS)
    swapped = NUMBERS[[5, 1, 2, 3, 4, 0]]
    assert np.abs(fingerprint(coords, CELL, swapped) - plain).max() > 1e-3
    moved = coords + np.eye(6, 3) * 0.3
    assert np.abs(fingerprint(moved, CELL, NUMBERS) - plain).max() > 1e-3


def test_broken_frames_give_nan(make_system) -> None:
    system = make_system(3)
    system.coords[1, 0, 0] = np.nan
    assert system.cells is not None
    system.cells[2, 2] = 0
    usable = [bool(np.isfinite(point).all()) for _, point in fingerprints(system)]
    assert usable == [True, False, False]
