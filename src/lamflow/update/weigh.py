"""What the model knows of a dataset before it has learnt it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamflow.config.base import StrictModel
from lamflow.data.card import read_card
from lamflow.files import write_json
from lamflow.progress import Progress, silent
from lamflow.select.coverage import VERDICT, CoverageLimits, assess_coverage
from lamflow.update.base import Base

_COVERED = "covered"


class Novelty(StrictModel):
    """Whether a dataset has something new for a model."""

    covered: bool = False
    """Whether it has nothing new."""
    reason: str = ""
    """Why, in words."""
    share: float | None = None
    """Share of its frames that are covered, 0 to 1; null: not measured."""
    best_head: str | None = None
    """Head that fits it best; null: none knows all its elements."""


def weigh(
    base: Base | None,
    parts: Path,
    coverage: Path,
    scratch: Path,
    limits: CoverageLimits,
    seed: int,
    *,
    progress: Progress = silent,
) -> Novelty:
    """Compare a dataset with what the base knows (see `lamflow.select.coverage`).

    Parameters
    ----------
    base
        The version before; None: all is new.
    parts
        Folder with ``train/`` of the dataset.
    coverage
        Gets ``coverage.json`` and, where a comparison was made, what belongs to it.
    scratch
        For what is not kept.
    limits, seed
        How much is looked at, and which.
    """
    train = parts / "train"
    if base is None:
        return _unknown(coverage, "there is no version yet")
    new = sorted(set(read_card(train).elements) - set(base.content.card.type_map))
    if new:
        return _unknown(coverage, f"elements that the model does not know: {', '.join(new)}")
    training = {head: _taught(base, head, scratch) for head in base.content.card.heads}
    found = assess_coverage(
        {"1": base.folder}, training, train, coverage, scratch / "subset", scratch, limits, seed,
        progress=progress,
    )  # fmt: skip
    return Novelty(
        covered=found["verdict"] == _COVERED,
        reason=_words(found),
        share=found["fraction_covered"],
        best_head=found["head"],
    )


def _unknown(coverage: Path, why: str) -> Novelty:
    novelty = Novelty(reason=why)
    write_json(coverage / VERDICT, {"verdict": "new", "why": why})
    return novelty


def _taught(base: Base, head: str, scratch: Path) -> Path:
    """Put links to a head's training data and test set side by side, as a split does."""
    folder = scratch / "taught" / head
    folder.mkdir(parents=True, exist_ok=True)
    tested = [r for r in base.content.results if r.head == head and r.sha256]
    sets = {"train": base.data.train(base.content, head)}
    if tested:
        sha256 = str(tested[0].sha256)
        sets["test"] = base.data.folder(sha256, f"test set {tested[0].test_set}")
    for part, path in sets.items():
        (folder / part).unlink(missing_ok=True)
        (folder / part).symlink_to(path)
    return folder


def _words(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return (
        f"{found['verdict']}: {found['fraction_covered']:.0%} of {found['frames']} frames "
        f"({low:.0%} to {high:.0%}) are as head {found['head']} knows them"
    )
