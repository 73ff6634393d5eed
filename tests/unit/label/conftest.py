import textwrap

import numpy as np
import pytest
from ase.build import bulk

from lamflow.data.frames import System

FAKE = '''
"""A labeller that misbehaves on command: the number of atoms of a frame says how."""
import os, signal, subprocess, sys, time
from pathlib import Path

from ase.calculators.emt import EMT
from lamflow.children import ENGINE_LOG
from lamflow.config.base import StrictModel
from lamflow.errors import InputError
from lamflow.label.protocol import UnconvergedError


class Settings(StrictModel):
    deeds: dict[int, str] = {}
    """Number of atoms to what goes wrong."""
    notes: Path
    """One line is added for each frame that is begun."""


class Pushed(EMT):
    def calculate(self, *arguments):
        super().calculate(*arguments)
        self.results["forces"] = self.results["forces"] + 1.0


class Broken(EMT):
    def calculate(self, *arguments):
        super().calculate(*arguments)
        self.results["forces"][0, 0] = float("nan")


class Fake:
    settings_type = Settings
    frames_per_process = 3

    def __init__(self, settings):
        self.settings = settings

    def check(self, elements, periodic):
        if "Au" in elements:
            raise InputError("no gold")

    def identity(self, elements):
        return {"engine": "fake"}

    def calculator(self, atoms, folder, *, gentle):
        deed = self.settings.deeds.get(len(atoms), "")
        with self.settings.notes.open("a") as notes:
            notes.write(f"{len(atoms)} {deed} {'gentle' if gentle else ''}\\n")
        (folder / ENGINE_LOG).write_text(f"line of the engine\\nat {len(atoms)} atoms")
        if deed == "sleep":
            sleep = "import time; time.sleep(600)"
            subprocess.Popen([sys.executable, "-c", sleep, f"of {self.settings.notes}"])
            time.sleep(600)
        if deed == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if deed == "die once":
            mark = self.settings.notes.with_suffix(".died")
            if not mark.exists():
                mark.touch()
                os._exit(9)
        if deed == "unconverged" or deed == "needs gentle" and not gentle:
            raise UnconvergedError("accuracy 0.3 after 5 cycles")
        if deed == "error":
            raise ZeroDivisionError("in the engine")
        if deed == "refused":
            raise InputError("odd number of electrons")
        return {"push": Pushed, "nan": Broken}.get(deed, EMT)()

    def evidence(self, calculator, folder):
        return "closed form"

    def explain(self, error, folder):
        return error
'''


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Offer a labeller the way another package does; give its settings."""
    site = tmp_path / "site"
    info = site / "fake_labeller-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "fake_labeller.py").write_text(textwrap.dedent(FAKE), encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-labeller\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lamflow.labellers]\nfake = fake_labeller:Fake\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    return {"notes": str(tmp_path / "notes.txt")}


@pytest.fixture
def begun(fake):
    """Tell which frames the fake labeller began, in order."""

    def read():
        from pathlib import Path

        notes = Path(fake["notes"])
        return [line.rstrip() for line in notes.read_text().splitlines()] if notes.exists() else []

    return read


def copper(natoms, nframes=1, seed=0):
    """Rattled chains of copper in a cell that is not lower-triangular."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Cu").repeat((natoms, 1, 1))
    return System(
        name=f"cu{natoms}",
        type_map=("H", "Cu"),
        types=np.ones((nframes, natoms), dtype=np.int64),
        coords=atoms.positions + rng.normal(0, 0.05, (nframes, natoms, 3)),
        cells=np.repeat(atoms.cell.array[None], nframes, axis=0),
        energies=None,
        forces=None,
        virials=None,
        origins=np.arange(nframes) + 100,
    )
