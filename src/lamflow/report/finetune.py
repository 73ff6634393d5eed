"""The report of a fine-tuning run: what was known, learnt and forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lamflow.evaluate.forgetting import Forgetting, forgetting
from lamflow.evaluate.old_heads import chosen_head
from lamflow.files import read_json
from lamflow.report import dag_svg, plots, tables, text
from lamflow.report.collect import collect_metrics, collect_pretrain
from lamflow.report.finetune_plots import comparison
from lamflow.report.html import render
from lamflow.report.model import PretrainReport
from lamflow.report.run_card import make_run_card
from lamflow.train.curve import read_curve
from lamflow.train.given import open_model

FORCE, ENERGY = "force_rmse_meV_per_A", "energy_rmse_meV_per_atom"
_SAME = 1.1  # ratio of errors up to which nothing was forgotten


@dataclass(frozen=True)
class FinetuneReport:
    """Everything that the report shows.

    Attributes
    ----------
    base
        What it shares with a pretraining run: errors, parity, curves, datasets, steps, card.
    pretrained
        Card of the pretrained model.
    begun
        Per new dataset, the head that it began with, or fresh.
    zero_shot
        Per new dataset, see `lamflow.evaluate.old_heads.zero_shot_table`.
    scratch
        Per new dataset, errors of the model trained from random weights; empty if there is none.
    old
        Per old head, see `lamflow.evaluate.old_heads.old_head_errors`.
    metrics
        The content of ``metrics.json``.
    """

    base: PretrainReport
    pretrained: Mapping[str, Any]
    begun: Mapping[str, str]
    zero_shot: Mapping[str, Mapping[str, Any]]
    scratch: Mapping[str, Mapping[str, Any]]
    old: Mapping[str, Mapping[str, Any]]
    metrics: Mapping[str, Any]

    @property
    def forgotten(self) -> list[Forgetting]:
        """Errors of old heads before and after, the worst change first."""
        return forgetting(
            {name: errors["before"] for name, errors in self.old.items()},
            {name: errors["after"] for name, errors in self.old.items()},
        )

    @property
    def worst_forgetting(self) -> float | None:
        """Largest ratio of an old head's force RMSE after to before; None if none was tested."""
        return max((one.ratio for one in self.forgotten if one.error == FORCE), default=None)

    def knew(self, dataset: str) -> Mapping[str, Any]:
        """Zero-shot errors of the head that a dataset began with; empty if there are none."""
        return dict(self.zero_shot[dataset]["heads"].get(self.begun[dataset], {}))


def collect_finetune(
    name: str,
    config_yaml: str,
    heads: Mapping[str, str],
    weights: Mapping[str, float],
    pretrained: Path,
    groups: Mapping[str, Mapping[str, Path]],
) -> FinetuneReport:
    """Read the products of a fine-tuning run.

    Parameters
    ----------
    name, config_yaml
        The run's name and configuration.
    heads
        Per new dataset, what it was to begin with.
    weights
        Per head, how much it counted.
    pretrained
        Pretrained model folder.
    groups
        Group ports of `lamflow.ops.finetune_report`, by name.
    """
    model = open_model(pretrained)
    zero_shot = {name: read_json(path) for name, path in groups["zero_shot"].items()}
    begun = {
        name: chosen_head(wanted, zero_shot[name], model.heads) for name, wanted in heads.items()
    }
    scratch = {name: read_json(path) for name, path in groups.get("scratch_errors", {}).items()}
    old = {name: read_json(path) for name, path in groups.get("old", {}).items()}
    metrics = collect_metrics(groups["errors"], {name: weights[name] for name in heads})
    for name_of, head in metrics["heads"].items():
        head["begun_with"] = begun[name_of]
        head["zero_shot"] = zero_shot[name_of]["heads"].get(begun[name_of])
        head["scratch"] = scratch.get(name_of)
    metrics["old_heads"] = old
    base = collect_pretrain(
        name=name, config_yaml=config_yaml, metrics=metrics, weights=weights,
        steps=groups["steps"], data=groups["data"], quarantines=groups["quarantines"],
        models=groups["models"], parity=groups["parity"],
    )  # fmt: skip
    return FinetuneReport(
        _with_scratch(base, groups.get("scratch", {}), next(iter(heads))),
        model.card.model_dump(mode="json", exclude={"model", "files"}),
        begun, zero_shot, scratch, old, metrics,
    )  # fmt: skip


def _with_scratch(base: PretrainReport, scratch: Mapping[str, Path], head: str) -> PretrainReport:
    """Add the learning curve of the training from random weights."""
    curves = {f"fine-tuned, {name}": curve for name, curve in base.curves.items()}
    for folder in scratch.values():
        curves["from scratch"] = read_curve(folder / "lcurve.out", head)
    return replace(base, curves=curves, command="lamflow submit finetune.yaml")


def run_card(page: FinetuneReport, models: Mapping[str, Path]) -> dict[str, Any]:
    """Describe the run as plain data, see `lamflow.report.run_card`."""
    return {
        **make_run_card(page.base, models),
        "kind": "finetune",
        "pretrained": page.base.model_card["parents"],
        "begun_with": dict(page.begun),
        "forgetting": page.worst_forgetting,
    }


def render_finetune(page: FinetuneReport) -> str:
    """Write the page: a whole HTML document that needs nothing beside it."""
    base = page.base
    weights = {str(card["name"]): card["weight"] for card in base.datasets}
    baselines = {
        head: errors.get("baseline") or {} for head, errors in page.metrics["heads"].items()
    }
    return render(
        "finetune.html.j2",
        report=base,
        kind="finetune",
        headline=headline(page),
        rows=[_row(page, name) for name in page.begun],
        comparison=comparison(
            {name: _compared(page, name, FORCE) for name in page.begun}, "Force RMSE", "meV/Å"
        ),
        zero_shot=[row for name in page.begun for row in _zero_shot_rows(page, name)],
        forgotten=[_forgotten_row(page, one) for one in page.forgotten],
        errors=tables.error_table(page.metrics, weights),
        curves=plots.learning_curves(base.curves, baselines),
        parity=plots.parity(base.parity),
        dag=dag_svg.lay_out(base.steps),
        node_size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
        seconds=_wall(page),
        datasets=tables.dataset_rows(base.datasets),
        model_card=list(text.flatten(base.model_card)),
        pretrained=list(text.flatten(page.pretrained)),
        versions=list(text.flatten(base.versions)),
    )


def headline(page: FinetuneReport) -> str:
    """Tell in a sentence or two what fine-tuning brought, and what it cost."""
    parts = []
    for name in page.begun:
        errors = _compared(page, name, FORCE)
        before = errors["zero-shot"]
        against = [f"{text.error(before)} zero-shot"] if before is not None else []
        if errors["from scratch"] is not None:
            against.append(f"{text.error(errors['from scratch'])} from scratch")
        told = f" ({', '.join(against)})" if against else ""
        parts.append(f"{name}: {text.error(errors['fine-tuned'])} meV/Å{told}")
    sentence = f"Force RMSE on held-out frames, {'; '.join(parts)}."
    worst = page.worst_forgetting
    if worst is None:
        return sentence
    if worst <= _SAME:
        return f"{sentence} The old heads that were tested are as good as before."
    return f"{sentence} An old head's force error grew to {worst:.2g} times what it was."


def _compared(page: FinetuneReport, name: str, key: str) -> dict[str, float | None]:
    """One error of the models that are compared on a new dataset."""
    head = page.metrics["heads"][name]
    return {
        "baseline": text.finite((head.get("baseline") or {}).get(key)),
        "zero-shot": text.finite(page.knew(name).get(key)),
        "from scratch": text.finite(page.scratch.get(name, {}).get(key)),
        "fine-tuned": text.finite(head.get(key)),
    }


def _row(page: FinetuneReport, name: str) -> dict[str, str]:
    force, energy = _compared(page, name, FORCE), _compared(page, name, ENERGY)
    head = page.metrics["heads"][name]
    parts = next(card["split"]["parts"] for card in page.base.datasets if card["name"] == name)
    return {
        "name": name,
        "begun": page.begun[name],
        "train": text.count(parts.get("train")),
        "frames": text.count(head["frames"]),
        **{
            key: f"{text.error(force[model])} / {text.error(energy[model])}"
            for key, model in (
                ("baseline", "baseline"), ("zero_shot", "zero-shot"),
                ("scratch", "from scratch"), ("tuned", "fine-tuned"),
            )
        },
    }  # fmt: skip


def _zero_shot_rows(page: FinetuneReport, name: str) -> list[dict[str, str]]:
    table = page.zero_shot[name]
    unknown = ", ".join(table["unknown"])
    note = f"{text.count(table['left_out'])} frames left out: {unknown} new" if unknown else ""
    if not table["heads"]:
        return [{"name": name, "head": text.DASH, "force": text.DASH, "energy": text.DASH,
                 "frames": "0", "note": note}]  # fmt: skip
    return [
        {
            "name": name,
            "head": head,
            "force": text.error(errors.get(FORCE)),
            "energy": text.error(errors.get(ENERGY)),
            "frames": text.count(errors["frames"]),
            "note": "; ".join(
                filter(None, ("begun with" if head == page.begun[name] else "", note))
            ),
        }
        for head, errors in table["heads"].items()
    ]


def _forgotten_row(page: FinetuneReport, one: Forgetting) -> dict[str, str]:
    tested = page.old[one.head]["with"]
    return {
        "head": one.head,
        "error": one.error.replace("_", " "),
        "before": text.error(one.before),
        "after": text.error(one.after),
        "ratio": f"{one.ratio:.2f}×" if one.before > 0 else text.DASH,
        "tested": "itself" if tested == one.head else f"{tested}, energies refitted",
    }


def _wall(page: FinetuneReport) -> float | None:
    steps: Sequence[Any] = page.base.steps
    started = [step.started for step in steps if step.started is not None]
    finished = [step.finished for step in steps if step.finished is not None]
    return max(finished) - min(started) if started and finished else None
