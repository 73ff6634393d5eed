"""Whether a fine-tuned model still knows what it was pretrained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lamflow.errors import InputError, Problem
from lamflow.evaluate.table import ERROR_KEYS


@dataclass(frozen=True)
class Forgetting:
    """How one error of an old head changed.

    Attributes
    ----------
    head
        Head of the pretrained model.
    error
        One of `lamflow.evaluate.table.ERROR_KEYS`, unit in the name.
    before, after
        The error on the head's own test set, before and after fine-tuning.
    """

    head: str
    error: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """After over before; above 1 something was forgotten."""
        return self.after / self.before if self.before > 0 else float("inf")


def forgetting(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> list[Forgetting]:
    """Compare the old heads' test errors before and after fine-tuning, the worst first.

    Parameters
    ----------
    before, after
        Per head, its errors (see `lamflow.evaluate.errors.head_errors`), on the same frames.

    Raises
    ------
    InputError
        A head of `before` was not tested again, or on another number of frames.
    """
    found = []
    for head, old in before.items():
        new = after.get(head)
        if new is None:
            what = "was not tested after fine-tuning; replay it to keep the head, or leave it out"
            raise InputError(Problem("", f"heads.{head}", what))
        if new["frames"] != old["frames"]:
            what = f"was tested on {new['frames']} frames after and {old['frames']} before"
            raise InputError(Problem("", f"heads.{head}", what))
        found += [
            Forgetting(head, key, float(old[key]), float(new[key]))
            for key in ERROR_KEYS
            if old.get(key) is not None and new.get(key) is not None
        ]
    return sorted(found, key=lambda one: one.ratio, reverse=True)
