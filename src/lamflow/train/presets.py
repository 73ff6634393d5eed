"""Named model sizes, and models made from them by overriding parts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib.resources import files
from typing import Any

import yaml

from lamflow.errors import InputError, Problem

_FOLDER = files("lamflow.train") / "presets"


@dataclass(frozen=True)
class Preset:
    """A model's shape and where it comes from.

    Attributes
    ----------
    name
        Such as ``dpa1-tiny``.
    source
        Paper and example that the numbers follow.
    parameters
        Trainable weights of a single-task model with three elements.
    cutoff_A
        How far an atom sees in one layer, Å.
    model
        DeePMD-kit's ``model`` section without ``type_map``.
    relative_cost
        CPU time of a training step on 32 atoms, divided by that of ``dpa1-tiny``; measured by
        ``benchmarks/presets.py``. None: not measured.
    compressible
        Whether ``dp --pt compress`` makes it faster.
    lammps
        Whether its frozen model is TorchScript, which LAMMPS' ``pair_style deepmd`` reads.
    """

    name: str
    source: str
    parameters: int
    cutoff_A: float  # noqa: N815 - the unit is Å
    model: Mapping[str, Any]
    relative_cost: float | None = None
    compressible: bool = False
    lammps: bool = True

    def to_json(self) -> dict[str, Any]:
        """Everything but the model section, as plain values."""
        return {key: value for key, value in asdict(self).items() if key != "model"}


def names() -> tuple[str, ...]:
    """Names of all presets, sorted."""
    return tuple(sorted(f.name.removesuffix(".yaml") for f in _FOLDER.iterdir() if _is_preset(f)))


def describe(name: str) -> Preset:
    """Read a preset; InputError with the nearest names if there is none of that name."""
    if name not in names():
        near = get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names())}"
        raise InputError(Problem("", "model", f"no preset is named {name!r}; {hint}"))
    return Preset(name=name, **yaml.safe_load((_FOLDER / f"{name}.yaml").read_text("utf-8")))


def load(name: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give the ``model`` section of a preset with `overrides` merged over it.

    Raises
    ------
    InputError
        No preset has that name, or the result cannot work (see `check_model`).
    """
    model = merge(describe(name).model, overrides or {})
    check_model(model)
    return model


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `over` into a copy of `base`, mapping by mapping; other values are replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def check_model(model: Mapping[str, Any]) -> None:
    """Refuse what DeePMD-kit's argument checker lets pass but its model does not.

    DPA-2's representation transformer picks its neighbours from those of the initial layer, so it
    needs fewer of them and a cutoff that is no longer.
    """
    descriptor = model.get("descriptor", {})
    if descriptor.get("type") != "dpa2":
        return
    first, second = descriptor.get("repinit", {}), descriptor.get("repformer", {})
    problems = [
        Problem(
            "", f"model.descriptor.repinit.{key}", f"is {a}; must be {how} repformer.{key}, {b}"
        )
        for key, how in (("nsel", "more than"), ("rcut", "no less than"))
        if (a := first.get(key)) is not None and (b := second.get(key)) is not None
        if (a <= b if key == "nsel" else a < b)
    ]
    if problems:
        raise InputError(*problems)


def _is_preset(file: Any) -> bool:
    return bool(file.name.endswith(".yaml"))
