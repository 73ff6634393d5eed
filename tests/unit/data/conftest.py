from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lamflow.data.frames import System
from lamflow.data.writer import DatasetWriter

MakeSystem = Callable[..., System]
WriteDataset = Callable[..., Path]


@pytest.fixture
def make_system() -> MakeSystem:
    """Random frames of three O and two Ti atoms at least 1.2 Å apart, smooth labels."""

    def make(
        nframes: int = 6, *, periodic: bool = True, virial: bool = True, seed: int = 0,
        name: str = "sys", natoms: int = 5,
    ) -> System:  # fmt: skip
        rng = np.random.default_rng(seed)
        grid = np.stack(np.meshgrid(*[np.arange(3)] * 3), axis=-1).reshape(-1, 3)[:natoms] * 2.0
        coords = grid + rng.normal(scale=0.2, size=(nframes, natoms, 3))
        types = np.tile(np.arange(natoms) % 2, (nframes, 1))
        forces = rng.normal(size=(nframes, natoms, 3))
        forces -= forces.mean(axis=1, keepdims=True)
        return System(
            name=name, type_map=("O", "Ti"), types=types, coords=coords,
            cells=np.tile(np.eye(3) * 6.0, (nframes, 1, 1)) if periodic else None,
            energies=-100.0 * natoms + rng.normal(size=nframes), forces=forces,
            virials=rng.normal(size=(nframes, 3, 3)) if virial and periodic else None,
            origins=np.arange(nframes),
        )  # fmt: skip

    return make


@pytest.fixture
def write_dataset(tmp_path: Path) -> WriteDataset:
    """Write systems as a dataset folder."""

    def write(*systems: System, name: str = "dataset") -> Path:
        with DatasetWriter(tmp_path / name) as writer:
            for system in systems:
                writer.add(system)
        return tmp_path / name

    return write
