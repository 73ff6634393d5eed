"""Adding a dataset to the registry: checked, described, published."""

import tempfile
from pathlib import Path

from lamflow.data.card import CARD, DatasetCard, dataset_sha256, make_card, read_card
from lamflow.errors import InputError, Problem
from lamflow.files import list_files, write_json
from lamflow.progress import Progress, silent
from lamflow.registry.models import find_test_sets, find_training_sets
from lamflow.registry.names import LATEST, check_name
from lamflow.registry.registry import Registry
from lamflow.registry.release import DatasetContent, Release, describe_parts
from lamflow.train.model_card import ModelCard


def add_dataset(
    registry: Registry,
    path: Path,
    name: str,
    *,
    licence: str = "",
    dft: str = "",
    source: str = "",
    limits: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Release:
    """Read every frame at `path`, write a card, and publish the files with it.

    Parameters
    ----------
    registry
        Where to publish.
    path
        Dataset in any format that `lamflow.data.dataset.Dataset` reads; it is not changed.
    name
        Name in the registry.
    licence, dft, source
        For the card; what is not given is taken from the card beside the data, if there is one.
    limits
        Known limits, in words.
    progress
        Is told bytes.

    Raises
    ------
    InputError
        The data can't be read, there is no licence, or a card beside the data is of other data.
    """
    check_name(name)
    card = _card(path, name, licence, dft, source)
    files = _files(path)
    with tempfile.TemporaryDirectory(prefix="lamflow-card-") as scratch:
        write_json(Path(scratch) / CARD, card.model_dump(mode="json"))
        files[CARD] = Path(scratch) / CARD
        content = DatasetContent(name=name, parts=describe_parts(files), card=card, limits=limits)
        return registry.publish(content, files, progress)


def _card(path: Path, name: str, licence: str, dft: str, source: str) -> DatasetCard:
    """Describe the data as they are now, with the origin that the card beside them tells."""
    old = read_card(path) if (path / CARD).is_file() else None
    sha256 = dataset_sha256(path) if path.exists() else ""
    if old is not None and old.sha256 != sha256:
        what = "is the card of other data (sha256 differs); remove it, or restore the data"
        raise InputError(Problem(str(path / CARD), "sha256", what))
    if not (licence or (old and old.licence)):
        what = "no licence is known; give one with --licence, such as CC-BY-4.0"
        raise InputError(Problem(str(path), "licence", what))
    return make_card(
        path, name,
        licence=licence or (old.licence if old else ""),
        dft=dft or (old.dft if old else ""),
        source=source or (old.source if old else ""),
        parents=dict(old.parents) if old else None,
        notes=dict(old.notes) if old else None,
    )  # fmt: skip


def _files(path: Path) -> dict[str, Path]:
    """Return the data files by the path that they shall have."""
    if path.is_file():
        return {path.name: path}
    root = path.resolve()
    files = {file.relative_to(path).as_posix(): file for file in list_files(path)}
    for file in files.values():
        if not file.resolve().is_relative_to(root):
            what = f"is a link out of {path}; put the file itself there"
            raise InputError(Problem(str(file), "", what))
    return {name: file for name, file in files.items() if name != CARD}


def add_data_of_run(registry: Registry, run: Path, model: str, card: ModelCard) -> list[Release]:
    """Publish what a run's model was taught and tested on, so that updates can go on from it.

    Parameters
    ----------
    registry
        Where to publish.
    run
        Folder of the run, with its steps.
    model
        Name of the model; datasets are called MODEL/HEAD/train and MODEL/HEAD/test.
    card
        The model's card.

    Raises
    ------
    InputError
        The steps of the run are not here.
    """
    train, test = find_training_sets(run, card), find_test_sets(run, card)
    if missing := sorted(card.heads.keys() - (train.keys() & test.keys())):
        what = f"has no longer the data of {', '.join(missing)} in its steps; run it again"
        raise InputError(Problem(str(run), "--data", what))
    releases = []
    for head in card.heads:
        for part, folders in (("train", train), ("test", test)):
            release = add_dataset(registry, folders[head], f"{model}/{head}/{part}")
            registry.move_tag("dataset", release.name, LATEST, release.version, only_forward=True)
            releases.append(release)
    return releases
