"""Inputs of PFD-kit: fine-tuning and distillation.

Written after PFD-kit's documented schema (0.10); times are fs and pressures bar there.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamflow.errors import InputError, Problem
from lamflow.importers.notes import Imported, Input, check_masses, to_name
from lamflow.importers.parts import (
    as_list,
    domain,
    dynamics,
    ensemble_of,
    labeller,
    student_training,
    training,
    trajectories,
)

_CLUSTER = "describes a machine and is not carried over; see `resources:` and `lamflow context`"
_NOT_HERE = {
    "name": "is not carried over; the run is named after the file",
    "default_step_config": _CLUSTER, "step_configs": _CLUSTER, "dflow_config": _CLUSTER,
    "dflow_s3_config": _CLUSTER, "upload_python_packages": "is not needed",
    "bohrium_config": f"{_CLUSTER}. It may hold a password: keep the file to yourself",
}  # fmt: skip
_KNOWN = ("task", "inputs", "select_confs", "evaluate", "exploration", "fp", "train")
_TASKS = {"finetune": "learn", "dist": "distill"}
_MEV = 1000.0
_TIMESTEP = 2.0  # fs


def import_pfd(file: Path) -> Imported:
    """Make a `learn` or `distill` configuration of a PFD-kit input.

    Raises
    ------
    InputError
        The file can't be read, or is no input of PFD-kit.
    """
    source = Input.read(file)
    missing = [key for key in ("task", "inputs", "exploration") if key not in source.data]
    if missing:
        what = f"has no section {', '.join(missing)}: it is no input of PFD-kit"
        raise InputError(Problem(str(file), "", what))
    kind = source.get("task.type")
    if kind not in _TASKS:
        what = f"{kind!r} is neither finetune nor dist (PFD-kit would begin it all the same)"
        raise source.error("task.type", what)
    if source.get("inputs.base_model_path") is None:
        raise source.error("inputs.base_model_path", "is missing: there is no model to begin with")
    elements = [str(symbol) for symbol in as_list(source.get("inputs.type_map"))]
    check_masses(source, elements, source.get("inputs.mass_map"), "inputs.mass_map")
    if source.get("exploration.type", "ase") != "ase":
        source.warn("exploration.type", "LAMMPS templates are not carried over; ASE's molecular "
                    "dynamics explores here")  # fmt: skip
    source.leave_out("", _KNOWN, _NOT_HERE)
    config = _learn(source) if kind == "finetune" else _distill(source)
    return Imported(config, tuple(source.warnings))


def _learn(source: Input) -> dict[str, Any]:
    train, _ = training(source, "train.template_script")
    head = _head(source)
    labels = int(source.number("select_confs.max_sel", 20))
    if source.get("fp.task_max") is not None:
        labels = min(labels, int(source.number("fp.task_max", labels)))
    iterations = int(source.number("task.max_iter", 1))
    structures = _structures(source)
    start = source.paths("inputs.init_fp_confs.confs_paths",
                         source.get("inputs.init_fp_confs.prefix"))  # fmt: skip
    if start:
        source.warn("inputs.init_fp_confs", f"not carried over ({', '.join(start)}): give labelled "
                    "frames as `datasets:`, or let `start:` make the first ones")  # fmt: skip
    datasets = _datasets(source)
    first = 0 if datasets else labels
    if source.get("select_confs.h_filter"):
        source.warn("select_confs.h_filter", "entropy is not what selects here: calibrated "
                    "uncertainty does, and farthest points among the uncertain")  # fmt: skip
    test = float(source.number("evaluate.test_size", 0.2))
    return {
        "kind": "learn",
        "name": to_name(source.file.stem),
        "structures": structures,
        "pretrained": {"path": source.get("inputs.base_model_path"), "head": head or "fresh"},
        "train": train,
        "label": labeller(source),
        "explore": _explore(source, len(structures)),
        "select": {"labels": labels, "hold_out": min(max(test, 0.01), 0.9)},
        "budget": {"labels": first + labels * iterations, "iterations": iterations},
        "converged": _converged(source),
        **({"datasets": datasets} if datasets else {}),
    }


def _head(source: Input) -> str | None:
    """Which head is meant; the one of the training has no effect in PFD-kit."""
    wanted = source.get("train.config.head")
    explored = source.get("exploration.config.head")
    if wanted:
        source.warn("train.config.head", f"never reaches PFD-kit's trainer, which began with a "
                    f"random fitting net; here training begins with head {wanted}")  # fmt: skip
    if wanted and explored and wanted != explored:
        source.warn("exploration.config.head", f"is {explored}, and training's {wanted}; {wanted} "
                    "is taken for both")  # fmt: skip
    if not (wanted or explored):
        source.warn("train.config.head", "is not given: training begins with a fresh fitting net")
    return str(wanted or explored) if wanted or explored else None


def _distill(source: Input) -> dict[str, Any]:
    train, model = training(source, "train.template_script")
    if source.get("train.config.head"):
        source.warn("train.config.head", "has no effect on a student, which has one head")
    tasks = _tasks(source)
    rmse = float(source.number("evaluate.converge.RMSE", 0.05))
    source.warn("evaluate.converge.RMSE", f"{rmse:g} eV/Å was the error on a random part of the "
                "teacher's own trajectories; the goal here is on the student's")  # fmt: skip
    heads = ("fp.run_config.head", "fp.inputs_config.head", "exploration.config.head")
    head = next((found for key in heads if (found := source.get(key))), None)
    return {
        "kind": "distill",
        "name": to_name(source.file.stem),
        "teacher": str(source.get("inputs.base_model_path")),
        **({"head": str(head)} if head else {}),
        "domain": domain(source, "exploration.stages", _structures(source), tasks),
        "goal": {"force_rmse": float(f"{rmse * _MEV:.6g}")},
        "budget": {"iterations": int(source.number("task.max_iter", 1))},
        "train": student_training(source, train, model),
        "explore": trajectories(tasks, 1.0, _TIMESTEP),
        "select": {"labels": int(source.number("select_confs.max_sel", 60))},
    }


def _tasks(source: Input) -> list[Mapping[str, Any]]:
    stages = as_list(source.get("exploration.stages"))
    tasks = [task for stage in stages for task in as_list(stage)]
    if not tasks:
        raise source.error("exploration.stages", "has no task")
    if len(stages) > 1:
        source.warn("exploration.stages", f"{len(stages)} stages are explored together in each "
                    "iteration; for one after the other submit them one by one")  # fmt: skip
    return tasks


def _explore(source: Input, structures: int) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for task in _tasks(source):
        if task.get("no_pbc"):
            source.warn("exploration.stages", "no_pbc is not carried over; take the cell out of "
                        "the structures' files")  # fmt: skip
        if task.get("max_force") is not None or task.get("vol_tol") is not None:
            source.warn("exploration.stages", "max_force and vol_tol are not carried over; see the "
                        "guards of md")  # fmt: skip
        runs = max(1, math.ceil(float(task.get("n_sample") or 1) / max(structures, 1)))
        taken = [entry["name"] for entry in entries]
        timestep = float(task.get("dt", _TIMESTEP))
        entries += dynamics(
            task, timestep_fs=timestep, ensemble=ensemble_of(task), runs=runs, taken=taken
        )
    return entries


def _structures(source: Input) -> list[str]:
    found = source.paths("inputs.init_confs.confs_paths", source.get("inputs.init_confs.prefix"))
    if not found:
        raise source.error("inputs.init_confs.confs_paths", "names no structures")
    return found


def _datasets(source: Input) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in source.paths("inputs.init_data_sys", source.get("inputs.init_data_prefix")):
        found.append({"name": to_name(path, [one["name"] for one in found]), "path": path})
    return found


def _converged(source: Input) -> dict[str, Any]:
    rmse = source.get("evaluate.converge.RMSE")
    if not isinstance(rmse, int | float):
        return {"iterations": 1}
    return {"accurate": 0.0, "force_rmse": float(f"{rmse * _MEV:.6g}"), "iterations": 1}
