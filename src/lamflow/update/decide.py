"""What is done with each dataset of an update."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from lamflow.config.base import StrictModel
from lamflow.files import read_json
from lamflow.update.vet import Verdict
from lamflow.update.weigh import Novelty


class Decision(StrictModel):
    """What is done with one dataset."""

    slot: str
    """Slot of the update that has its parts."""
    name: str
    """Name in the inbox."""
    sha256: str
    """Hash over its files."""
    decision: Literal["quarantined", "covered", "train"]
    """quarantined: it is not good; covered: nothing new in it; train: the model learns it."""
    reason: str
    """Why, in words."""
    head: str = ""
    """Head that learns it."""
    joins: bool = False
    """Whether the head is there already and learns on, with its own data and these."""
    start: str = ""
    """Head that a new head begins with, or fresh."""


def decide(
    verdicts: Mapping[str, Verdict],
    novelties: Mapping[str, Novelty],
    heads: Collection[str],
    joins: Mapping[str, str],
    fresh: bool,
) -> list[Decision]:
    """Decide for each slot that has a dataset.

    Parameters
    ----------
    verdicts, novelties
        What was found, by slot.
    heads
        Heads of the model as it is.
    joins
        Head that a dataset is added to, by the dataset's name; a dataset that is called as a head
        is added to that head; any other becomes a new head.
    fresh
        Whether new heads begin with random weights and not with the best head.
    """
    decisions = []
    for slot, verdict in verdicts.items():
        if verdict.name is None:
            continue
        common = {"slot": slot, "name": verdict.name, "sha256": verdict.sha256}
        novelty = novelties[slot]
        if not verdict.good:
            made = Decision(**common, decision="quarantined", reason=verdict.reason)
        elif novelty.covered:
            made = Decision(**common, decision="covered", reason=novelty.reason)
        else:
            head = joins.get(verdict.name, verdict.name)
            start = "" if head in heads else "fresh" if fresh else novelty.best_head or "fresh"
            made = Decision(
                **common, decision="train", reason=novelty.reason, head=head, joins=head in heads,
                start=start,
            )  # fmt: skip
        decisions.append(made)
    return decisions


def to_train(decisions: Sequence[Decision]) -> list[Decision]:
    """Return those that the model learns."""
    return [one for one in decisions if one.decision == "train"]


def read_decisions(file: Path) -> list[Decision]:
    """Read what the operator of this name wrote."""
    return [Decision.model_validate(one) for one in read_json(file)]
