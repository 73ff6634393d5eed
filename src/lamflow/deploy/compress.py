"""Freeze and compress: a tabulated embedding net gives the same forces in a fraction of the time.

Compression replaces the embedding net by fifth-order polynomials on a grid of its argument
(Lu et al., J. Chem. Theory Comput. 18, 5559, 2022; `dp --pt compress`).
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lamflow.data.frames import FloatArray, System
from lamflow.errors import InputError, Problem
from lamflow.evaluate.predictor import Predictor
from lamflow.train.freeze import freeze_heads
from lamflow.train.given import GivenModel
from lamflow.train.protocol import SINGLE_HEAD

_MILLI = 1000.0
_ALWAYS = ("se_e2_a", "se_a", "se_e2_r", "se_r", "se_e3", "se_t")


@dataclass(frozen=True)
class TableSettings:
    """The grid that an embedding net is tabulated on.

    Attributes
    ----------
    stride
        Spacing of the fine part of the grid, in units of the net's argument s(r)·r⁻¹.
    extrapolate
        How many times farther than the closest distance's argument the coarse part reaches.
    closest_A
        Distance of the two nearest atoms that must be within the fine part, Å.
    """

    stride: float
    extrapolate: float
    closest_A: float  # noqa: N815 - the unit is Å


@dataclass(frozen=True)
class Agreement:
    """Largest differences of two models over some frames.

    Attributes
    ----------
    frames
        Number of frames.
    energy_meV_per_atom, force_meV_per_A, virial_meV_per_atom
        Largest difference of an energy, a force component and a virial component; the last one is
        None if no frame has a cell.
    """

    frames: int
    energy_meV_per_atom: float  # noqa: N815
    force_meV_per_A: float  # noqa: N815
    virial_meV_per_atom: float | None  # noqa: N815

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def why_not(model: Mapping[str, Any]) -> str:
    """Tell why DeePMD-kit 3.2 can't compress a model; empty if it can.

    Parameters
    ----------
    model
        DeePMD-kit's ``model`` section.
    """
    descriptor = model.get("descriptor", {})
    kind = descriptor.get("type", "se_e2_a")
    first = descriptor.get("repinit", {}) if kind == "dpa2" else descriptor
    if first.get("resnet_dt"):
        return f"its descriptor {kind} has resnet_dt: true"
    if kind in _ALWAYS:
        return ""
    if kind not in ("dpa1", "se_atten", "se_atten_v2", "dpa2", "se_e3_tebd"):
        return f"DeePMD-kit has no compression for the descriptor {kind}"
    if kind in ("dpa1", "se_atten") and descriptor.get("attn_layer", 2):
        layers = descriptor.get("attn_layer", 2)
        return (
            f"its descriptor {kind} has {layers} attention layers; only attn_layer 0 is tabulated"
        )
    mode = "strip" if kind == "se_atten_v2" else first.get("tebd_input_mode", "concat")
    if mode != "strip":
        where = "repinit.tebd_input_mode" if kind == "dpa2" else "tebd_input_mode"
        return f"its descriptor {kind} has {where}: {mode}; only strip is tabulated"
    return ""


def freeze_model(given: GivenModel, head: str, target: Path) -> None:
    """Write one head of a model as the frozen file `target` (``.pth``)."""
    file, wanted = given.file(head)
    if file.suffix == ".pth":
        shutil.copyfile(file, target)
        return
    with TemporaryDirectory(dir=target.parent, prefix=".frozen-") as scratch:
        freeze_heads(file, Path(scratch), [wanted] if wanted else [])
        (Path(scratch) / f"{wanted or SINGLE_HEAD}.pth").replace(target)


def frozen_section(frozen: Path) -> dict[str, Any]:
    """Read the ``model`` section that a frozen file carries."""
    import deepmd.pt.cxx_op  # noqa: F401 - registers the operators that the file calls
    import torch

    try:
        script = torch.jit.load(str(frozen), map_location="cpu").model_def_script
    except (RuntimeError, AttributeError) as error:
        what = "is no frozen model of DeePMD-kit's PyTorch backend"
        raise InputError(Problem(str(frozen), "", what)) from error
    section: dict[str, Any] = json.loads(script)
    return section


def compress_file(frozen: Path, target: Path, table: TableSettings) -> None:
    """Write the compressed form of a frozen model.

    ``dp --pt compress`` needs the training data to find how near atoms come; here that distance is
    given, so that a model can be compressed wherever it is.

    Raises
    ------
    InputError
        The model can't be compressed (see `why_not`).
    """
    import torch
    from deepmd.pt.model.model import get_model

    section = frozen_section(frozen)
    if reason := why_not(section):
        raise InputError(Problem(str(frozen), "", f"can't be compressed: {reason}"))
    model = get_model(section)
    model.load_state_dict(torch.jit.load(str(frozen), map_location="cpu").state_dict())
    model.min_nbor_dist = torch.tensor(table.closest_A, dtype=torch.float64)
    model.enable_compression(table.extrapolate, table.stride, 10 * table.stride, -1)
    part = target.with_name(f".{target.name}.part")
    torch.jit.save(torch.jit.script(model), str(part))
    part.replace(target)


def agreement(first: Predictor, second: Predictor, systems: Iterable[System]) -> Agreement:
    """Compare two models on frames."""
    frames, energy, force, virial = 0, 0.0, 0.0, None
    for system in systems:
        one, two = first.predict(system), second.predict(system)
        frames += system.nframes
        energy = max(energy, _largest(one.energies - two.energies) / system.natoms)
        force = max(force, _largest(one.forces - two.forces))
        if system.periodic:
            virial = max(virial or 0.0, _largest(one.virials - two.virials) / system.natoms)
    return Agreement(
        frames, _MILLI * energy, _MILLI * force, None if virial is None else _MILLI * virial
    )


def _largest(difference: FloatArray) -> float:
    """Largest absolute value; infinite if any is not a number, so that no limit lets it pass."""
    found = float(np.abs(difference).max(initial=0.0))
    return found if np.isfinite(found) else float("inf")
