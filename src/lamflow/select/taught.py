"""What a model was trained on, as far as new frames are compared with it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamflow.data.card import dataset_sha256
from lamflow.data.dataset import Dataset
from lamflow.data.elements import sorted_symbols
from lamflow.data.frames import FloatArray, IntArray, System
from lamflow.data.split import split_dataset
from lamflow.errors import InputError, Problem
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.progress import Progress, silent
from lamflow.select.atoms import AtomSpace, KnownAtoms, frame_points
from lamflow.select.diversity import share_out
from lamflow.select.survey import Survey, numbers_of, survey
from lamflow.train.given import GivenModel, open_model
from lamflow.train.model_card import ModelCard

_CHUNK = 200
_PARTS = ("validation", "test")
_FEW_HELD_OUT = 20
_HELD_OUT = 0.2
_SAMPLE = 16


@dataclass(frozen=True, eq=False)
class HeadModel:
    """One head of a model and of the other members of its committee.

    Attributes
    ----------
    head
        Name of the head.
    members
        Predictors, the one that is judged first.
    space
        Its descriptor.
    card
        Its card.
    """

    head: str
    members: Sequence[DeepmdPredictor]
    space: AtomSpace
    card: ModelCard

    @property
    def elements(self) -> set[str]:
        """Elements that the head has learnt by its card; none where that is not known."""
        head = self.card.heads[self.head]
        return set(head.elements) if head.frames else set()


@dataclass(frozen=True, eq=False)
class Taught:
    """The training data.

    Attributes
    ----------
    sets
        Names of the training sets that count for the head.
    frames
        Frames in them.
    elements
        Elements that the head has learnt.
    kinds
        Sets of elements that frames of the training sets have.
    known
        A sample of their atoms.
    points
        (n, width) of sampled frames, see `lamflow.select.atoms.frame_points`.
    usual
        How the model does on frames like them.
    held_out
        Whether the model has not seen the frames of `usual`.
    warnings
        What a reader must know.
    """

    sets: tuple[str, ...]
    frames: int
    elements: tuple[str, ...]
    kinds: frozenset[frozenset[str]]
    known: KnownAtoms
    points: FloatArray
    usual: Survey
    held_out: bool
    warnings: tuple[str, ...]


def open_head(models: Mapping[str, Path], new: Dataset, head: str | None) -> HeadModel:
    """Open a model, with the committee around it.

    Parameters
    ----------
    models
        Model folders (see `lamflow.train.export`) by member; the first is judged.
    new
        The frames that it is to be asked about.
    head
        Its head; None takes, of the heads that know most of the elements of `new`, the one that
        errs least on a few labelled frames, or, without labels, the one with most training frames.

    Raises
    ------
    InputError
        There is no such head, or a file is not what its card says.
    """
    given = [open_model(folder) for folder in models.values()]
    head = _choose_head(given[0], new, head)
    files = [one.file(head if len(one.heads) > 1 else None) for one in given]
    return HeadModel(
        head, [DeepmdPredictor(*file) for file in files], AtomSpace(*files[0]), given[0].card
    )


def _choose_head(model: GivenModel, new: Dataset, head: str | None) -> str:
    if head is not None or len(model.heads) == 1:
        return model.head(head)
    cards = model.card.heads
    shared = {name: len(set(cards[name].elements) & set(new.elements)) for name in cards}
    best = [name for name in cards if shared[name] == max(shared.values())]
    if len(best) > 1 and "force" in new.labels:
        errors = {name: _sample_error(model.predictor(name), new) for name in best}
        return min(errors, key=lambda name: errors[name])
    return max(best, key=lambda name: cards[name].frames)


def _sample_error(predictor: DeepmdPredictor, new: Dataset) -> float:
    """Root mean square force error on a few frames from all over the dataset, eV/Å."""
    squares = []
    for system in _every(new.systems(_CHUNK), max(1, new.nframes // _SAMPLE)):
        symbols = {system.type_map[index] for index in np.unique(system.types)}
        if system.forces is not None and symbols <= set(predictor.type_map):
            squares.append(np.square(predictor.predict(system).forces - system.forces).mean())
    return float(np.sqrt(np.mean(squares))) if squares else np.inf


def _every(systems: Iterable[System], step: int) -> Iterator[System]:
    first = 0
    for system in systems:
        mine = np.flatnonzero((np.arange(system.nframes) + first) % step == 0)
        first += system.nframes
        if len(mine):
            yield system.take(mine)


def study_training(
    model: HeadModel,
    training: Mapping[str, Path],
    new: Dataset,
    scratch: Path,
    *,
    frames: int,
    calibration: int,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Taught:
    """Look at training data: where their atoms lie, which errors and distances are usual.

    Parameters
    ----------
    model
        The model.
    training
        What taught it, by name: folders with ``train/`` and ``validation/`` or ``test/``, or plain
        datasets. A set whose hash or name is that of the head in the model's card belongs to the
        head; if none does, all of them count.
    new
        The frames to be compared; their elements are columns of the tables as well.
    scratch
        For dividing sets in which nothing is held out.
    frames, calibration
        How many frames are looked at, at most, of what was learnt and of what was held out.
    rng
        Draws them.

    Raises
    ------
    InputError
        There are no training data, or they can't be read.
    """
    if not training:
        raise InputError(Problem("", "training", "is empty; name what the model was trained on"))
    warnings: list[str] = []
    sets = _sets_of_head(model, training, warnings)
    parts = {name: _parts(path, scratch / name, rng) for name, path in sets.items()}
    held_out = all(one.held_out for one in parts.values())
    if not held_out:
        warnings.append(
            "in some of the training data nothing was held out: what is usual was measured on "
            "frames that the model was trained on, so it may call new what is not"
        )
    learnt = [one for each in parts.values() for one in each.train]
    found = {symbol for one in learnt for symbol in one.elements}
    elements = sorted_symbols(found | model.elements)
    if unseen := sorted(set(elements) & set(new.elements) - found):
        warnings.append(
            f"the model was trained on {', '.join(unseen)}, but these training data have none of "
            "it: such atoms are taken for new"
        )
    columns = sorted_symbols({*elements, *found, *new.type_map})
    reference = _Reference(model.space, _shares(learnt, frames), rng, progress)
    known = KnownAtoms.sample(iter(reference), rng)
    shown = [one for each in parts.values() for one in each.held]
    usual = [
        survey(model.members, model.space, known, _drawn(one, count, rng), columns)
        for one, count in _shares(shown, calibration)
    ]
    return Taught(
        tuple(sets), sum(one.nframes for one in learnt), elements, frozenset(reference.kinds),
        known, np.concatenate(reference.points), Survey.join(usual), held_out, tuple(warnings),
    )  # fmt: skip


def _sets_of_head(
    model: HeadModel, training: Mapping[str, Path], warnings: list[str]
) -> Mapping[str, Path]:
    """Training sets that taught the head: those with its hash, else its name, else all."""
    if len(training) == 1:
        return training
    card = model.card.heads[model.head]
    of_hash = {n: path for n, path in training.items() if _taught_hash(path) == card.sha256}
    of_name = {n: path for n, path in training.items() if n in (model.head, card.dataset)}
    if not of_hash and not of_name and len(model.card.heads) > 1:
        warnings.append(
            f"no training set has the hash or the name of head '{model.head}': all of them were "
            "taken for it"
        )
    return of_hash or of_name or training


def _taught_hash(path: Path) -> str:
    folder = path / "train" if (path / "train").is_dir() else path
    return dataset_sha256(folder)


@dataclass(frozen=True)
class _Parts:
    train: tuple[Dataset, ...]
    held: tuple[Dataset, ...]
    held_out: bool


def _parts(path: Path, scratch: Path, rng: np.random.Generator) -> _Parts:
    """Frames that were learnt and others; if too few are held out, some of the learnt ones are."""
    train = path / "train"
    if not train.is_dir():
        train = path
    held = [Dataset.open(path / part) for part in _PARTS if (path / part).is_dir()]
    if train != path and sum(one.nframes for one in held) >= _FEW_HELD_OUT:
        return _Parts((Dataset.open(train),), tuple(held), True)
    frames = Dataset.open(train).nframes
    share = min(0.5, max(_HELD_OUT, _FEW_HELD_OUT / max(frames, 1)))
    seed = int(rng.integers(2**31))
    split_dataset(train, scratch, {"train": 1 - share, "validation": share}, seed)
    own = Dataset.open(scratch / "validation")
    return _Parts((Dataset.open(scratch / "train"),), (own, *held), False)


def _shares(datasets: Sequence[Dataset], count: int) -> list[tuple[Dataset, int]]:
    """Divide `count` frames over datasets as evenly as they allow."""
    given = share_out({str(i): one.nframes for i, one in enumerate(datasets)}, count)
    return [(one, given[str(i)]) for i, one in enumerate(datasets) if given[str(i)]]


def _drawn(dataset: Dataset, count: int, rng: np.random.Generator) -> Iterator[System]:
    """Draw frames at random; they come in the order of the dataset."""
    wanted = np.zeros(dataset.nframes, dtype=np.bool_)
    wanted[rng.choice(dataset.nframes, min(count, dataset.nframes), replace=False)] = True
    first = 0
    for system in dataset.systems(_CHUNK):
        mine = wanted[first : first + system.nframes]
        first += system.nframes
        if mine.any():
            yield system.take(mine)


class _Reference:
    """Describes training frames one after the other, and notes what they are."""

    def __init__(
        self,
        space: AtomSpace,
        shares: Sequence[tuple[Dataset, int]],
        rng: np.random.Generator,
        progress: Progress,
    ) -> None:
        self._space, self._shares, self._rng, self._progress = space, shares, rng, progress
        self.points: list[FloatArray] = []
        self.kinds: set[frozenset[str]] = set()

    def __iter__(self) -> Iterator[tuple[FloatArray, IntArray]]:
        total = sum(count for _, count in self._shares)
        done = 0
        for dataset, count in self._shares:
            for system in _drawn(dataset, count, self._rng):
                numbers, points = numbers_of(system), self._space.points(system)
                self.points.append(frame_points(points, numbers))
                self.kinds |= element_sets(system)
                done += system.nframes
                self._progress(done, total, {"describing training frames": dataset.path.name})
                yield points, numbers


def element_sets(system: System) -> set[frozenset[str]]:
    """Sets of elements that the frames have."""
    rows = np.unique(system.counts() > 0, axis=0)
    return {frozenset(np.array(system.type_map)[row].tolist()) for row in rows}
