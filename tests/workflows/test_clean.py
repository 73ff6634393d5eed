"""The cleaning workflow as a user runs it, on two small datasets with known faults."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lamflow.data.frames import System
from lamflow.data.writer import DatasetWriter

pytestmark = pytest.mark.slow


def argon(seed: int) -> System:
    """Forty frames of eight atoms with energies and forces of a Lennard-Jones potential."""
    import ase
    from ase.calculators.lj import LennardJones

    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*[np.arange(2)] * 3), axis=-1).reshape(-1, 3) * 3.8
    coords = grid + rng.normal(scale=0.1, size=(40, 8, 3))
    energies, forces = [], []
    for places in coords:
        atoms = ase.Atoms("Ar8", positions=places)
        atoms.calc = LennardJones(sigma=3.4, epsilon=0.5, rc=6.0, smooth=True)
        energies.append(atoms.get_potential_energy())
        forces.append(atoms.get_forces())
    return System(
        name="argon", type_map=("Ar",), types=np.zeros((40, 8), dtype=np.int64), coords=coords,
        cells=None, energies=np.array(energies), forces=np.array(forces), virials=None,
        origins=np.arange(40),
    )  # fmt: skip


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    for number, name in enumerate(("one", "two")):
        system = argon(number)
        if name == "one":
            system.forces[5] *= -1
            system.energies[7] = np.nan
            system.energies[9] /= 27.211386
        with DatasetWriter(folder / name) as writer:
            writer.add(system)
    (folder / "clean.yaml").write_text(
        "kind: clean\nname: small\ndatasets:\n"
        "  - {name: one, path: one}\n  - {name: two, path: two}\n"
        "checks: {workers: 1, decisions: {E_UNIT: repair}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "lamflow", "submit", "clean.yaml", "--json"],
        cwd=folder, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    brief = json.loads(done.stdout.splitlines()[-1])
    assert brief["status"] == "succeeded"
    return Path(brief["result"])


def test_flags_name_the_rejected_frames(result: Path) -> None:
    flags = json.loads((result / "flags.json").read_text())
    assert flags == {"one/n008_ef_nopbc": [5, 7], "two/n008_ef_nopbc": []}


def test_every_finding_has_a_line(result: Path) -> None:
    lines = [json.loads(line) for line in (result / "flags.jsonl").read_text().splitlines()]
    found = {(line["frame"], line["code"], line["decision"]) for line in lines}
    assert {(5, "F_SIGN", "reject"), (7, "NAN", "reject"), (9, "E_UNIT", "repair")} <= found


def test_counts_add_up(result: Path) -> None:
    card = json.loads((result / "card.json").read_text())
    assert (card["frames_in"], card["kept"], card["repaired"], card["quarantined"]) == (
        80,
        77,
        1,
        2,
    )


def test_parts_and_quarantine_are_datasets(result: Path) -> None:
    from lamflow.data.dataset import Dataset

    parts = [
        Dataset.open(result / "data/one" / part).nframes for part in ("train", "validation", "test")
    ]
    assert sum(parts) == 38
    assert Dataset.open(result / "quarantine/one/frames").nframes == 2


def test_report_stands_alone(result: Path) -> None:
    page = (result / "report.html").read_text()
    assert "80 frames in = 77 kept + 1 repaired + 2 quarantined" in page
    assert "F_SIGN" in page
    assert "<script" not in page
