"""The child process that explores: ``python -m lamflow.explore.child FOLDER``."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.children import Do, serve
from lamflow.explore.registry import EXPLORERS
from lamflow.explore.store import write_trajectory
from lamflow.label.registry import LABELLERS


def prepare(job: Mapping[str, Any]) -> Do:
    """Load the model once; what is returned explores from one frame."""
    model = LABELLERS.build(job["model"], job["model_settings"]) if job["model"] else None

    def explore(item: Mapping[str, Any], folder: Path, result: Path) -> None:
        from ase import Atoms

        cell = item["cell"]
        start = Atoms(item["symbols"], item["positions"], cell=cell, pbc=cell is not None)
        explorer = EXPLORERS.build(item["explorer"], item["settings"])
        calculator = None
        if explorer.needs_calculator and model is not None:
            calculator = model.calculator(start, folder, gentle=False)
        rng = np.random.default_rng(item["seed"])
        write_trajectory(result, explorer.explore(start, calculator, rng))

    return explore


if __name__ == "__main__":
    serve(Path(sys.argv[1]), prepare)
