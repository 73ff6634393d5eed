"""From a model to its deployment folder, with the proof that compression changed nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.deploy.compress import (
    Agreement,
    TableSettings,
    agreement,
    compress_file,
    freeze_model,
    frozen_section,
    why_not,
)
from lamflow.deploy.package import MODEL, DeploymentCard, masses, write_package
from lamflow.errors import InputError, Problem, RunError
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.files import new_folder, sha256_file
from lamflow.learn.frames import take_frames
from lamflow.progress import Progress, silent
from lamflow.train.given import open_model
from lamflow.train.model_card import cutoff_of, installed_versions

_CHUNK = 200
_SEARCH = 1.5  # sums of covalent radii: the nearest pair of a dense frame is within
_MARGIN = 0.8  # atoms come nearer in a run than in the frames that were looked at


@dataclass(frozen=True)
class CompressSettings:
    """How to compress and how exactly.

    Attributes
    ----------
    compress
        False deploys the frozen model.
    stride, extrapolate
        See `lamflow.deploy.compress.TableSettings`.
    frames
        Frames to compare on, at most.
    energy_meV_per_atom, force_meV_per_A, virial_meV_per_atom
        Largest allowed differences.
    """

    compress: bool = True
    stride: float = 0.01
    extrapolate: float = 5.0
    frames: int = 100
    energy_meV_per_atom: float = 0.1  # noqa: N815 - the units are meV and Å
    force_meV_per_A: float = 5.0  # noqa: N815
    virial_meV_per_atom: float = 1.0  # noqa: N815


def build_deployment(
    model: Path,
    frames: Path,
    folder: Path,
    scratch: Path,
    *,
    name: str,
    head: str | None,
    settings: CompressSettings,
    progress: Progress = silent,
) -> DeploymentCard:
    """Freeze, compress, compare and write the deployment into a new `folder`.

    Parameters
    ----------
    model
        Model folder.
    frames
        Dataset (labels are not needed): the two models are compared on its frames, spread evenly.
    folder
        The deployment, see `lamflow.deploy.package`.
    scratch
        For the frozen model.
    name
        Name of the run.
    head
        Head of a multi-task model; None takes the only one.
    settings
        How.

    Raises
    ------
    InputError
        The model can't be compressed, or does not know an element of the frames.
    RunError
        The compressed model differs from the frozen one by more than is allowed.
    """
    given = open_model(model)
    chosen = given.head(head)
    systems = spread_frames(frames, settings.frames)
    scratch.mkdir(parents=True, exist_ok=True)
    frozen = scratch / "frozen.pth"
    freeze_model(given, chosen, frozen)
    progress(1, 4, {})
    section = frozen_section(frozen)
    if settings.compress and (reason := why_not(section)):
        raise InputError(Problem(str(model), "model", refusal(reason)))
    table = TableSettings(settings.stride, settings.extrapolate, _MARGIN * closest(systems))
    with new_folder(folder) as new:
        found: Agreement | None = None
        if settings.compress:
            compress_file(frozen, new / MODEL, table)
            progress(2, 4, {})
            found = agreement(DeepmdPredictor(frozen), DeepmdPredictor(new / MODEL), systems)
            _compare(found, settings)
        else:
            (new / MODEL).write_bytes(frozen.read_bytes())
        progress(3, 4, {})
        card = DeploymentCard(
            name=name, type_map=tuple(section["type_map"]), masses=masses(section["type_map"]),
            cutoff=cutoff_of(section), compressed=settings.compress, parent=given.card.name,
            parent_sha256=sha256_file(frozen), head=chosen,
            table=_table(table) if found else {}, agreement=found.as_dict() if found else {},
            model=section, versions=installed_versions(),
        )  # fmt: skip
        write_package(new, card, _first_atoms(systems))
    return card


def refusal(reason: str) -> str:
    """Say why a model is not compressed, and what can be done."""
    return (
        f"can't be compressed: {reason}. Set compress: false to deploy the frozen model, or distil "
        "it into a student that can be compressed (kind: distill)"
    )


def spread_frames(path: Path, count: int) -> list[System]:
    """Read at most `count` frames, spread evenly over a dataset."""
    dataset = Dataset.open(path)
    wanted = np.unique(np.linspace(0, dataset.nframes - 1, min(count, dataset.nframes)).astype(int))
    return take_frames(dataset.systems(_CHUNK), wanted)


def closest(systems: Sequence[System]) -> float:
    """Distance of the two nearest atoms of all frames, Å; 1 Å if all are far apart."""
    from ase.neighborlist import neighbor_list

    from lamflow.label.atoms import to_atoms

    found = [
        neighbor_list("d", atoms, _radii(atoms)).min(initial=np.inf)
        for system in systems
        for frame in range(system.nframes)
        for atoms in [to_atoms(system, frame)]
    ]
    nearest = float(min(found))
    return nearest if np.isfinite(nearest) else 1.0


def _radii(atoms: Any) -> list[float]:
    from ase.data import covalent_radii

    return [_SEARCH * float(covalent_radii[number]) for number in atoms.numbers]


def _table(table: TableSettings) -> dict[str, float]:
    return {
        "stride": table.stride, "extrapolate": table.extrapolate, "closest_A": table.closest_A,
    }  # fmt: skip


def _compare(found: Agreement, settings: CompressSettings) -> None:
    limits = {
        "energy_meV_per_atom": settings.energy_meV_per_atom,
        "force_meV_per_A": settings.force_meV_per_A,
        "virial_meV_per_atom": settings.virial_meV_per_atom,
    }
    broken = [
        f"{key} {value:.3g} (limit {limits[key]:g})"
        for key, value in found.as_dict().items()
        if key in limits and value is not None and value > limits[key]
    ]
    if broken:
        raise RunError(
            f"the compressed model differs from the frozen one over {found.frames} frames: "
            f"{', '.join(broken)}; lower table.stride, or raise check.force where a "
            "float32 model meets very large forces"
        )


def _first_atoms(systems: Sequence[System]) -> Any:
    from lamflow.label.atoms import to_atoms

    return to_atoms(systems[0], 0)
