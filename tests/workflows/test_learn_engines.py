"""The loop with engines other than the toy, tiny: one iteration on a small crystal."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.io import write
from runs import finish, lamflow

pytestmark = pytest.mark.slow

PSEUDO = Path("/usr/share/espresso/pseudo")
HELIUM = Atoms(
    "He2", [[0, 0, 0], [1.5, 0.4, 0.2]], cell=[[3, 0, 0], [0.5, 3, 0], [0, 0.3, 3]], pbc=True
)
ENGINES: dict[str, tuple[Atoms, dict[str, Any]]] = {
    "tblite": (bulk("Si", cubic=True), {}),
    "espresso": (
        bulk("Si"),
        {
            "pseudopotentials": {"Si": "Si.pbe-rrkj.UPF"},
            "pseudopotential_folder": str(PSEUDO),
            "cutoff_eV": 200.0,
            "kpoint_spacing_per_A": 0.8,
        },
    ),
    "cp2k": (HELIUM, {"cutoff_eV": 4000.0, "kpoint_spacing_per_A": 3.0}),
}
MISSING = {
    "tblite": "" if find_spec("tblite") else "tblite is not installed",
    "espresso": ""
    if shutil.which("pw.x") and (PSEUDO / "Si.pbe-rrkj.UPF").exists()
    else "quantum-espresso and quantum-espresso-data are not installed",
    "cp2k": ""
    if shutil.which("cp2k.psmp") and Path("/usr/share/cp2k").is_dir()
    else "cp2k and cp2k-data are not installed",
}


def config(engine: str) -> dict[str, Any]:
    return {
        "kind": "learn",
        "name": "crystal",
        "structures": ["crystal.xyz"],
        "model": {
            "preset": "dpa1-tiny",
            "descriptor": {"rcut": 4.0, "sel": 60, "neuron": [4, 8], "axis_neuron": 4},
            "fitting_net": {"neuron": [16, 16]},
        },
        # alone, its distance in descriptor space stands in for a committee's deviation
        "train": {"steps": 60, "committee": 1, "threads": 1, "batch": 1},
        "label": {"engine": engine, "settings": ENGINES[engine][1], "workers": 1},
        "explore": [
            {"name": "shake", "explorer": "perturb", "settings": {"frames": 8, "rattle_A": 0.05}}
        ],
        "select": {"labels": 3, "force_error": 0.05, "failed_error": 50.0},
        "start": {"frames": 5, "rattle": 0.05, "strain": 0.02},
        "budget": {"labels": 8, "iterations": 1},
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_one_iteration_on_a_crystal(engine: str, tmp_path: Path) -> None:
    if MISSING[engine]:
        pytest.skip(MISSING[engine])
    write(tmp_path / "crystal.xyz", ENGINES[engine][0], format="extxyz")
    (tmp_path / "learn.yaml").write_text(yaml.safe_dump(config(engine)))
    finish(lamflow("submit", "learn.yaml", "--json", cwd=tmp_path, cache=tmp_path / "cache"))
    state = json.loads((tmp_path / "lamflow-runs/crystal/result/state/state.json").read_text())
    start, last = state["history"]
    assert (start["asked"], start["labelled"]) == (5, 5)
    assert last["asked"] == last["selection"]["picked"] > 0
    assert last["asked"] == last["labelled"] + sum(last["rejected"].values())
    assert state["spent"] == 5 + last["asked"] <= 8
    assert last["levels"][0] > 0
