"""Each kind of workflow at tiny size: real data, training and MD, of seconds.

Used where a kind is to run for real in pods: in containers, and on a cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lamflow.data.card import make_card, write_card
from lamflow.testing.trainer import emt_system, write_dataset
from lamflow.train import presets
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.export import export_model, make_job
from lamflow.train.protocol import TrainSettings

DATA = Path(__file__).parents[2] / "workflows/data"
ATTENTION = {
    "preset": "dpa1-tiny",
    "descriptor": {"rcut": 4.5, "sel": 40, "neuron": [4, 8], "axis_neuron": 4},
    "fitting_net": {"neuron": [8, 8]},
}
SMALL = {key: value for key, value in ATTENTION.items() if key != "preset"}
COMPRESSIBLE = {
    "descriptor": {
        "type": "se_e2_a", "rcut": 4.5, "rcut_smth": 3.5, "sel": [40, 40], "neuron": [4, 8],
        "axis_neuron": 4, "type_one_side": True, "precision": "float32",
    },
    "fitting_net": {"type": "ener", "neuron": [8, 8], "precision": "float32"},
}  # fmt: skip
TRAIN = {"steps": 20, "batch": 4, "threads": 1}


@dataclass(frozen=True)
class Tiny:
    """One kind.

    Attributes
    ----------
    config
        Its keys besides kind and name; paths are below the folder that `write` fills.
    compared
        File of the result whose numbers are those of any other run of it.
    model
        Whether it takes the trained model ``model``.
    stages
        Files of other kinds beside its own, by name.
    """

    config: Mapping[str, Any]
    compared: str
    model: bool = False
    stages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


KINDS = {
    "pretrain": Tiny(
        {
            "datasets": [
                {"name": "mol", "path": f"{DATA}/mol3bpa"},
                {"name": "oxide", "path": f"{DATA}/tio2", "test": f"{DATA}/tio2_test"},
            ],
            "model": "dpa1-tiny",
            "train": TRAIN,
        },
        "metrics.json",
    ),
    "clean": Tiny({"datasets": [{"name": "alloy", "path": "dirty"}]}, "flags.json"),
    "learn": Tiny(
        {
            "structures": ["alloy.xyz"],
            "test": "test",
            "model": ATTENTION,
            "train": {**TRAIN, "committee": 2},
            "label": {"engine": "emt"},
            "explore": [{"name": "hot", "settings": {"steps": 20, "temperature_K": 600}}],
            "select": {"labels": 4, "force_error": 0.2},
            "start": {"frames": 8, "rattle": 0.05, "strain": 0.0},
            "budget": {"labels": 12, "iterations": 1},
        },
        "state/state.json",
    ),
    "compress": Tiny({"model": "model", "frames": "test"}, "deploy/card.json", model=True),
    "evaluate": Tiny(
        {
            "model": "model",
            "datasets": [{"name": "alloy", "path": "test"}],
            "properties": [
                {
                    "name": "cu",
                    "crystal": {"element": "Cu", "structure": "fcc", "a": 3.6},
                    "tests": ["volume"],
                }
            ],
        },
        "metrics.json",
        model=True,
    ),
    "coverage": Tiny(
        {
            "model": "model",
            "training": [{"name": "alloy", "path": "train"}],
            "datasets": [{"name": "hot", "path": "test"}],
            "coverage": {"training_frames": 20, "calibration_frames": 20, "subset": 3},
        },
        "coverage.json",
        model=True,
    ),
    "finetune": Tiny(
        {
            "model": "model",
            "datasets": [{"name": "new", "path": "train", "test": "test"}],
            "train": TRAIN,
        },
        "metrics.json",
        model=True,
    ),
    "pipeline": Tiny(
        {
            "stages": [
                {"name": "base", "file": "base.yaml"},
                {"name": "exam", "file": "exam.yaml", "model": "base"},
            ]
        },
        "metrics.json",
        stages={
            "base": {
                "kind": "pretrain",
                "name": "base",
                "datasets": [{"name": "alloy", "path": "train"}],
                "model": ATTENTION,
                "train": TRAIN,
            },
            "exam": {
                "kind": "evaluate",
                "name": "exam",
                "model": "nowhere",
                "datasets": [{"name": "alloy", "path": "test"}],
            },
        },
    ),
}
"""`update` is not here: its steps speak to a registry, see tests/cluster."""


def write(kind: str, folder: Path, resources: Mapping[str, Any]) -> Path:
    """Write a kind's YAML and all that it needs into `folder`; return the YAML's path."""
    from ase.build import bulk
    from ase.io import write as write_structure

    folder.mkdir(parents=True, exist_ok=True)
    tiny = KINDS[kind]
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    write_structure(folder / "alloy.xyz", atoms, format="extxyz")
    for seed, part in enumerate(("train", "test")):
        data = write_dataset(folder / part, emt_system(24, seed))
        write_card(data, make_card(data, part, dft="EMT"))
    dirty = emt_system(40, seed=7)
    dirty.energies[3] += 20.0  # type: ignore[index] - eV: a wrong label
    write_card(
        write_dataset(folder / "dirty", dirty), make_card(folder / "dirty", "dirty", dft="EMT")
    )
    if tiny.model:
        _train(folder, COMPRESSIBLE if kind == "compress" else presets.load("dpa1-tiny", SMALL))
    for name, stage in tiny.stages.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(dict(stage), sort_keys=False))
    config = {"kind": kind, "name": f"tiny-{kind}", **tiny.config, "resources": dict(resources)}
    file = folder / f"{kind}.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    return file


def _train(folder: Path, model: Mapping[str, Any]) -> None:
    """Train the model that a kind takes, for a few steps."""
    data = folder / "heads/alloy"
    data.mkdir(parents=True)
    (data / "train").symlink_to(folder / "train")
    settings = TrainSettings(steps=20, batch=4, threads=1)
    job = make_job({"alloy": data}, {"alloy": 1.0}, model, settings)
    export_model(job, DeepmdTrainer().train(job, folder / "work"), folder / "model", "tiny")
