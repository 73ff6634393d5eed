"""What a head's task means for DeePMD-kit: its fitting net, its loss, and what goes together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lamflow.config.task import (
    AnyTask,
    DenoiseTask,
    DipoleTask,
    DosTask,
    EnergyTask,
    PropertyTask,
    SpinTask,
)

MASK = "X"
"""The type that hides others; ASE's name of an atom of no element."""

# The weight of energies rises and that of forces falls with the learning rate (Zhang et al., PRL
# 120, 143001, 2018); the last ones suit runs of thousands rather than millions of steps.
_ENERGY = {"start_pref_e": 0.02, "limit_pref_e": 1.0}
_FORCE = {"start_pref_f": 1000.0, "limit_pref_f": 1.0}
_VIRIAL = {"start_pref_v": 0.02, "limit_pref_v": 1.0}
_SPIN_FORCES = {
    "start_pref_fr": 1000.0, "limit_pref_fr": 1.0,
    "start_pref_fm": 1000.0, "limit_pref_fm": 1.0,
}  # fmt: skip
_ANY_NET = ("neuron", "resnet_dt", "activation_function", "precision", "seed")
_DPA4 = "dpa4_ener"
_DPA4_PROPERTY_NET = [64, 64]  # its own net has no hidden layers of a given width
# Descriptors with no directions, from which no vector can be made.
_NO_DIRECTIONS = ("se_e3", "se_t", "se_e3_tebd", "se_t_tebd")


def types_with_mask(type_map: Sequence[str], tasks: Iterable[AnyTask]) -> tuple[str, ...]:
    """Add the type that hides others, if a task masks any."""
    masks = any(isinstance(task, DenoiseTask) and task.mask > 0 for task in tasks)
    return (*type_map, MASK) if masks and MASK not in type_map else tuple(type_map)


def fitting_net(task: AnyTask, net: Mapping[str, Any], ntypes: int) -> dict[str, Any]:
    """Give the fitting net of a head; width and precision are those of the preset's `net`."""
    if isinstance(task, EnergyTask | SpinTask):
        return dict(net)
    shape = {key: net[key] for key in _ANY_NET if key in net}
    if net.get("type") == _DPA4:
        shape["neuron"] = _DPA4_PROPERTY_NET
    if isinstance(task, PropertyTask):
        return {
            **shape, "type": "property", "property_name": task.label, "task_dim": task.dimension,
            "intensive": task.intensive, "distinguish_types": not task.intensive,
        }  # fmt: skip
    if isinstance(task, DipoleTask):
        return {**shape, "type": "dipole"}
    bins = task.bins if isinstance(task, DosTask) else 1 + ntypes
    return {**shape, "type": "dos", "numb_dos": bins}


def predicts_energies(model: Mapping[str, Any]) -> bool:
    """Whether a model section of DeePMD-kit is one of energies."""
    return model["fitting_net"].get("type", "ener") in ("ener", _DPA4) and "spin" not in model


def energy_net(net: Mapping[str, Any]) -> dict[str, Any]:
    """Give a fitting net for energies in the shape of one of another task."""
    if net.get("type", "ener") in ("ener", _DPA4):
        return dict(net)
    return {"type": "ener", **{key: net[key] for key in _ANY_NET if key in net}}


def loss(task: AnyTask, type_map: Sequence[str], *, virial: bool) -> dict[str, Any]:
    """Give the loss of a head; `virial` says whether its data have any."""
    more = _VIRIAL if virial else {}
    match task:
        case EnergyTask():
            return {"type": "ener", **_ENERGY, **_FORCE, **more}
        case SpinTask():
            return {"type": "ener_spin", **_ENERGY, **_SPIN_FORCES, **more}
        case PropertyTask():
            return {"type": "property", "metric": ["mae"]}
        case DipoleTask():
            return {"type": "tensor", "pref": 1.0, "pref_atomic": 0.0}
        case DosTask():
            whole = {"start_pref_dos": 1.0, "limit_pref_dos": 1.0}
            return {"type": "dos", **whole, "start_pref_ados": 0.0, "limit_pref_ados": 0.0}
        case DenoiseTask():
            from lamflow.train.denoise_args import LOSS

            mask_type = type_map.index(MASK) if task.mask else 0
            return {
                "type": LOSS, "noise": task.noise, "sigma": task.sigma_A, "mask": task.mask,
                "mask_type": mask_type,
            }  # fmt: skip


def spin_section(tasks: Iterable[AnyTask], type_map: Sequence[str]) -> dict[str, Any]:
    """Tell the model which elements have a magnetic moment; nothing if no task says so."""
    for task in tasks:
        if isinstance(task, SpinTask):
            magnetic = [symbol in task.elements for symbol in type_map]
            return {"spin": {"use_spin": magnetic, "virtual_scale": [task.scale] * sum(magnetic)}}
    return {}


def refusals(tasks: Mapping[str, AnyTask], model: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each head that DeePMD-kit 3.2 cannot train here, with the reason.

    Parameters
    ----------
    tasks
        Task of each head.
    model
        Model section that they are to share.
    """
    descriptor = model.get("descriptor", {}).get("type", "")
    dpa4 = model.get("fitting_net", {}).get("type") == _DPA4
    for head, task in tasks.items():
        if isinstance(task, SpinTask) and len(tasks) > 1:
            yield (
                head,
                (
                    "DeepSpin doubles the types (a virtual atom for each moment), so a spin head "
                    "can't share its descriptor with other heads; give it a run of its own"
                ),
            )
        elif dpa4 and not isinstance(task, EnergyTask | PropertyTask):
            yield (
                head,
                (
                    f"DPA-4 of DeePMD-kit 3.2 has energy and property heads only, not {task.kind}; "
                    "take a preset of another family"
                ),
            )
        elif isinstance(task, DipoleTask) and descriptor in _NO_DIRECTIONS:
            yield (
                head,
                (
                    f"descriptor {descriptor} has no directions to make a vector of; take a DPA "
                    "preset or se_e2_a"
                ),
            )
