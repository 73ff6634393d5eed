"""The next version of a model: it learns new data and rehearses all that it has learnt before."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lamflow.config.base import JsonObject, StrictModel
from lamflow.data.card import make_card, read_card, write_card
from lamflow.data.dataset import Dataset
from lamflow.data.elements import sorted_symbols
from lamflow.data.writer import DatasetWriter
from lamflow.errors import InputError, Problem
from lamflow.progress import Progress, silent
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.export import export_model, make_job
from lamflow.train.finetune import FRESH, finetune_job, read_checkpoint
from lamflow.train.model_card import verified_file
from lamflow.train.protocol import SINGLE_HEAD, Head, TrainingError, TrainJob, TrainSettings
from lamflow.update.base import Base
from lamflow.update.decide import Decision, to_train
from lamflow.update.vet import leave_empty

CHECKPOINT = "model.pt"
_CHUNK = 500
_EXAMPLE = "first: dpa1-tiny"


class Growth(StrictModel):
    """What became of the training."""

    trained: bool = False
    """Whether there is a new model."""
    failed: str = ""
    """Why there is none, if it was tried."""
    steps: int = 0
    """Training steps."""
    seconds: float = 0.0
    """Wall time of the training, s."""
    device: str = ""
    """Where it was trained."""


def grow(
    base: Base | None,
    decisions: Sequence[Decision],
    parts: Mapping[str, Path],
    model: Path,
    data: Path,
    scratch: Path,
    *,
    name: str,
    preset: JsonObject | None,
    settings: TrainSettings,
    replay: float,
    progress: Progress = silent,
) -> Growth:
    """Train on the new datasets and on all data of the earlier heads.

    Parameters
    ----------
    base
        What to go on from; None: this is the first version.
    decisions
        What is done with each dataset.
    parts
        Folder with ``train/`` and ``validation/`` of each slot.
    model
        Gets the model folder, or why there is none.
    data
        Gets ``HEAD/train`` and ``HEAD/validation`` of each head that learns something new.
    scratch
        For checkpoints.
    name
        Name of the run, for the model's card.
    preset
        Model section of a first version.
    settings
        How to train.
    replay
        Share of the training steps for heads that learn nothing new, 0 to 1.
    """
    learnt = to_train(decisions)
    new = gather(base, learnt, parts, data)
    if base is None:
        if preset is None:
            what = f"there is no version yet; name the network of the first one: {_EXAMPLE}"
            raise InputError(Problem("", "first", what))
        weights = dict.fromkeys(new, 1.0)
        job = make_job(new, weights, preset, settings)
    else:
        job = _continued(base, learnt, new, settings, replay)
    try:
        result = DeepmdTrainer().train(job, scratch, progress)
    except TrainingError as error:
        leave_empty(model, f"the training failed: {error}")
        return Growth(failed=str(error).splitlines()[0])
    card = export_model(job, result, model, name)
    return Growth(trained=True, steps=card.steps, seconds=card.seconds, device=card.device)


def nothing_to_learn(model: Path, data: Path) -> Growth:
    """Leave both folders with a word why there is nothing in them."""
    leave_empty(model, "no model came of this update")
    leave_empty(data, "no head learns anything new")
    return Growth()


def gather(
    base: Base | None, learnt: Sequence[Decision], parts: Mapping[str, Path], folder: Path
) -> dict[str, Path]:
    """Put together what each head that learns something new is taught: all that it ever was.

    Returns
    -------
    Per head, a folder with ``train/`` and ``validation/``.
    """
    heads: dict[str, list[Decision]] = {}
    for one in learnt:
        heads.setdefault(one.head, []).append(one)
    made = {}
    for head, sources in heads.items():
        train = [parts[one.slot] / "train" for one in sources]
        if base is not None and sources[0].joins:
            train.insert(0, base.data.train(base.content, head))
        watch = [parts[one.slot] / "validation" for one in sources]
        _join(train, folder / head / "train", f"{head}-train")
        if present := [path for path in watch if path.is_dir()]:
            _join(present, folder / head / "validation", f"{head}-validation")
        made[head] = folder / head
    return made


def _join(sources: Sequence[Path], folder: Path, name: str) -> None:
    """Write the frames of all sources as one dataset, with a card that names them."""
    elements = sorted_symbols({s for path in sources for s in read_card(path).elements})
    with DatasetWriter(folder, elements) as writer:
        for path in sources:
            for system in Dataset.open(path, type_map=elements).systems(_CHUNK):
                writer.add(system)
    cards = [read_card(path) for path in sources]
    parents = cards[0].parents if len(cards) == 1 else {card.name: card.sha256 for card in cards}

    def each(words: Sequence[str]) -> str:
        return "; ".join(dict.fromkeys(word for word in words if word))

    card = make_card(
        folder, name,
        dft=each([card.dft for card in cards]),
        licence=each([card.licence for card in cards]),
        source=each([card.source for card in cards]),
        parents=parents,
        notes=cards[0].notes if len(cards) == 1 else {},
    )  # fmt: skip
    write_card(folder, card)


def _continued(
    base: Base,
    learnt: Sequence[Decision],
    new: Mapping[str, Path],
    settings: TrainSettings,
    replay: float,
) -> TrainJob:
    """Describe the training that goes on from the base's checkpoint with all its heads."""
    old = {name: head for name, head in base.content.card.heads.items() if name not in new}
    total = sum(head.weight for head in old.values())
    fresh = (1 - replay if old else 1.0) / len(new)
    heads = [
        Head(name, base.data.train(base.content, name), None, replay * head.weight / total)
        for name, head in old.items()
    ]
    for name, folder in new.items():
        watch = folder / "validation"
        heads.append(Head(name, folder / "train", watch if watch.is_dir() else None, fresh))
    checkpoint = read_checkpoint(verified_file(base.folder, CHECKPOINT))
    start = {one.head: one.start or one.head for one in learnt}
    begin = {head.name: start.get(head.name, head.name) for head in heads}
    if checkpoint.single:  # its head has no name there
        begin = {name: s if s == FRESH else SINGLE_HEAD for name, s in begin.items()}
    elements = sorted_symbols({s for head in heads for s in read_card(head.train).elements})
    return finetune_job(checkpoint, heads, begin, elements, settings)
