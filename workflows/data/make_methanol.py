"""Make the data of `workflows/learn.yaml`: methanol, and a test set labelled with PBE/def2-SVP.

``python make_methanol.py FOLDER`` writes ``methanol.xyz`` and ``methanol_test/``. The frames of the
test set are from molecular dynamics with GFN2-xTB at 300 and 600 K, 200 fs apart, so that they do
not come from any model that is tested on them. Needs ``tblite`` and ``pyscf``.
"""

import sys
from pathlib import Path

import numpy as np

from lamflow.data.card import make_card, write_card
from lamflow.data.frames import System
from lamflow.data.writer import DatasetWriter
from lamflow.explore.run import Walk, explore_all
from lamflow.label.atoms import from_atoms
from lamflow.label.run import LabelSettings, label_systems

DFT = {"functional": "pbe", "basis": "def2-svp", "grid_level": 3}
TEMPERATURES_K = (300.0, 600.0)
FRAMES = 16
EVERY = 400
SKIPPED = 2


def start() -> System:
    """Return methanol as in the G2 set."""
    from ase.build import molecule
    from ase.io import write

    atoms = molecule("CH3OH")
    write(
        Path(sys.argv[1]) / "methanol.xyz", atoms, format="extxyz", columns=["symbols", "positions"]
    )
    return from_atoms(atoms, ("H", "C", "O"), "methanol")


def explored(system: System, scratch: Path) -> list[System]:
    """Sample at each temperature; the first frames are left out."""
    steps = (FRAMES + SKIPPED - 1) * EVERY
    walks = [
        Walk(f"xtb-{t:.0f}K", system, "md",
             {"steps": steps, "temperature_K": t, "timestep_fs": 0.5, "save_every": EVERY}, seed)
        for seed, t in enumerate(TEMPERATURES_K, start=1)
    ]  # fmt: skip
    done = explore_all(walks, scratch, model="tblite")
    return [
        one.frames.take(np.arange(SKIPPED, len(one.steps))) for one in done.trajectories.values()
    ]


def main() -> None:
    """Write both."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    frames = explored(start(), folder / ".scratch")
    done = label_systems(
        frames, "pyscf", DFT, folder / ".scratch/labels", LabelSettings(processes=2)
    )
    with DatasetWriter(folder / "methanol_test") as writer:
        for system in done.labelled:
            writer.add(system)
    card = make_card(
        folder / "methanol_test", "methanol_test", dft="PySCF 2.14 PBE/def2-SVP, grid level 3",
        licence="CC0-1.0", source="workflows/data/make_methanol.py",
    )  # fmt: skip
    write_card(folder / "methanol_test", card)
    print(card.frames, "frames,", len(done.rejected), "rejected")


if __name__ == "__main__":
    main()
