"""The card of a dataset: what it is, in one small JSON file beside the frames."""

from pathlib import Path

from pydantic import Field, ValidationError

from lamflow.config.base import StrictModel
from lamflow.data.dataset import Dataset
from lamflow.data.references import dataset_references
from lamflow.errors import InputError, Problem
from lamflow.files import list_files, read_json, sha256_file, sha256_json, write_json

CARD = "card.json"


class ReferencesCard(StrictModel):
    """Energy references per element."""

    energies: dict[str, float]
    """Energy per atom of each element, eV."""
    rank: int
    """Rank of the fit."""
    underdetermined: tuple[str, ...] = ()
    """Elements whose energy the compositions do not fix."""


class DatasetCard(StrictModel):
    """What a dataset is and where it came from."""

    name: str
    """Name of the dataset."""
    frames: int
    """Number of frames."""
    atoms_min: int
    """Atoms in the smallest frame."""
    atoms_max: int
    """Atoms in the largest frame."""
    elements: tuple[str, ...]
    """Elements that occur, by atomic number."""
    type_map: tuple[str, ...]
    """Elements that the types index."""
    labels: tuple[str, ...]
    """Labels that at least one frame carries: energy, force, virial, and others by name."""
    periodic: bool | None
    """Whether frames have a cell; null if some have and some have not."""
    units: dict[str, str] = Field(
        default={"energy": "eV", "force": "eV/Å", "virial": "eV", "length": "Å"}
    )
    """Unit of each quantity; the virial is −dE/dε, deepmd's convention."""
    dft: str = ""
    """Method and settings of the labels, in words."""
    licence: str = ""
    """Licence of the data."""
    source: str = ""
    """Where the data come from: repository, commit, file."""
    sha256: str
    """Hash over the names and hashes of all data files in the folder."""
    parents: dict[str, str] = Field(default={})
    """Name and sha256 of each dataset that this one was made from."""
    references: ReferencesCard | None = None
    """Energy references, if there are energies."""
    notes: dict[str, str] = Field(default={})
    """Facts about how it was made, for example the risk of leaks of a split."""


def make_card(
    folder: Path,
    name: str,
    *,
    dft: str = "",
    licence: str = "",
    source: str = "",
    parents: dict[str, str] | None = None,
    notes: dict[str, str] | None = None,
) -> DatasetCard:
    """Read the dataset in `folder` and describe it.

    Raises
    ------
    InputError
        If the folder is not a readable dataset.
    """
    dataset = Dataset.open(folder)
    low, high, periodic = 10**9, 0, set()
    for system in dataset.systems():
        low, high = min(low, system.natoms), max(high, system.natoms)
        periodic.add(system.periodic)
    references = None
    if "energy" in dataset.labels:
        fit = dataset_references(dataset)
        energies = dict(zip(fit.elements, map(float, fit.energies), strict=True))
        references = ReferencesCard(
            energies=energies, rank=fit.rank, underdetermined=fit.underdetermined
        )
    return DatasetCard(
        name=name, frames=dataset.nframes, atoms_min=low, atoms_max=high,
        elements=dataset.elements, type_map=dataset.type_map,
        labels=(*dataset.labels, *dataset.others),
        periodic=periodic.pop() if len(periodic) == 1 else None,
        dft=dft, licence=licence, source=source, sha256=dataset_sha256(folder),
        parents=parents or {}, references=references, notes=notes or {},
    )  # fmt: skip


def dataset_sha256(folder: Path) -> str:
    """SHA-256 over names and contents of a dataset's files, its card left out."""
    if folder.is_file():
        return sha256_file(folder)
    files = [path for path in list_files(folder) if path.name != CARD]
    return sha256_json([[path.relative_to(folder).as_posix(), sha256_file(path)] for path in files])


def write_card(folder: Path, card: DatasetCard) -> None:
    """Write card.json into the dataset's folder."""
    write_json(folder / CARD, card.model_dump(mode="json"))


def read_card(folder: Path) -> DatasetCard:
    """Read a dataset's card.

    Raises
    ------
    InputError
        If there is none, or it is not a card.
    """
    path = folder / CARD
    try:
        return DatasetCard.model_validate(read_json(path))
    except FileNotFoundError:
        what = "the dataset has no card; `kind: clean` writes one"
        raise InputError(Problem(str(path), "", what)) from None
    except (ValueError, ValidationError) as error:
        raise InputError(Problem(str(path), "", f"not a dataset card: {error}")) from None


def inherit_card(
    folder: Path,
    parent: Path,
    *,
    dft: str | None = None,
    licence: str | None = None,
    source: str | None = None,
) -> DatasetCard:
    """Complete the card of a dataset made from another: origin and parent's hash.

    What is not given is taken from the parent's card, if it has one.

    Returns
    -------
    DatasetCard
        The card, which has been written.
    """
    card = read_card(folder)
    old = read_card(parent) if (parent / CARD).is_file() else None
    card = card.model_copy(
        update={
            "dft": dft or (old.dft if old else ""),
            "licence": licence or (old.licence if old else ""),
            "source": source or (old.source if old else ""),
            "parents": {card.name: dataset_sha256(parent)},
        }
    )
    write_card(folder, card)
    return card
