"""DeePMD-kit's input file, written from a job, and checked before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lamflow.errors import InputError, Problem
from lamflow.train import tasks
from lamflow.train.presets import merge
from lamflow.train.protocol import Head, TrainJob, TrainSettings

CHECKPOINT = "model.ckpt"
CURVE = "lcurve.out"
FRESH = "RANDOM"
"""DeePMD-kit's word for a head that begins with random weights."""

_GRADIENT_MAX_NORM = 5.0  # DPA-2 examples; it also makes DeePMD-kit watch for NaN gradients
# Without a slow start a high rate can saturate the network for good: dpa1-tiny then learns nothing.
_WARMUP = 0.05
# Batches that the elements' reference energies are fitted on, in all and at most of one system.
_STAT_BATCHES = 4000
_STAT_BATCHES_OF_SYSTEM = 200
_CHECKPOINTS_KEPT = 3


@dataclass(frozen=True)
class HeadData:
    """The system folders that a head learns from.

    Attributes
    ----------
    train, validation
        Folders that hold a ``type.raw``; `validation` may be empty.
    virial
        Whether any training system has virials.
    """

    train: Sequence[Path]
    validation: Sequence[Path]
    virial: bool


def find_data(head: Head) -> HeadData:
    """List a head's system folders; InputError if its training data has none."""
    label = head.task.label
    train = _systems(head.train, label)
    if not train:
        what = "no system (type.raw)" + (f" with {label}.npy" if label else "")
        raise InputError(Problem(str(head.train), "", f"head {head.name}: {what} in this dataset"))
    validation = _systems(head.validation, label) if head.validation else []
    virial = any(True for system in train for _ in system.glob("set.*/virial.npy"))
    return HeadData(train, validation, virial)


def build_input(job: TrainJob, data: Mapping[str, HeadData]) -> dict[str, Any]:
    """Write DeePMD-kit's input for `job`.

    One head gives a single-task input. More give a multi-task one: the descriptor and the type map
    are shared (``shared_dict``), each head has its fitting net, loss and data, and is drawn in
    proportion to its weight. ``job.settings.deepmd`` is merged over it last.

    Parameters
    ----------
    job
        What to train.
    data
        Per head's name, its systems (see `find_data`).
    """
    settings = job.settings
    build = _single_task if len(job.heads) == 1 else _multi_task
    written: dict[str, Any] = merge(build(job, data), _common(settings))
    return merge(written, settings.deepmd)


def check_input(config: Mapping[str, Any]) -> list[str]:
    """List what DeePMD-kit's own argument checker has against `config`, each with its dotted path.

    The checker stops at its first complaint, so each top-level section is given to it alone.
    Nothing of torch is imported: it costs a fraction of a second.
    """
    from deepmd.utils.argcheck import gen_args

    import lamflow.train.denoise_args  # noqa: F401  makes its loss known

    expanded = _expand_shared(config)
    sections = {
        argument.name: argument for argument in gen_args(multi_task="model_dict" in config["model"])
    }
    unknown = [_unknown_section(key, list(sections)) for key in expanded if key not in sections]
    return unknown + [
        complaint
        for name, argument in sections.items()
        if (complaint := _check_section(argument, expanded.get(name)))
    ]


def check_job(job: TrainJob) -> list[str]:
    """Check a job's input before its data are there; see `check_input`."""
    placeholder = HeadData([Path("train")], [Path("validation")], virial=False)
    return check_input(build_input(job, {head.name: placeholder for head in job.heads}))


def _check_section(argument: Any, value: Any) -> str:
    import dargs
    from dargs.dargs import ArgumentError

    base = dargs.Argument("base", dict, [argument])
    try:
        given = {} if value is None else {argument.name: value}
        filled = base.normalize_value(given, trim_pattern="_*")
        base.check_value(filled, strict=True)
    except ArgumentError as error:
        path = ".".join(part for part in error.path.split("/") if part and part != "base")
        return ": ".join(part for part in (path, " ".join(str(error.message).split())) if part)
    return ""


def _unknown_section(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, n=1)
    return f"{key}: unknown section" + (f"; did you mean {near[0]!r}?" if near else "")


def _systems(folder: Path, label: str | None) -> list[Path]:
    systems = sorted(file.parent.resolve() for file in folder.rglob("type.raw"))
    return [one for one in systems if label is None or any(one.glob(f"set.*/{label}.npy"))]


def _common(settings: TrainSettings) -> dict[str, Any]:
    every = settings.report_every or max(1, settings.steps // 100)
    return {
        "learning_rate": {
            "type": "exp",
            "start_lr": settings.learning_rate,
            "stop_lr": settings.learning_rate * settings.decay,
            "decay_steps": max(1, settings.steps // 100),
            "warmup_steps": int(_WARMUP * settings.steps),
        },
        "training": {
            "numb_steps": settings.steps,
            "seed": settings.seed,
            "gradient_max_norm": _GRADIENT_MAX_NORM,
            "disp_file": CURVE,
            "disp_freq": every,
            "save_ckpt": CHECKPOINT,
            "save_freq": settings.save_every,
            "max_ckpt_keep": _CHECKPOINTS_KEPT,
            # Takes out what is left of the mean error: a third of the energy's in short runs.
            "change_bias_after_training": True,
        },
    }


def _single_task(job: TrainJob, data: Mapping[str, HeadData]) -> dict[str, Any]:
    head, model = job.heads[0], _seeded(job)
    return {
        "model": {
            **model,
            "fitting_net": tasks.fitting_net(head.task, model["fitting_net"], len(job.type_map)),
            **tasks.spin_section([head.task], job.type_map),
            "type_map": list(job.type_map),
            "data_stat_nbatch": _stat_batches(data[head.name]),
            **_beginning(job, head.name),
        },
        "loss": tasks.loss(head.task, job.type_map, virial=data[head.name].virial),
        "training": _data_sections(data[head.name], job.settings),
    }


def _multi_task(job: TrainJob, data: Mapping[str, HeadData]) -> dict[str, Any]:
    model = _seeded(job)
    rest = {key: value for key, value in model.items() if key not in ("descriptor", "fitting_net")}
    shared = {"type_map": list(job.type_map), "descriptor": model["descriptor"]}
    branch = {
        **rest,
        "type_map": "type_map",
        "descriptor": "descriptor",
    }
    branches = {
        head.name: {
            **branch,
            "fitting_net": tasks.fitting_net(head.task, model["fitting_net"], len(job.type_map)),
            "data_stat_nbatch": _stat_batches(data[head.name]),
            **_beginning(job, head.name),
        }
        for head in job.heads
    }
    return {
        "model": {"shared_dict": shared, "model_dict": branches},
        "loss_dict": {
            head.name: tasks.loss(head.task, job.type_map, virial=data[head.name].virial)
            for head in job.heads
        },
        "training": {
            "model_prob": {head.name: float(head.weight) for head in job.heads},
            "data_dict": {
                head.name: _data_sections(data[head.name], job.settings) for head in job.heads
            },
        },
    }


def _stat_batches(data: HeadData) -> int:
    """Batches of each system for statistics: enough of few systems, not too many of thousands."""
    return max(1, min(_STAT_BATCHES_OF_SYSTEM, _STAT_BATCHES // len(data.train)))


def _seeded(job: TrainJob) -> dict[str, Any]:
    seed = {"seed": job.settings.seed}
    frozen = job.start is not None and job.start.freeze_descriptor
    descriptor = {**seed, "trainable": not frozen}
    model = fit_to_types(job.model, job.type_map)
    return merge(model, {"descriptor": descriptor, "fitting_net": seed})


def fit_to_types(model: Mapping[str, Any], type_map: Sequence[str]) -> dict[str, Any]:
    """Give ``se_e2_a`` its neighbours of each element, where a preset says how many of any."""
    descriptor = model.get("descriptor", {})
    if descriptor.get("type") == "se_e2_a" and isinstance(descriptor.get("sel"), int):
        return merge(model, {"descriptor": {"sel": [descriptor["sel"]] * len(type_map)}})
    return dict(model)


def _beginning(job: TrainJob, head: str) -> dict[str, str]:
    """Say with which head of a checkpoint this one begins.

    DeePMD-kit takes a branch that names none and is called as in the checkpoint as one to go on
    with, its bias left alone; in a single-task input only the name says what to copy.
    """
    if job.start is None:
        return {}
    source = job.start.heads[head]
    if source == head and len(job.heads) > 1:
        return {}
    return {"finetune_head": FRESH if source is None else source}


def _data_sections(data: HeadData, settings: TrainSettings) -> dict[str, Any]:
    def section(systems: Sequence[Path]) -> dict[str, Any]:
        return {"systems": [str(path) for path in systems], "batch_size": settings.batch}

    sections = {"training_data": section(data.train)}
    if data.validation:
        sections["validation_data"] = section(data.validation)
    return sections


def _expand_shared(config: Mapping[str, Any]) -> dict[str, Any]:
    """Put the shared parts where a multi-task input names them, as DeePMD-kit does first."""
    model = config.get("model", {})
    if "model_dict" not in model:
        return dict(config)
    shared = model.get("shared_dict", {})
    branches = {
        name: {
            key: shared.get(value, value) if isinstance(value, str) else value
            for key, value in branch.items()
        }
        for name, branch in model["model_dict"].items()
    }
    return {**config, "model": {**model, "model_dict": branches}}
