from collections.abc import Callable

import numpy as np
import pytest

from lamflow.data.fingerprint import neighbour_pairs
from lamflow.data.frames import System

CELL = np.diag([7.0, 7.5, 8.0])


def lennard_jones(coords: np.ndarray, cell: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy eV, forces and virial of a smooth pair potential with its minimum near 2.5 Å."""
    pairs = neighbour_pairs(coords, cell)
    r = pairs.distances
    fade = (1 - (r / 6.0) ** 2) ** 2
    pair = 0.4 * ((2.3 / r) ** 8 - 2 * (2.3 / r) ** 4)
    slope = 0.4 * (-8 * (2.3 / r) ** 8 + 8 * (2.3 / r) ** 4) / r
    derivative = slope * fade + pair * 2 * (1 - (r / 6.0) ** 2) * (-2 * r / 36.0)
    push = derivative[:, None] * pairs.vectors / r[:, None]
    forces = np.zeros_like(coords)
    np.add.at(forces, pairs.first, push)
    np.add.at(forces, pairs.second, -push)
    return float((pair * fade).sum()), forces, -pairs.vectors.T @ push


@pytest.fixture
def crystal() -> Callable[..., System]:
    """Frames of twelve displaced atoms with labels of a known potential."""

    def make(nframes: int = 60, seed: int = 0, name: str = "sys") -> System:
        rng = np.random.default_rng(seed)
        grid = np.array([[x, y, z] for x in range(2) for y in range(2) for z in range(3)])
        base = (grid + 0.25) * np.diag(CELL) / [2, 2, 3]
        coords = base + rng.normal(scale=0.15, size=(nframes, 12, 3))
        cells = np.tile(CELL, (nframes, 1, 1))
        labels = [lennard_jones(x, c) for x, c in zip(coords, cells, strict=True)]
        return System(
            name=name, type_map=("Cu",), types=np.zeros((nframes, 12), dtype=np.int64),
            coords=coords, cells=cells, energies=np.array([e - 36.0 for e, _, _ in labels]),
            forces=np.array([f for _, f, _ in labels]),
            virials=np.array([v for _, _, v in labels]), origins=np.arange(nframes),
        )  # fmt: skip

    return make
