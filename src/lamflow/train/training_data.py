"""Find the data that taught a model, in the folder of the run that made it."""

from pathlib import Path

from lamflow.data.card import CARD, read_card
from lamflow.errors import InputError, Problem
from lamflow.train.model_card import read_model_card

_RESULT, _TRAIN = "result", "train"


def find_training_data(model: Path) -> dict[str, Path]:
    """Folders with ``train/`` (and ``validation/``, ``test/``) of each head, by the head's name.

    The run's steps are looked through for training frames with the hashes in the model's card.

    Parameters
    ----------
    model
        Model folder in the ``result/`` of a run.

    Raises
    ------
    InputError
        The model is not in a run, or the run has no such data any more.
    """
    heads = read_model_card(model).heads
    wanted = {card.sha256: name for name, card in heads.items()}
    found = {}
    if model.parent.name == _RESULT:
        for path in sorted(model.parent.parent.glob(f"steps/*/outputs/*/{_TRAIN}/{CARD}")):
            name = wanted.get(read_card(path.parent).sha256)
            if name is not None:
                found[name] = path.parent.parent
    if not found:
        what = (
            "what the model was trained on is not here; name it in training: "
            "[{name: ..., path: ...}]"
        )
        raise InputError(Problem(str(model), "training", what))
    return {name: found[name] for name in heads if name in found}
