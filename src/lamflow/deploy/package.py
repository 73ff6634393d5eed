"""The folder that an application gets: model, LAMMPS input, ASE script, README and card."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import Field

from lamflow.config.base import StrictModel
from lamflow.errors import InputError, Problem
from lamflow.files import list_files, read_json, sha256_file, write_json, write_text
from lamflow.train.model_card import CARD

if TYPE_CHECKING:
    from ase import Atoms

MODEL = "model.pth"
LAMMPS_INPUT, LAMMPS_DATA, ASE_SCRIPT, README = (
    "in.lammps", "structure.data", "run_ase.py", "README.md",
)  # fmt: skip
_TEMPERATURE_K = 300
_TIMESTEP_FS, _LIGHT_TIMESTEP_FS = 2.0, 0.5
_LIGHT = 5.0  # u; hydrogen and helium move so fast that they need shorter steps


class DeploymentCard(StrictModel):
    """What a deployment is and what it was made from."""

    name: str
    """Name of the run that made it."""
    type_map: tuple[str, ...]
    """Elements, in the order of the model's types."""
    masses: dict[str, float]
    """Standard atomic masses, u."""
    cutoff: float | None
    """How far an atom sees in one layer, Å."""
    compressed: bool
    """Whether the embedding net is tabulated."""
    parent: str
    """Name of the model that it was made from."""
    parent_sha256: str
    """SHA-256 of the frozen model before compression."""
    head: str
    """Head of the parent."""
    table: dict[str, float]
    """Grid of the table: `stride`, `extrapolate` and `closest_A`; empty if not compressed."""
    agreement: dict[str, float | None]
    """Largest differences of the compressed and the frozen model; empty if not compressed."""
    model: dict[str, Any]
    """DeePMD-kit's `model` section."""
    versions: dict[str, str]
    """Versions of lamflow, DeePMD-kit, torch and Python."""
    files: dict[str, str] = Field(default={})
    """SHA-256 of each file beside the card."""


def masses(type_map: Sequence[str]) -> dict[str, float]:
    """Standard atomic masses, u, from ASE (IUPAC)."""
    from ase.data import atomic_masses, atomic_numbers

    return {symbol: float(atomic_masses[atomic_numbers[symbol]]) for symbol in type_map}


def write_package(folder: Path, card: DeploymentCard, example: "Atoms") -> None:
    """Write scripts, README and card beside ``model.pth`` in `folder`.

    Parameters
    ----------
    folder
        Has ``model.pth``.
    card
        Its `files` are filled in.
    example
        What the LAMMPS and ASE scripts start from.
    """
    values = {
        "card": card,
        "model": MODEL,
        "data": LAMMPS_DATA,
        "temperature": _TEMPERATURE_K,
        "timestep_fs": _LIGHT_TIMESTEP_FS if _has_light(example) else _TIMESTEP_FS,
        "boundary": "p p p" if example.pbc.any() else "s s s",
    }
    write_structure(folder / LAMMPS_DATA, example, card.type_map)
    for name in (LAMMPS_INPUT, ASE_SCRIPT, README):
        write_text(folder / name, _templates().get_template(f"{name}.j2").render(values))
    files = {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in list_files(folder)
        if path.name != CARD
    }
    write_json(folder / CARD, card.model_copy(update={"files": files}).model_dump(mode="json"))


def write_structure(path: Path, atoms: "Atoms", type_map: Sequence[str]) -> None:
    """Write a LAMMPS data file with all types of the model, also those that do not occur."""
    from ase.io import write

    boxed = atoms.copy()
    if not boxed.pbc.any():
        boxed.center(vacuum=10.0)
    part = path.with_name(f".{path.name}.part")
    write(part, boxed, format="lammps-data", specorder=list(type_map), masses=True)
    part.replace(path)


def read_deployment_card(folder: Path) -> DeploymentCard:
    """Read the card of a deployment and compare every file with it.

    Raises
    ------
    InputError
        There is no card, or a file differs from it.
    """
    path = folder / CARD
    try:
        card = DeploymentCard.model_validate(read_json(path))
    except (OSError, ValueError) as error:
        raise InputError(Problem(str(path), "", f"is no deployment's card: {error}")) from None
    for name, wanted in card.files.items():
        file = folder / name
        if not file.is_file() or sha256_file(file) != wanted:
            what = "differs from its card (sha256); copy the folder again"
            raise InputError(Problem(str(file), "", what))
    return card


def _has_light(atoms: "Atoms") -> bool:
    return bool((atoms.get_masses() < _LIGHT).any())


def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("lamflow.deploy"), undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,  # noqa: S701 - no HTML
    )  # fmt: skip
