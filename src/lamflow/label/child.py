"""The child process that labels frames: ``python -m lamflow.label.child FOLDER``."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamflow.children import Do, serve
from lamflow.files import write_json
from lamflow.label.read import label_atoms
from lamflow.label.registry import LABELLERS


def prepare(job: Mapping[str, Any]) -> Do:
    """Make the labeller once; what is returned labels one frame."""
    labeller = LABELLERS.build(job["labeller"], job["settings"])

    def label(frame: Mapping[str, Any], folder: Path, result: Path) -> None:
        from ase import Atoms

        cell = frame["cell"]
        atoms = Atoms(frame["symbols"], frame["positions"], cell=cell, pbc=cell is not None)
        started = time.monotonic()
        found = label_atoms(
            labeller, atoms, folder, gentle=job["gentle"],
            largest_net_force_eV_per_A=job["largest_net_force_eV_per_A"],
        )  # fmt: skip
        values = {
            "energy_eV": found.energy,
            "forces_eV_per_A": found.forces.tolist(),
            "virial_eV": None if found.virial is None else found.virial.tolist(),
            "evidence": found.evidence,
            "seconds": round(time.monotonic() - started, 3),
            "identity": frame["identity"],
        }
        write_json(result, values)

    return label


if __name__ == "__main__":
    serve(Path(sys.argv[1]), prepare)
