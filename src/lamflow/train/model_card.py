"""The card of a trained model: what it is and what made it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from lamflow import __version__
from lamflow.config.base import StrictModel
from lamflow.data.card import DatasetCard
from lamflow.errors import InputError, Problem
from lamflow.files import list_files, read_json, sha256_file, write_json

CARD = "card.json"


class HeadCard(StrictModel):
    """One head of a model."""

    dataset: str
    """Name of the dataset that taught it."""
    sha256: str
    """Hash of the training frames."""
    frames: int
    """Training frames."""
    weight: float
    """Share of the training steps, relative to the other heads."""
    elements: tuple[str, ...]
    """Elements in the training frames."""
    dft: str
    """Method of the labels."""
    licence: str
    """Licence of the data."""
    source: str
    """Where the data come from."""
    task: str = "energy"
    """What it predicts: energy (with forces and virials), denoise, property, dipole, dos, spin."""


class ModelCard(StrictModel):
    """What a model is and what made it."""

    name: str
    """Name of the run that made it."""
    type_map: tuple[str, ...]
    """Elements that it accepts; it has learnt those of its heads."""
    heads: dict[str, HeadCard]
    """Heads by name."""
    model: dict[str, Any]
    """DeePMD-kit's `model` section: descriptor and fitting net."""
    cutoff: float | None
    """How far an atom sees in one layer, Å."""
    seed: int
    """Seed of weights and batches."""
    steps: int
    """Training steps."""
    seconds: float
    """Wall time of the training, s."""
    device: str
    """Where it was trained: cpu or cuda."""
    versions: dict[str, str]
    """Versions of lamflow, DeePMD-kit, torch and Python."""
    parents: dict[str, str] = Field(default={})
    """SHA-256 of the card of each model that it was made from, by that model's name."""
    files: dict[str, str] = Field(default={})
    """SHA-256 of each file beside the card."""


def head_cards(
    cards: Mapping[str, DatasetCard],
    weights: Mapping[str, float],
    tasks: Mapping[str, str] | None = None,
) -> dict[str, HeadCard]:
    """Describe each head by the card of its training frames."""
    return {
        name: HeadCard(
            dataset=name, sha256=card.sha256, frames=card.frames, weight=weights[name],
            elements=card.elements, dft=card.dft, licence=card.licence, source=card.source,
            task=(tasks or {}).get(name, "energy"),
        )
        for name, card in cards.items()
    }  # fmt: skip


def cutoff_of(model: Mapping[str, Any]) -> float | None:
    """Cutoff of a descriptor, Å: the longest ``rcut`` in it."""

    def cutoffs(section: Any) -> Sequence[float]:
        if not isinstance(section, Mapping):
            return []
        here = [float(section["rcut"])] if "rcut" in section else []
        return [*here, *(value for inner in section.values() for value in cutoffs(inner))]

    return max(cutoffs(model.get("descriptor", {})), default=None)


def installed_versions() -> dict[str, str]:
    """Versions of what makes a difference to a model."""
    import platform
    from importlib.metadata import version

    packages = {name: version(name) for name in ("deepmd-kit", "torch", "numpy")}
    return {"lamflow": __version__, **packages, "python": platform.python_version()}


def write_model_card(folder: Path, card: ModelCard) -> None:
    """Write the card beside the model's files, with their hashes."""
    hashes = {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in list_files(folder)
        if path.name != CARD
    }
    write_json(folder / CARD, card.model_copy(update={"files": hashes}).model_dump(mode="json"))


def read_model_card(folder: Path) -> ModelCard:
    """Read the card of a model folder.

    Raises
    ------
    InputError
        There is no card, or it is not one of a model.
    """
    path = folder / CARD
    try:
        return ModelCard.model_validate(read_json(path))
    except FileNotFoundError:
        raise InputError(Problem(str(path), "", "missing: this is no model folder")) from None
    except ValueError as error:
        raise InputError(Problem(str(path), "", f"is not a model's card: {error}")) from None


def verified_file(folder: Path, name: str) -> Path:
    """Path of a file in a model folder, after its hash was compared with the card.

    Raises
    ------
    InputError
        The file is not in the card, is missing, or has other content than when it was made.
    """
    card = read_model_card(folder)
    wanted = card.files.get(name)
    path = folder / name
    if wanted is None:
        known = ", ".join(card.heads)
        raise InputError(Problem(str(folder), name, f"not in the model's card; heads: {known}"))
    if not path.is_file() or sha256_file(path) != wanted:
        raise InputError(
            Problem(str(path), "", "differs from its card (sha256); copy the model folder again")
        )
    return path


def head_file(folder: Path, head: str) -> Path:
    """Path of the model that predicts for a head, after its hash was compared with the card.

    Raises
    ------
    InputError
        As `verified_file`.
    """
    weights = f"frozen/{head}.pt"  # DPA-4 has no TorchScript form
    return verified_file(
        folder, weights if weights in read_model_card(folder).files else f"{weights}h"
    )
