"""A new version goes to the registry as candidate, with its data, and to the gate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lamflow.config.base import StrictModel
from lamflow.data.card import DatasetCard, read_card
from lamflow.progress import Progress, silent
from lamflow.registry.datasets import add_dataset
from lamflow.registry.gate import CANDIDATE, judge
from lamflow.registry.models import ancestor_of, publish_model
from lamflow.registry.names import LATEST
from lamflow.registry.registry import Registry
from lamflow.registry.release import Ancestor, ModelContent, Release
from lamflow.update.decide import Decision, to_train
from lamflow.update.examine import Examination
from lamflow.update.plan import Plan, Wanted
from lamflow.update.vet import CLEANED, fetch_raw


class GateResult(StrictModel):
    """What the gate said."""

    candidate: str | None = None
    """The version that was judged; null: there was none."""
    passed: bool = False
    """Whether it may become latest."""
    worse: tuple[str, ...] = ()
    """What is worse than in the version before."""


@dataclass(frozen=True)
class Products:
    """What an update has made.

    Attributes
    ----------
    model, data
        From `lamflow.update.grow`.
    parts
        Folder of each slot from `lamflow.update.vet`.
    examination
        From `lamflow.update.examine`.
    config
        The configuration, as YAML.
    """

    model: Path
    data: Path
    parts: Mapping[str, Path]
    examination: Examination
    config: str


def publish_candidate(
    registry: Registry,
    name: str,
    plan: Plan,
    decisions: Sequence[Decision],
    made: Products,
    scratch: Path,
    *,
    tolerance: float,
    progress: Progress = silent,
) -> GateResult:
    """Publish what an update has made, and judge it; `latest` stays where it is.

    Publishing the same again changes nothing, so this can be repeated after any failure.

    Parameters
    ----------
    registry, name
        Where, and the model's name.
    plan, decisions, made
        What the update did.
    scratch
        For the datasets as they were sent, which are published, too.
    tolerance
        See `lamflow.registry.gate`.
    """
    learnt = to_train(decisions)
    publish_data(registry, name, learnt, made, scratch, progress)
    release = publish_model(
        registry, made.model, name,
        results=made.examination.results,
        properties=made.examination.properties,
        known=_ancestors(registry, plan, learnt, made),
        config=made.config,
        parents=[plan.base] if plan.base else [],
        progress=progress,
    )  # fmt: skip
    registry.move_tag("model", name, CANDIDATE, release.version)
    verdict = judge(registry, name, tolerance)
    worse = tuple(str(one) for one in verdict.regressions)
    return GateResult(candidate=str(release), passed=verdict.passed, worse=worse)


def part_name(model: str, name: str, part: str) -> str:
    """Return what a part of a model's data is called in the registry."""
    return f"{model}/{name}/{part}"


def publish_data(
    registry: Registry,
    model: str,
    learnt: Sequence[Decision],
    made: Products,
    scratch: Path,
    progress: Progress = silent,
) -> list[Release]:
    """Publish the new datasets: as sent, what heads were taught, and test sets.

    Without them no later update could replay and test what is learnt now.
    """
    folders = {
        part_name(model, one.name, "sent"): fetch_raw(
            registry.store, Wanted(name=one.name, sha256=one.sha256), scratch, progress
        )
        for one in learnt
    }
    folders |= {part_name(model, o.name, "test"): made.parts[o.slot] / "test" for o in learnt}
    folders |= {
        part_name(model, head, "train"): made.data / head / "train"
        for head in dict.fromkeys(one.head for one in learnt)
    }
    releases = []
    for name, folder in folders.items():
        release = add_dataset(registry, folder, name, progress=progress)
        registry.move_tag("dataset", name, LATEST, release.version, only_forward=True)
        releases.append(release)
    return releases


def _ancestors(
    registry: Registry, plan: Plan, learnt: Sequence[Decision], made: Products
) -> dict[str, Ancestor]:
    """Return all datasets on the way to the heads, by hash: the base's and the new ones."""
    known: dict[str, Ancestor] = {}
    if plan.base:
        content = registry.release("model", plan.base).content
        if isinstance(content, ModelContent):
            known = {one.sha256: one for one in content.ancestors}
    cards: list[DatasetCard] = [
        read_card(made.parts[one.slot] / part) for one in learnt for part in (CLEANED, "train")
    ]
    cards += [read_card(made.data / one.head / "train") for one in learnt]
    return known | {card.sha256: ancestor_of(card) for card in cards}
