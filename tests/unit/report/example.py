"""A report of a run that looks real: heads and errors of the OpenLAM 2024 Q0 report."""

import numpy as np

from lamflow.report.model import PretrainReport, StepRecord
from lamflow.train.curve import Curve

OPENLAM = {
    "Cu": (0.1, 3.6, 18.2, ("Cu",)),
    "H2O-PD": (1.0, 3.2, 39.7, ("H", "O")),
    "C12H26": (0.1, 62.5, 710.6, ("H", "C")),
}
"""Head: weight, energy RMSE meV/atom, force RMSE meV/Å, elements."""


def curve(rng, heads=OPENLAM, points=200):
    steps = np.linspace(1, 2000, points)
    series = {}
    for head, (_, energy, force, _) in heads.items():
        decay = 1 + 30 * np.exp(-steps / 250)
        series[head] = {
            f"{part}_{q}": last / 1000 * decay * rng.lognormal(0, noise, points)
            for q, last in (("energy", energy), ("force", force))
            for part, noise in (("validation", 0.08), ("train", 0.25))
        }
    return Curve(steps, np.full(points, 1e-3), series)


def errors(energy, force, virial):
    return {
        "energy_rmse_meV_per_atom": energy,
        "energy_mae_meV_per_atom": 0.7 * energy,
        "force_rmse_meV_per_A": force,
        "force_mae_meV_per_A": 0.6 * force,
        "virial_rmse_meV_per_atom": virial,
    }


def metrics(heads=OPENLAM):
    table = {}
    for name, (_, energy, force, _) in heads.items():
        virial = None if name == "C12H26" else 3 * energy
        baseline = errors(55.0, 640.0, None if virial is None else 150.0)
        table[name] = {"frames": 212, **errors(energy, force, virial), "baseline": baseline}
    weighted = {**errors(9.2, 93.9, 9.3), "baseline": errors(55.0, 640.0, 150.0)}
    return {"heads": table, "weighted": weighted}


def parity(rng, heads=OPENLAM, frames=212):
    arrays = {}
    for name, (_, energy, force, _) in heads.items():
        e, f = rng.normal(0, 0.055, frames), rng.normal(0, 0.64, frames * 60)
        arrays[name] = {
            "energy": np.column_stack([e, e + rng.normal(0, energy / 1000, e.size)]),
            "force": np.column_stack([f, f + rng.normal(0, force / 1000, f.size)]),
        }
    return arrays


def steps(heads=OPENLAM):
    start = 1_760_000_000.0
    found = []
    for index, head in enumerate(heads):
        phase = "cached" if index == 0 else "succeeded"
        found.append(
            StepRecord(f"clean-{head}", "clean", (), phase, start, start + 4.2, {"kept": 1180})
        )
        found.append(
            StepRecord(f"split-{head}", "split", (f"clean-{head}",), phase, start + 5, start + 6)
        )
    splits = tuple(f"split-{head}" for head in heads)
    found.append(
        StepRecord(
            "pretrain", "pretrain", splits, "succeeded", start + 7, start + 431, {"steps": 2000}
        )
    )
    for head in heads:
        needs = ("pretrain", f"split-{head}")
        found.append(
            StepRecord(f"evaluate-{head}", "evaluate", needs, "succeeded", start + 432, start + 440)
        )
    evaluated = tuple(f"evaluate-{head}" for head in heads)
    found.append(StepRecord("report", "report", evaluated, "running", start + 441))
    return found


def datasets(heads=OPENLAM):
    references = {"H": -13.587, "C": -1029.301, "O": -2041.84, "Cu": -3.727}
    return [
        {
            "name": name,
            "weight": weight,
            "frames": 1187,
            "atoms_min": 4,
            "atoms_max": 192,
            "elements": list(elements),
            "labels": ["energy", "force"],
            "dft": "VASP, PBE, 650 eV",
            "licence": "CC-BY-4.0",
            "source": "OpenLAM 2024 Q0",
            "clean": {
                "kept": 1180,
                "quarantined": 7,
                "reasons": {"duplicate": 5, "force too large": 2},
            },
            "split": {
                "frames": {"train": 850, "validation": 118, "test": 212},
                "groups": 300,
                "cut_frames": 20,
                "leak_risk": {"validation": 0.012, "test": 0.0},
            },
            "references": {
                "energies": {element: references[element] for element in elements},
                "rank": len(elements),
                "underdetermined": [],
            },
        }
        for name, (weight, _, _, elements) in heads.items()
    ]


CONFIG = """\
kind: pretrain
name: openlam-mini
seed: 1
datasets:
  - {name: Cu, path: data/cu, weight: 0.1}
  - {name: H2O-PD, path: data/h2o, weight: 1.0}
  - {name: C12H26, path: data/c12h26, weight: 0.1}
model: dpa1-tiny
train: {steps: 2000, batch: "auto:32"}
"""


def report(seed=1, **changes):
    rng = np.random.default_rng(seed)
    values = {
        "name": "openlam-mini",
        "status": "succeeded",
        "config_yaml": CONFIG,
        "steps": steps(),
        "datasets": datasets(),
        "curves": {"seed 1": curve(rng), "seed 2": curve(rng)},
        "metrics": metrics(),
        "parity": parity(rng),
        "model_card": {
            "kind": "model",
            "descriptor": {"type": "se_atten", "rcut_A": 6.0, "sel": 120},
            "parameters": 184_321,
            "type_map": ["H", "C", "O", "Cu"],
            "sha256": "9f" * 32,
        },
        "versions": {
            "lamflow": "0.1.0",
            "deepmd-kit": "3.2.0",
            "torch": "2.9.1",
            "Python": "3.11.2",
            "hardware": "2 CPU cores, no GPU",
            "seed": 1,
        },
    }
    return PretrainReport(**{**values, **changes})
