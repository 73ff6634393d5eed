"""Inputs of dpgen2: concurrent learning, fine-tuning and distillation.

Written after dpgen2's documented schema (0.1.0); times are ps and pressures bar there.
"""

from collections.abc import Mapping
from itertools import pairwise
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

_PS = 1000.0  # fs
_CLUSTER = "describes a machine and is not carried over; see `resources:` and `lamflow context`"
_NOT_HERE = {
    "name": "is not carried over; the run is named after the file",
    "default_step_config": _CLUSTER, "step_configs": _CLUSTER, "dflow_config": _CLUSTER,
    "dflow_s3_config": _CLUSTER, "lebesgue_context_config": _CLUSTER,
    "upload_python_packages": "is not needed", "upload_python_package": "is not needed",
    "bohrium_config": f"{_CLUSTER}. It may hold a password: keep the file to yourself",
}  # fmt: skip
_ADAPTIVE = "adaptive-lower"
_LEVELS = {"level_f_lo": 0.05, "level_f_hi": 0.5}


def import_dpgen2(file: Path) -> Imported:
    """Make a `learn` or `distill` configuration of a dpgen2 input.

    Raises
    ------
    InputError
        The file can't be read, or is no input of dpgen2.
    """
    source = Input.read(file)
    missing = [key for key in ("inputs", "train", "explore", "fp") if key not in source.data]
    if missing:
        what = f"has no section {', '.join(missing)}: it is no input of dpgen2"
        raise InputError(Problem(str(file), "", what))
    kind = source.get("train.type", "dp")
    if kind not in ("dp", "dp-dist"):
        raise source.error("train.type", f"{kind!r} is neither dp nor dp-dist")
    elements = [str(symbol) for symbol in as_list(source.get("inputs.type_map"))]
    masses = source.get("inputs.mass_map")
    check_masses(source, elements, masses, "inputs.mass_map")
    source.leave_out("", ("inputs", "train", "explore", "fp"), _NOT_HERE)
    config = _distill(source) if kind == "dp-dist" else _learn(source)
    return Imported(config, tuple(source.warnings))


def _learn(source: Input) -> dict[str, Any]:
    train, model = training(source, "train.template_script")
    train["committee"] = int(source.number("train.numb_models", 4))
    datasets = _datasets(source)
    labels = int(source.number("fp.task_max", 20))
    iterations = int(source.number("explore.max_numb_iter", 1))
    first = 0 if datasets else labels
    structures = _structures(source)
    return {
        "kind": "learn",
        "name": to_name(source.file.stem),
        "structures": structures,
        **_start(source, model),
        "train": train,
        "label": labeller(source),
        "explore": _explore(source, len(structures)),
        "select": {"labels": labels, **_levels(source)},
        "budget": {"labels": first + labels * iterations, "iterations": iterations},
        "converged": _converged(source),
        **({"datasets": datasets} if datasets else {}),
    }


def _start(source: Input, model: dict[str, Any]) -> dict[str, Any]:
    """What is trained: a pretrained model goes on, or a network from scratch."""
    given = [str(path) for path in as_list(source.get("train.init_models_paths"))]
    wanted = bool(source.get("inputs.do_finetune", False))
    if not given and not wanted:
        return {"model": model or "dpa1-small"}
    if not given:
        raise source.error(
            "train.init_models_paths",
            "is missing, and inputs.do_finetune needs a model to begin with",
        )
    if len(set(given)) > 1:
        source.warn(
            "train.init_models_paths",
            "names several models; all members begin with the first one, from different seeds",
        )
    _check_backend(source, "train.init_models_paths", given[0])
    words = str(source.get("train.config.finetune_args", "")).split()
    branch = next((b for a, b in pairwise(words) if a in ("--model-branch", "--head")), None)
    if branch is None:
        source.warn(
            "train.config.finetune_args",
            "names no --model-branch: DeePMD-kit begins with a random fitting net, and so does "
            "this (head: fresh); name a head to begin with what it has learnt",
        )
    if source.get("train.config.init_model_policy", "no") == "yes":
        source.warn(
            "train.config.init_model_policy",
            "init_model_* are not carried over: each iteration goes on from the pretrained model, "
            "with the rates of `train:`",
        )
    head = "fresh" if branch in (None, "RANDOM") else branch
    return {"pretrained": {"path": given[0], "head": head}}


def _distill(source: Input) -> dict[str, Any]:
    train, model = training(source, "train.template_script")
    teacher = source.get("explore.config.teacher_model_path") or source.get(
        "fp.run_config.teacher_model_path"
    )
    if teacher is None:
        raise source.error("explore.config.teacher_model_path", "is missing: there is no teacher")
    labels = source.get("fp.run_config.teacher_model_path")
    if labels and labels != teacher:
        source.warn("fp.run_config.teacher_model_path", "is another model than the one that "
                    f"explores; {labels} is taken, as it labels")  # fmt: skip
    _check_backend(source, "teacher", str(labels or teacher))
    tasks = [task for _, task in _tasks(source)]
    if source.get("train.student_model_path"):
        source.warn("train.student_model_path", "is not carried over: the student is trained from "
                    "scratch first")  # fmt: skip
    if datasets := source.paths("inputs.init_data_sys", source.get("inputs.init_data_prefix")):
        source.warn("inputs.init_data_sys", f"not carried over ({', '.join(datasets)}): the "
                    "teacher labels what the student learns")  # fmt: skip
    levels = source.section("explore.convergence")
    goal = {"force_rmse": float(levels.get("level_f_lo", _LEVELS["level_f_lo"])) * 1000}
    if "conv_accuracy" in levels:
        goal["accurate"] = float(levels["conv_accuracy"])
    return {
        "kind": "distill",
        "name": to_name(source.file.stem),
        "teacher": str(labels or teacher),
        "domain": domain(source, "explore.stages", _structures(source), tasks),
        "goal": goal,
        "budget": {"iterations": int(source.number("explore.max_numb_iter", 1))},
        "train": student_training(source, train, model),
        "explore": trajectories(tasks, _PS, 0.001),
        "select": {"labels": int(source.number("fp.task_max", 20))},
    }


def _check_backend(source: Input, key: str, path: str) -> None:
    if path.endswith(".pb"):
        source.warn(key, f"{path} is a TensorFlow model; turn it into a PyTorch one first: "
                    f"dp convert-backend {path} {path.removesuffix('.pb')}.pth")  # fmt: skip


def _datasets(source: Input) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in source.paths("inputs.init_data_sys", source.get("inputs.init_data_prefix")):
        found.append({"name": to_name(path, [one["name"] for one in found]), "path": path})
    if found:
        source.warn("inputs.init_data_sys", "these labels must be of the same method as `label:`")
    return found


def _structures(source: Input) -> list[str]:
    prefix = source.get("explore.configuration_prefix")
    entries = source.get("explore.configurations") or source.get("conf_generation.configurations")
    found: list[str] = []
    for number, entry in enumerate(as_list(entries)):
        key = f"explore.configurations.{number}"
        kind = entry.get("type", "alloy" if "lattice" in entry else "file")
        if kind == "file":
            inner = Input(source.file, {"files": entry.get("files", [])}, source.warnings)
            found += inner.paths("files", entry.get("prefix") or prefix)
            if entry.get("remove_pbc"):
                source.warn(key, "remove_pbc is not carried over; take the cell out of the files")
            continue
        found.append(f"structures-{number}.extxyz")
        source.warn(key, f"type {kind} makes structures; make them with ASE and write them to "
                    f"{found[-1]}: {entry.get('lattice')}, {entry.get('replicate')}")  # fmt: skip
    if not found:
        raise source.error("explore.configurations", "names no structures to explore from")
    return found


def _tasks(source: Input) -> list[tuple[str, Mapping[str, Any]]]:
    """All tasks of all stages, with what each of them does."""
    kind = source.get("explore.type", "lmp")
    if not str(kind).startswith(("lmp", "ase")):
        source.warn("explore.type", f"{kind} is not carried over; molecular dynamics explores here")
    found = []
    for stage, tasks in enumerate(as_list(source.get("explore.stages"))):
        for number, task in enumerate(as_list(tasks)):
            key = f"explore.stages.{stage}.{number}"
            if task.get("type") == "lmp-template":
                task = _template(source, key, task)
            found.append((key, task))
    return found


def _template(source: Input, key: str, task: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read what the revisions of a LAMMPS template say of temperature and length."""
    revisions = task.get("revisions") or {}
    words = {name.upper().removeprefix("V_"): as_list(value) for name, value in revisions.items()}
    temperatures, steps = words.get("TEMP", words.get("TEMPS")), words.get("NSTEPS")
    source.warn(key, f"the LAMMPS template {task.get('lmp')} is not carried over; from its "
                f"revisions: temperatures {temperatures or '300 (a guess)'}, "
                f"steps {steps or '1000 (a guess)'}, NVT")  # fmt: skip
    return {**task, "temps": temperatures or [300.0], "nsteps": (steps or [1000])[-1],
            "ensemble": "nvt"}  # fmt: skip


def _explore(source: Input, structures: int) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    stages = as_list(source.get("explore.stages"))
    for key, task in _tasks(source):
        if task.get("conf_idx") not in (None, list(range(structures))) and structures > 1:
            source.warn(f"{key}.conf_idx", "is not carried over: all structures are explored")
        runs = max(1, round(float(task.get("n_sample") or 1) / max(structures, 1)))
        taken = [entry["name"] for entry in entries]
        entries += dynamics(
            task, timestep_fs=float(f"{float(task.get('dt', 0.001)) * _PS:.6g}"),
            ensemble=ensemble_of(task), runs=runs, taken=taken,
        )  # fmt: skip
    if not entries:
        raise source.error("explore.stages", "has no task")
    if len(stages) > 1:
        source.warn("explore.stages", f"{len(stages)} stages are explored together in each "
                    "iteration; for one after the other submit them one by one")  # fmt: skip
    return entries


def _levels(source: Input) -> dict[str, float]:
    section = source.section("explore.convergence") or source.section("explore")
    low = section.get("level_f_lo", section.get("f_trust_lo", _LEVELS["level_f_lo"]))
    high = section.get("level_f_hi", section.get("f_trust_hi", _LEVELS["level_f_hi"]))
    source.warn("explore.convergence", "levels were of the committee's deviation; here they are "
                "errors of the worst atom, and deviations are calibrated to them")  # fmt: skip
    return {"force_error": float(low), "failed_error": max(float(high), 1.01 * float(low))}


def _converged(source: Input) -> dict[str, Any]:
    section = source.section("explore.convergence")
    if section.get("type") == _ADAPTIVE:
        source.warn("explore.convergence.type", "adaptive-lower is not carried over: levels are "
                    "calibrated, and the fraction of accurate frames decides")  # fmt: skip
        return {"iterations": int(section.get("n_checked_steps", 2))}
    accuracy = section.get("conv_accuracy", source.get("explore.conv_accuracy", 0.9))
    return {"accurate": float(accuracy), "iterations": 1}
