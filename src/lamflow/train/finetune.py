"""Fine-tuning: which weights a training begins with, and what it is allowed to change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lamflow.errors import InputError, Problem
from lamflow.train.protocol import SINGLE_HEAD, Head, Start, TrainJob, TrainSettings
from lamflow.train.tasks import energy_net, predicts_energies

FRESH = "fresh"
"""Head choice: a fitting net with random weights."""

_DEEPMD_SINGLE = "Default"  # DeePMD-kit's name of the only model in a checkpoint
_FORGETTABLE = ("type_map", "finetune_head", "info", "data_stat_nbatch", "model_branch_alias")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes
    ----------
    path
        The file.
    type_map
        Elements it knows.
    heads
        Names of its heads that predict energies; one named `lamflow.train.protocol.SINGLE_HEAD` if
        it is single-task. None if it has learnt something else, such as denoising: its descriptor
        can still be fine-tuned, with fresh heads.
    model
        Model section with ``descriptor`` and ``fitting_net``, to build the same model again.
    """

    path: Path
    type_map: tuple[str, ...]
    heads: tuple[str, ...]
    model: Mapping[str, Any]

    @property
    def single(self) -> bool:
        """Whether there is one model without a name."""
        return self.heads == (SINGLE_HEAD,)


def read_checkpoint(path: Path) -> Checkpoint:
    """Look into a DeePMD-kit checkpoint; no code in it is run.

    Raises
    ------
    InputError
        There is no file, or it is no checkpoint of DeePMD-kit's PyTorch backend.
    """
    if not path.is_file():
        raise InputError(Problem(str(path), "", "there is no checkpoint here"))
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        params = state.get("model", state)["_extra_state"]["model_params"]
    except Exception as error:  # torch raises several kinds of error for files of other kinds
        what = "is no checkpoint of DeePMD-kit; a frozen model (.pth) cannot be fine-tuned"
        raise InputError(Problem(str(path), "", what)) from error
    branches = params.get("model_dict", {SINGLE_HEAD: params})
    heads = {name: one for name, one in branches.items() if predicts_energies(one)}
    first = next(iter((heads or branches).values()))
    model = {key: value for key, value in first.items() if key not in _FORGETTABLE}
    model["fitting_net"] = energy_net(model["fitting_net"])
    return Checkpoint(path, tuple(first["type_map"]), tuple(heads), model)


def finetune_job(
    checkpoint: Checkpoint,
    heads: Sequence[Head],
    sources: Mapping[str, str],
    elements: Sequence[str],
    settings: TrainSettings,
    *,
    freeze_descriptor: bool = False,
) -> TrainJob:
    """Describe the fine-tuning of a checkpoint.

    Each head begins with a fitting net of the checkpoint or a fresh one. Its elements' reference
    energies are refitted to its data (another functional shifts them by eV), unless it is a head
    that goes on under its own name, as in replay. New elements get embeddings of their own.

    Parameters
    ----------
    checkpoint
        What to fine-tune.
    heads
        Downstream tasks, and perhaps replayed ones (see `lamflow.train.replay`).
    sources
        Per head, a head of the checkpoint or `FRESH`.
    elements
        Elements of all heads' data; those that the checkpoint lacks are added to its type map.
    settings
        How to train.
    freeze_descriptor
        Train the fitting nets only.

    Raises
    ------
    InputError
        A head of the checkpoint is not there, or a frozen descriptor would meet new elements.
    """
    new = [element for element in elements if element not in checkpoint.type_map]
    if new and freeze_descriptor:
        what = f"{', '.join(new)} are new to {checkpoint.path}, and a frozen descriptor cannot " \
               "learn them; set freeze_descriptor: false"  # fmt: skip
        raise InputError(Problem("", "freeze_descriptor", what))
    begin = {head.name: _source(checkpoint, head.name, sources[head.name]) for head in heads}
    return TrainJob(
        heads=tuple(heads),
        model=checkpoint.model,
        type_map=(*checkpoint.type_map, *new),
        settings=settings,
        start=Start(checkpoint.path, begin, freeze_descriptor),
    )


def best_head(errors: Mapping[str, Mapping[str, Any]]) -> str:
    """Choose the head with the smallest zero-shot force RMSE; energy RMSE where there is no force.

    Parameters
    ----------
    errors
        Per head of the pretrained model, its zero-shot errors (see `lamflow.evaluate.zero_shot`).

    Raises
    ------
    InputError
        No head has an error to go by.
    """
    for key in ("force_rmse_meV_per_A", "energy_rmse_meV_per_atom"):
        known = {name: float(e[key]) for name, e in errors.items() if e.get(key) is not None}
        if known:
            return min(sorted(known), key=lambda name: known[name])
    raise InputError(Problem("", "head", "no head could be tested; name one, or take a fresh one"))


def _source(checkpoint: Checkpoint, head: str, wanted: str) -> str | None:
    if wanted == FRESH:
        return None
    if wanted in checkpoint.heads:
        return _DEEPMD_SINGLE if checkpoint.single else wanted
    near = get_close_matches(wanted, [*checkpoint.heads, FRESH], n=1)
    known = ", ".join(checkpoint.heads) or f"no head for energies; take {FRESH!r}"
    hint = f"did you mean {near[0]!r}?" if near else f"it has {known}"
    raise InputError(
        Problem(str(checkpoint.path), f"heads.{head}", f"no head is named {wanted!r}; {hint}")
    )
