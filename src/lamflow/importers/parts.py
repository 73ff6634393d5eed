"""Parts that the importers share: training, molecular dynamics, labellers."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lamflow.importers.notes import Input, to_name

BAR = 1e-4  # GPa
_DESCRIPTORS = {
    "se_a": "se_e2_a", "se_e2_a": "se_e2_a", "se_atten": "dpa1-small", "dpa1": "dpa1-small",
    "se_atten_v2": "dpa1-small", "dpa2": "dpa2-small", "dpa3": "dpa3-small",
    "se_e3_tebd": "se_t_tebd", "se_t_tebd": "se_t_tebd",
}  # fmt: skip
"""DeePMD-kit's descriptor to the nearest preset."""
_SIZES = {"se_e2_a": ("rcut", "rcut_smth", "sel", "neuron", "axis_neuron")}
"""Keys of a descriptor that mean the same in the preset."""
_STEPS = 100_000
_GAUSSIAN = re.compile(r"(?:^|\s)#?([\w()-]+)/([\w()*+,-]+)")
_BASES = {"6-31g**": "6-31g**", "6-31g(d,p)": "6-31g**", "6-31g*": "6-31g*", "6-31g(d)": "6-31g*"}
_VASP = "VASP is no labeller here; gpaw computes PBE in plane waves. Its total energies have \
another zero than VASP's: don't mix its labels with those of VASP, or label elsewhere"


def training(source: Input, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a DeePMD-kit input (object or path): lamflow's `train:`, and its `model:`.

    `model` is empty if the input does not say.
    """
    script = _script(source, key)
    if script is None:
        source.warn(key, f"can't be read here; train.steps is set to {_STEPS}, check it")
        return {"steps": _STEPS}, {}
    training_ = script.get("training") or {}
    steps = training_.get("numb_steps", training_.get("stop_batch"))
    if steps is None:
        source.warn(key, f"names no training.numb_steps; train.steps is set to {_STEPS}")
    train: dict[str, Any] = {"steps": int(steps or _STEPS)}
    rate = script.get("learning_rate") or {}
    start, stop = rate.get("start_lr"), rate.get("stop_lr")
    if start:
        train["learning_rate"] = float(start)
        if stop:
            train["decay"] = float(f"{min(float(stop) / float(start), 1.0):.3g}")
    batch = (training_.get("training_data") or {}).get("batch_size")
    if isinstance(batch, int) or (isinstance(batch, str) and batch.startswith("auto:")):
        train["batch"] = batch
    if script.get("loss"):
        source.warn(f"{key}.loss", "not carried over: lamflow has its own; see train.deepmd.loss")
    return train, _model(source, key, script.get("model") or {})


def _script(source: Input, key: str) -> Mapping[str, Any] | None:
    value = source.get(key)
    if isinstance(value, list) and value:
        if len(value) > 1:
            source.warn(key, "has several files; the first one is taken for all members")
        value = value[0]
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        return None
    try:
        found = json.loads((source.file.parent / value).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _model(source: Input, key: str, model: Mapping[str, Any]) -> dict[str, Any]:
    descriptor = model.get("descriptor") or {}
    kind = descriptor.get("type")
    if kind is None:
        return {}
    preset = _DESCRIPTORS.get(kind)
    if preset is None:
        source.warn(f"{key}.model", f"no preset is like descriptor {kind}; dpa1-small is taken")
        return {"preset": "dpa1-small"}
    found: dict[str, Any] = {"preset": preset}
    sizes = {name: descriptor[name] for name in _SIZES.get(preset, ()) if name in descriptor}
    if sizes:
        found["descriptor"] = sizes
        if isinstance(sizes.get("sel"), list) and model.get("type_map"):
            found["type_map"] = list(model["type_map"])  # `sel` counts in its order
    neurons = (model.get("fitting_net") or {}).get("neuron")
    if neurons and preset in _SIZES:
        found["fitting_net"] = {"neuron": neurons}
    if not sizes:
        source.warn(
            f"{key}.model", f"descriptor {kind} becomes preset {preset}; sizes are the preset's"
        )
    return found


def dynamics(
    task: Mapping[str, Any], *, timestep_fs: float, ensemble: str, runs: int, taken: Sequence[str]
) -> list[dict[str, Any]]:
    """Make entries of `explore:`, one for each temperature and pressure (bar) of a task."""
    entries: list[dict[str, Any]] = []
    pressures = as_list(task.get("press")) if "npt" in ensemble else []
    for temperature in temperatures_of(task):
        for pressure in pressures or [None]:
            words = f"{ensemble}{temperature:g}" + ("" if pressure is None else f"-{pressure:g}bar")
            settings: dict[str, Any] = {
                "steps": int(task.get("nsteps", 1000)),
                "temperature_K": temperature,
                "timestep_fs": timestep_fs,
                "save_every": int(task.get("trj_freq", 10)),
            }
            if pressure is not None:
                settings["ensemble"] = {"ensemble": "npt", "pressure_GPa": _round(pressure * BAR)}
            elif ensemble == "nve":
                settings["ensemble"] = {"ensemble": "nve"}
            name = to_name(words, [*taken, *(entry["name"] for entry in entries)])
            entry = {"name": name, "settings": settings}
            entries.append(entry | ({"runs": runs} if runs > 1 else {}))
    return entries


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def temperatures_of(task: Mapping[str, Any]) -> list[float]:
    """Temperatures of a task, K."""
    return [float(value) for value in as_list(task.get("temps", task.get("temp", 300.0)))]


def ensemble_of(task: Mapping[str, Any]) -> str:
    """Ensemble of a task, such as nvt or npt."""
    return str(task.get("ens", task.get("ensemble", "nvt")))


def domain(
    source: Input, key: str, structures: list[str], tasks: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Make `domain:` of a distillation: all temperatures and pressures of its tasks."""
    temperatures = {value for task in tasks for value in temperatures_of(task)}
    pressures = {
        _round(float(value) * BAR)
        for task in tasks
        if "npt" in ensemble_of(task)
        for value in as_list(task.get("press"))
    }
    source.warn(key, "become a domain: every temperature at every pressure, explored by the "
                "student and not by the teacher")  # fmt: skip
    found: dict[str, Any] = {"structures": structures, "temperatures_K": sorted(temperatures)}
    return found | ({"pressures_GPa": sorted(pressures)} if pressures else {})


def trajectories(
    tasks: Sequence[Mapping[str, Any]], unit_fs: float, timestep: float
) -> dict[str, Any]:
    """Make `explore:` of a distillation: the longest of the tasks, with the smallest time step.

    `unit_fs` is what the tasks' `dt` counts in, `timestep` its default.
    """
    step = min(float(task.get("dt", timestep)) for task in tasks)
    return {
        "steps": max(int(task.get("nsteps", 1000)) for task in tasks),
        "timestep": _round(step * unit_fs),
        "save_every": min(int(task.get("trj_freq", 10)) for task in tasks),
    }


def student_training(
    source: Input, train: Mapping[str, Any], model: Mapping[str, Any]
) -> dict[str, Any]:
    """Make `train:` of a distillation; the student's network is lamflow's choice."""
    if model:
        source.warn("train.template_script", "the student's network is not carried over: small "
                    "ones are tried, and the fastest that is good enough is kept")  # fmt: skip
    return dict(train)


def as_list(value: Any) -> list[Any]:
    """Return a list of one, of several or of nothing."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def labeller(source: Input) -> dict[str, Any]:
    """Make `label:` of the section `fp`."""
    engine = str(source.get("fp.type", "")).removeprefix("fpop_")
    make = {
        "vasp": _gpaw, "abacus": _gpaw, "cp2k": _cp2k, "gaussian": _pyscf,
        "deepmd": _teacher, "ase": _teacher,
    }.get(engine)  # fmt: skip
    if make is None:
        raise source.error("fp.type", f"{engine!r} is no labeller that is known here")
    return make(source)


def _gpaw(source: Input) -> dict[str, Any]:
    if source.get("fp.type") == "vasp":
        source.warn("fp", _VASP)
    else:
        source.warn(
            "fp", "ABACUS is no labeller here; gpaw computes PBE, with another zero of energy"
        )
    settings: dict[str, Any] = {}
    spacing = source.get("fp.inputs_config.kspacing")
    if isinstance(spacing, int | float):
        settings["kpoint_spacing_per_A"] = float(spacing)
    source.warn("fp.inputs_config", "cutoff, smearing and spin are not carried over; check label")
    return {"engine": "gpaw", "settings": settings}


def _cp2k(source: Input) -> dict[str, Any]:
    source.warn("fp.inputs_config", "CP2K's input is not carried over; functional and basis are "
                "lamflow's, check label.settings")  # fmt: skip
    return {"engine": "cp2k", "settings": {}}


def _pyscf(source: Input) -> dict[str, Any]:
    words = str(source.get("fp.inputs_config.keywords", ""))
    settings: dict[str, Any] = {}
    if found := _GAUSSIAN.search(words):
        functional, basis = found[1].lower(), found[2].lower()
        settings = {"functional": {"wb97xd": "wb97x-d3"}.get(functional, functional)}
        settings["basis"] = _BASES.get(basis, basis)
    charge = source.get("fp.inputs_config.charge", 0)
    if isinstance(charge, int) and charge:
        settings["charge"] = charge
    source.warn("fp", "Gaussian is no labeller here; pyscf computes molecules with "
                f"{settings or 'its own settings'}: check them")  # fmt: skip
    return {"engine": "pyscf", "settings": settings}


def _teacher(source: Input) -> dict[str, Any]:
    model = source.get(
        "fp.run_config.teacher_model_path", source.get("inputs.base_model_path", "teacher.pt")
    )
    settings = {"model": model}
    head = source.get("fp.run_config.head", source.get("fp.inputs_config.head"))
    return {"engine": "teacher", "settings": settings | ({"head": head} if head else {})}
