"""A trained model that the user brings: a model folder, or a single file made into one."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lamflow.config.location import is_remote
from lamflow.errors import InputError, Problem
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.files import new_folder, sha256_file
from lamflow.store.fetch import default_cache
from lamflow.train.finetune import Checkpoint, read_checkpoint
from lamflow.train.model_card import (
    CARD,
    HeadCard,
    ModelCard,
    cutoff_of,
    read_model_card,
    verified_file,
    write_model_card,
)
from lamflow.train.protocol import SINGLE_HEAD

CHECKPOINT = "model.pt"
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class GivenModel:
    """A model folder; no file of it is opened before its hash was compared with the card.

    Attributes
    ----------
    folder
        The folder.
    card
        Its card.
    """

    folder: Path
    card: ModelCard

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads that predict energies."""
        return tuple(name for name, head in self.card.heads.items() if head.task == "energy")

    @property
    def type_map(self) -> tuple[str, ...]:
        """Elements that the model accepts."""
        return self.card.type_map

    @property
    def sha256(self) -> str:
        """Hash of the card, and so of everything in the folder that it lists."""
        return sha256_file(self.folder / CARD)

    @property
    def trainable(self) -> bool:
        """Whether there is a checkpoint, to train on from."""
        return CHECKPOINT in self.card.files

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint, to train on from; InputError if there is only a frozen model."""
        if not self.trainable:
            what = "holds a frozen model only, and training can't go on from it; give a model.pt"
            raise InputError(Problem(str(self.folder), "model", what))
        return read_checkpoint(verified_file(self.folder, CHECKPOINT))

    def head(self, wanted: str | None = None) -> str:
        """Return the head `wanted`, or the only one.

        Raises
        ------
        InputError
            There is no such head, or there are several and none is named.
        """
        if wanted in self.heads:
            return wanted
        known = ", ".join(self.heads)
        if wanted is None and len(self.heads) == 1:
            return self.heads[0]
        what = "the model has several heads; name one of" if wanted is None else (
            f"the model has no head {wanted!r}; it has"
        )  # fmt: skip
        raise InputError(Problem(str(self.folder), "head", f"{what} {known}"))

    def file(self, head: str | None = None) -> tuple[Path, str | None]:
        """Return a file that predicts, and the head to ask for in it (None: it has one only)."""
        name = self.head(head)
        frozen = f"frozen/{name}.pth"
        if frozen in self.card.files:
            return verified_file(self.folder, frozen), None
        single = len(self.card.heads) == 1
        return verified_file(self.folder, CHECKPOINT), None if single else name

    def predictor(self, head: str | None = None) -> DeepmdPredictor:
        """Load a head to predict with."""
        return DeepmdPredictor(*self.file(head))


def open_model(folder: Path) -> GivenModel:
    """Open a model folder, such as an operator gets; InputError if it is none."""
    return GivenModel(folder, read_model_card(folder))


def find_model(reference: str, fetch: Callable[[str], Path]) -> Path:
    """Give the local model folder of a reference, see `lamflow.config.model_ref.ModelRef`.

    Parameters
    ----------
    reference
        Path, ``s3://`` address, or name@version in the registry.
    fetch
        Gives a local copy of what is at an ``s3://`` address.

    Raises
    ------
    InputError
        There is no such model.
    """
    from lamflow.registry.local_copy import resolve
    from lamflow.registry.names import is_reference

    if is_reference(reference):
        return as_folder(resolve(reference))
    return as_folder(fetch(reference) if is_remote(reference) else Path(reference))


def as_folder(path: Path, cache: Path | None = None) -> Path:
    """Give a model folder for a path: itself, or a new one in the user's cache for a single file.

    Parameters
    ----------
    path
        Model folder, checkpoint (``.pt``) or frozen model (``.pth``).
    cache
        Where folders of single files are kept; default: beside that of fetched data.

    Raises
    ------
    InputError
        It is no model.
    """
    if path.is_dir():
        read_model_card(path)
        return path
    if not path.is_file():
        raise InputError(Problem(str(path), "", "there is no model here"))
    folder = (cache or default_cache().parent / "models") / sha256_file(path)[:32]
    if not folder.exists():
        with new_folder(folder) as new:
            _fill(new, path)
    return folder


def _fill(folder: Path, path: Path) -> None:
    """Put a single file and a card of what is known of it into `folder`."""
    frozen = path.suffix == ".pth"
    heads: tuple[str, ...] = (SINGLE_HEAD,)
    model: dict[str, Any] = {}
    if frozen:
        type_map = DeepmdPredictor(path).type_map
    else:
        checkpoint = read_checkpoint(path)
        type_map, heads, model = checkpoint.type_map, checkpoint.heads, dict(checkpoint.model)
    target = folder / (f"frozen/{SINGLE_HEAD}.pth" if frozen else CHECKPOINT)
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(path, target)
    head = HeadCard(
        dataset=_UNKNOWN, sha256=_UNKNOWN, frames=0, weight=1.0, elements=type_map, dft=_UNKNOWN,
        licence=_UNKNOWN, source=_UNKNOWN,
    )  # fmt: skip
    card = ModelCard(
        name=path.stem, type_map=type_map, heads=dict.fromkeys(heads, head), model=model,
        cutoff=cutoff_of(model), seed=0, steps=0, seconds=0.0, device=_UNKNOWN, versions={},
    )  # fmt: skip
    write_model_card(folder, card)
