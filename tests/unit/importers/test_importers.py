"""Inputs written after the documented schemas of dpgen2 and PFD-kit."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from model_folders import write_model_folder
from wrong_configs import write_data

from lamflow.config import kinds
from lamflow.config.checks import load_checked_config
from lamflow.errors import InputError
from lamflow.importers.notes import Imported
from lamflow.importers.write import import_file, to_yaml

TEMPLATE = {
    "model": {
        "type_map": ["O", "H"],
        "descriptor": {"type": "se_e2_a", "rcut": 5.0, "rcut_smth": 1.0, "sel": [20, 20],
                       "neuron": [10, 20], "seed": 1},
        "fitting_net": {"neuron": [60, 60], "seed": 1},
    },
    "learning_rate": {"start_lr": 0.001, "stop_lr": 1e-6},
    "loss": {"start_pref_e": 0.02},
    "training": {"numb_steps": 5000, "training_data": {"batch_size": "auto:64"}},
}  # fmt: skip
DPGEN2: dict[str, Any] = {
    "bohrium_config": {"username": "me", "password": "hush"},
    "step_configs": {"run_train_config": {"executor": {"type": "dispatcher"}}},
    "inputs": {"type_map": ["H", "O"], "mass_map": [4, 16], "init_data_prefix": "data",
               "init_data_sys": ["water"], "_comment": "heavy hydrogen"},
    "train": {"type": "dp", "numb_models": 3, "template_script": TEMPLATE, "config": {}},
    "explore": {
        "type": "lmp", "max_numb_iter": 4,
        "convergence": {"type": "fixed-levels", "level_f_lo": 0.1, "level_f_hi": 0.6,
                        "conv_accuracy": 0.9},
        "configurations": [{"type": "file", "files": ["data/water"], "fmt": "deepmd/npy"}],
        "stages": [
            [{"type": "lmp-md", "ensemble": "npt", "nsteps": 200, "dt": 0.0005, "temps": [300, 400],
              "press": [1.0, 10000.0], "trj_freq": 20, "conf_idx": [0], "n_sample": 2}],
            [{"type": "lmp-template", "lmp": "in.lammps", "trj_freq": 10, "conf_idx": [0],
              "n_sample": 1, "revisions": {"V_TEMP": [700], "V_NSTEPS": [50]}}],
        ],
    },
    "fp": {"type": "gaussian", "task_max": 30, "run_config": {"command": "g16"},
           "inputs_config": {"keywords": "PBE/6-31G** nosymm force", "charge": 1}},
}  # fmt: skip
PFD: dict[str, Any] = {
    "task": {"type": "finetune", "max_iter": 5, "init_ft": False, "init_train": False},
    "inputs": {"base_model_path": "big", "type_map": ["H"], "mass_map": [4.0],
               "init_confs": {"prefix": "data", "confs_paths": ["water"]}},
    "select_confs": {"max_sel": 60, "frame_filter": [{"type": "distance"}],
                     "h_filter": {"chunk_size": 5}},
    "evaluate": {"test_size": 0.3, "model": "dp", "converge": {"type": "force_rmse", "RMSE": 0.06}},
    "exploration": {
        "type": "ase", "config": {"calculator": "dp", "head": "water"},
        "stages": [[{"conf_idx": [0], "n_sample": 1, "ens": "npt", "dt": 2, "nsteps": 3000,
                     "temps": [1000], "press": [1, 10000], "trj_freq": 20}]],
    },
    "fp": {"type": "vasp", "task_max": 50, "inputs_config": {"incar": "INCAR", "kspacing": 0.2}},
    "train": {"type": "dp", "config": {"impl": "pytorch", "head": "water"},
              "template_script": "train.json"},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_data(tmp_path)
    write_model_folder(tmp_path / "big", "water")
    (tmp_path / "train.json").write_text(json.dumps(TEMPLATE))
    return tmp_path


def changed(data: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(data))
    *parents, last = key.split(".")
    node = copy
    for name in parents:
        node = node.setdefault(name, {})
    node[last] = value
    return dict(copy)


def run(folder: Path, program: str, data: dict[str, Any], to: Path | None = None) -> Imported:
    file = folder / "input.json"
    file.write_text(json.dumps(data))
    return import_file(program, file, to or folder)


def said(found: Imported, *words: str) -> bool:
    return any(all(word in warning for word in words) for warning in found.warnings)


def validated(folder: Path, found: Imported, program: str) -> dict[str, Any]:
    path = folder / "imported.yaml"
    path.write_text(to_yaml(found, program, folder / "input.json"))
    load_checked_config(path)
    return dict(yaml.safe_load(path.read_text()))


def test_concurrent_learning_of_dpgen2(folder: Path) -> None:
    found = run(folder, "dpgen2", DPGEN2)
    config = validated(folder, found, "dpgen2")
    assert config["kind"] == "learn"
    assert config["structures"] == ["data/water"]
    assert config["datasets"] == [{"name": "data-water", "path": "data/water"}]
    assert config["model"]["preset"] == "se_e2_a"
    assert config["model"]["descriptor"]["sel"] == [20, 20]
    assert config["model"]["type_map"] == ["O", "H"]
    assert config["train"] == {
        "steps": 5000, "learning_rate": 0.001, "decay": 0.001, "batch": "auto:64", "committee": 3,
    }  # fmt: skip
    assert [entry["name"] for entry in config["explore"]] == [
        "npt300-1bar", "npt300-10000bar", "npt400-1bar", "npt400-10000bar", "nvt700",
    ]  # fmt: skip
    first = config["explore"][1]
    assert first["settings"]["timestep_fs"] == 0.5
    assert first["settings"]["ensemble"] == {"ensemble": "npt", "pressure_GPa": 1.0}
    assert first["runs"] == 2
    assert config["explore"][-1]["settings"]["steps"] == 50
    assert config["select"] == {"labels": 30, "force_error": 0.1, "failed_error": 0.6}
    assert config["budget"] == {"labels": 120, "iterations": 4}
    assert config["label"] == {
        "engine": "pyscf", "settings": {"functional": "pbe", "basis": "6-31g**", "charge": 1},
    }  # fmt: skip


def test_what_is_lost_and_what_is_wrong_is_said(folder: Path) -> None:
    found = run(folder, "dpgen2", DPGEN2)
    assert said(found, "mass_map", "H has mass 4", "1.008")
    assert not said(found, "O has mass")
    assert said(found, "bohrium_config", "password")
    assert said(found, "step_configs", "resources:")
    assert said(found, "LAMMPS template in.lammps", "700")
    assert said(found, "explore.stages", "2 stages")
    assert said(found, "template_script.loss")
    text = to_yaml(found, "dpgen2", folder / "input.json")
    assert "hush" not in text
    assert all(f"#  - {warning}" in text for warning in found.warnings)


def test_fine_tuning_of_dpgen2(folder: Path) -> None:
    data = changed(DPGEN2, "train.init_models_paths", ["big", "big2"])
    data = changed(data, "inputs.do_finetune", True)
    data = changed(data, "train.config", {"finetune_args": "--model-branch water"})
    found = run(folder, "dpgen2", data)
    config = validated(folder, found, "dpgen2")
    assert config["pretrained"] == {"path": "big", "head": "water"}
    assert "model" not in config
    assert said(found, "init_models_paths", "begin with the first one")
    random = run(folder, "dpgen2", changed(data, "train.config", {}))
    assert random.config["pretrained"]["head"] == "fresh"
    assert said(random, "finetune_args", "random fitting net")


def test_distillation_of_dpgen2(folder: Path) -> None:
    data = changed(DPGEN2, "train.type", "dp-dist")
    data = changed(data, "explore.config", {"teacher_model_path": "big"})
    data = changed(data, "fp", {"type": "deepmd", "task_max": 7,
                                "run_config": {"teacher_model_path": "big"}})  # fmt: skip
    found = run(folder, "dpgen2", data)
    config = found.config
    assert (config["kind"], config["teacher"]) == ("distill", "big")
    assert config["domain"] == {
        "structures": ["data/water"], "temperatures_K": [300.0, 400.0, 700.0],
        "pressures_GPa": [0.0001, 1.0],
    }  # fmt: skip
    assert config["goal"] == {"force_rmse": 100.0, "accurate": 0.9}
    assert config["explore"] == {"steps": 200, "timestep": 0.5, "save_every": 10}
    if "distill" in kinds.names():
        validated(folder, found, "dpgen2")


def test_fine_tuning_of_pfd(folder: Path) -> None:
    found = run(folder, "pfd", PFD)
    config = validated(folder, found, "pfd")
    assert config["kind"] == "learn"
    assert config["pretrained"] == {"path": "big", "head": "water"}
    assert config["train"]["steps"] == 5000
    assert config["explore"][0]["settings"]["timestep_fs"] == 2.0
    assert config["select"] == {"labels": 50, "hold_out": 0.3}
    assert config["budget"] == {"labels": 300, "iterations": 5}
    assert config["converged"]["force_rmse"] == 60.0
    assert config["label"]["engine"] == "gpaw"
    assert said(found, "train.config.head", "never reaches PFD-kit's trainer")
    assert said(found, "H has mass 4")
    assert said(found, "VASP is no labeller here")
    other = run(folder, "pfd", changed(PFD, "exploration.config.head", "ice"))
    assert said(other, "exploration.config.head", "is ice, and training's water")


def test_distillation_of_pfd(folder: Path) -> None:
    data = changed(PFD, "task.type", "dist")
    data = changed(data, "fp", {"type": "ase", "run_config": {"model_style": "dp"}})
    found = run(folder, "pfd", data)
    config = found.config
    assert (config["kind"], config["teacher"], config["head"]) == ("distill", "big", "water")
    assert config["domain"]["pressures_GPa"] == [0.0001, 1.0]
    assert config["goal"] == {"force_rmse": 60.0}
    assert config["budget"] == {"iterations": 5}
    assert said(found, "train.config.head", "no effect on a student")
    assert said(found, "exploration.stages", "by the student and not by the teacher")
    if "distill" in kinds.names():
        validated(folder, found, "pfd")


def test_paths_count_from_the_new_file(folder: Path, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    config = run(folder, "pfd", PFD, elsewhere).config
    assert config["structures"] == [str(folder / "data/water")]
    assert config["pretrained"]["path"] == str(folder / "big")


@pytest.mark.parametrize(
    ("program", "data", "told"),
    [
        ("pfd", changed(PFD, "task.type", "pretrain"), "task.type: 'pretrain' is neither finetune"),
        ("pfd", changed(PFD, "inputs", {}), "base_model_path: is missing"),
        ("pfd", changed(PFD, "exploration.stages", []), "exploration.stages: has no task"),
        ("pfd", changed(PFD, "task.max_iter", "5"), "task.max_iter: '5' is no number"),
        ("pfd", DPGEN2, "has no section task, exploration: it is no input of PFD-kit"),
        ("dpgen2", PFD, "has no section explore: it is no input of dpgen2"),
        ("dpgen2", changed(DPGEN2, "fp.type", "orca"), "fp.type: 'orca' is no labeller"),
        ("dpgen2", changed(DPGEN2, "train.type", "mace"), "train.type: 'mace' is neither dp"),
        ("dpgen2", changed(DPGEN2, "explore.configurations", []), "names no structures"),
        ("dpgen", DPGEN2, "'dpgen' can't be imported; there are dpgen2, pfd"),
    ],
)
def test_what_can_not_be_imported(
    folder: Path, program: str, data: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        run(folder, program, data)


def test_unknown_and_repeated_keys(folder: Path) -> None:
    found = run(folder, "pfd", changed(PFD, "evalute", {}))
    assert said(found, "evalute", "did you mean 'evaluate'")
    file = folder / "input.json"
    file.write_text(json.dumps(PFD)[:-1] + ', "fp": {"type": "vasp"}}')
    assert said(import_file("pfd", file, folder), "fp: is given twice")
    file.write_text('{"task": \n}')
    with pytest.raises(InputError, match=r"input.json:2: not JSON"):
        import_file("pfd", file, folder)
