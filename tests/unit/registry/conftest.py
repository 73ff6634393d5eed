from pathlib import Path

import numpy as np
import pytest
from registry_runs import write_run

from lamflow.data.frames import System
from lamflow.data.writer import DatasetWriter
from lamflow.registry.registry import Registry
from lamflow.store.local import LocalStore


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(LocalStore(tmp_path / "registry"))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Four frames of H2O, without a card."""
    rng = np.random.default_rng(0)
    system = System(
        name="water", type_map=("H", "O"), types=np.tile([1, 0, 0], (4, 1)),
        coords=np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
        + rng.normal(scale=0.01, size=(4, 3, 3)),
        cells=None, energies=rng.normal(size=4), forces=rng.normal(size=(4, 3, 3)), virials=None,
        origins=np.arange(4),
    )  # fmt: skip
    with DatasetWriter(tmp_path / "water") as writer:
        writer.add(system)
    return tmp_path / "water"


@pytest.fixture
def run(tmp_path: Path, dataset: Path) -> Path:
    """A run that made a model from `dataset`."""
    return write_run(tmp_path / "run", {"water": dataset})
