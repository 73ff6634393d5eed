"""The report of an update: what came in, what was decided, what the new version can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.evaluate.properties.result import PropertyValue
from lamflow.files import read_json
from lamflow.report import coverage_plots, dag_svg, plots, tables, text
from lamflow.report.html import render
from lamflow.report.model import Array, StepRecord
from lamflow.select.coverage import MAP
from lamflow.train.curve import Curve, read_curve
from lamflow.update.decide import Decision, read_decisions
from lamflow.update.examine import Examination
from lamflow.update.grow import Growth
from lamflow.update.ledger import Ending
from lamflow.update.plan import Plan
from lamflow.update.vet import Verdict

_MODEL_CARD = "card.json"
_WORDS = {
    "published": "✓ learnt",
    "covered": "= covered",
    "quarantined": "✗ quarantined",
    "stopped": "✗ stopped by the gate",
    "again": "↻ tried again alone",
}
_CHANGED = 1.02  # smaller changes of an error are called none


@dataclass(frozen=True)
class UpdateReport:
    """Everything that the report shows.

    Attributes
    ----------
    name, status, config_yaml
        The run and its configuration.
    model
        Name of the model in the registry.
    plan, decisions, growth, examination, ending
        What the update's steps found and did.
    verdicts
        What was found about each dataset.
    parity
        See `lamflow.report.model.PretrainReport.parity`, by test set.
    maps
        Maps of the comparisons, by dataset, see `lamflow.report.coverage_plots.region_map`.
    curves
        Learning curve; empty without a new version.
    model_card
        Card of the new version; empty without one.
    steps
        In the order in which they ran.
    """

    name: str
    status: str
    config_yaml: str
    model: str
    plan: Plan
    decisions: Sequence[Decision]
    growth: Growth
    examination: Examination
    ending: Ending
    verdicts: Sequence[Verdict]
    parity: Mapping[str, Mapping[str, Array]]
    maps: Mapping[str, Mapping[str, Array]]
    curves: Mapping[str, Curve]
    model_card: Mapping[str, Any]
    steps: Sequence[StepRecord]

    @property
    def metrics(self) -> dict[str, Any]:
        """Errors in the form of ``metrics.json``, by test set; `before` is the old version's."""
        return {
            "heads": {
                one.test_set: {
                    "head": one.head, "frames": one.frames, **one.errors,
                    "baseline": one.baseline,
                    "before": self.examination.before.get(one.test_set),
                }
                for one in self.examination.results
            },
            "weighted": {},
        }  # fmt: skip

    def card(self) -> dict[str, Any]:
        """Describe the run as plain data."""
        return {
            "kind": "update", "name": self.name, "model": self.model, "base": self.plan.base,
            "candidate": self.ending.candidate, "release": self.ending.release,
            "worse": list(self.ending.worse),
            "datasets": {
                one.name: one.model_dump(mode="json", exclude={"name"})
                for one in self.ending.outcomes
            },
            "again": sorted(self.ending.alone),
        }  # fmt: skip


def collect_update(
    *,
    name: str,
    config_yaml: str,
    model_name: str,
    plan: Plan,
    decisions: Path,
    growth: Path,
    examination: Path,
    parity: Path,
    model: Path,
    ending: Ending,
    verdicts: Mapping[str, Path],
    coverages: Mapping[str, Path],
    steps: Mapping[str, Path],
) -> UpdateReport:
    """Read the products of an update's steps; `verdicts` and `coverages` are by slot."""
    found = {slot: Verdict.model_validate(read_json(path)) for slot, path in verdicts.items()}
    points = {file.stem: _arrays(file) for file in sorted(parity.glob("*.npz"))}
    maps = {
        str(found[slot].name): _arrays(folder / MAP)
        for slot, folder in coverages.items()
        if (folder / MAP).is_file()
    }
    card = read_json(model / _MODEL_CARD) if (model / _MODEL_CARD).is_file() else {}
    heads = list(card.get("heads", {}))
    return UpdateReport(
        name=name,
        status="succeeded",
        config_yaml=config_yaml,
        model=model_name,
        plan=plan,
        decisions=read_decisions(decisions),
        growth=Growth.model_validate(read_json(growth)),
        examination=Examination.model_validate(read_json(examination)),
        ending=ending,
        verdicts=list(found.values()),
        parity=points,
        maps=maps,
        curves={"training": read_curve(model / "lcurve.out", heads[0])} if heads else {},
        model_card=card,
        steps=[StepRecord.from_record(read_json(path)) for path in steps.values()],
    )


def _arrays(file: Path) -> dict[str, Array]:
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name].astype(np.float64) for name in arrays.files}


def headline(report: UpdateReport) -> str:
    """Say in a sentence what came of the update."""
    if not report.plan.datasets:
        return "There was nothing new in the inbox."
    ending = report.ending
    counts = [
        f"{sum(o.decision == what for o in ending.outcomes)} {word}"
        for what, word in (
            ("published", "learnt"), ("covered", "covered already"),
            ("quarantined", "quarantined"), ("stopped", "stopped"),
        )
        if any(o.decision == what for o in ending.outcomes)
    ]  # fmt: skip
    counts += [f"{len(ending.alone)} to be tried again alone"] if ending.alone else []
    number = len(report.plan.datasets)
    what = f"{number} new dataset{'s' if number > 1 else ''}: {', '.join(counts)}. "
    if ending.release:
        return what + f"{ending.release} is latest."
    if ending.candidate:
        return what + f"The gate refused {ending.candidate}; {report.plan.base} stays latest."
    return what + f"No new version; {report.plan.base or 'there is none yet'} stays."


def render_update(report: UpdateReport) -> str:
    """Write the page: a whole HTML document that needs nothing beside it."""
    started = [s.started for s in report.steps if s.started is not None]
    finished = [s.finished for s in report.steps if s.finished is not None]
    weights = {
        one.test_set: report.model_card["heads"][one.head]["weight"]
        for one in report.examination.results
    }
    card = {k: v for k, v in report.model_card.items() if k not in ("versions", "model", "files")}
    maps = [coverage_plots.region_map(name, one) for name, one in report.maps.items()]
    baselines = {one.head: dict(one.baseline) for one in report.examination.results}
    return render(
        "update.html.j2",
        report=report,
        kind="update",
        seconds=max(finished) - min(started) if started and finished else None,
        headline=headline(report),
        datasets=_dataset_rows(report),
        faults=_fault_rows(report.verdicts),
        maps=[panel for panel in maps if panel is not None],
        changes=_change_rows(report),
        properties=[_property_row(one) for one in report.examination.properties],
        errors=tables.error_table(report.metrics, weights),
        curves=plots.learning_curves(report.curves, baselines) if report.curves else (),
        parity=plots.parity(report.parity),
        dag=dag_svg.lay_out(report.steps),
        node_size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
        model_card=list(text.flatten(card)),
        versions=list(text.flatten(report.model_card.get("versions", {}))),
    )


def _dataset_rows(report: UpdateReport) -> list[dict[str, str]]:
    outcomes = {one.name: one for one in report.ending.outcomes}
    decided = {one.name: one for one in report.decisions}
    rows = []
    for verdict in report.verdicts:
        if verdict.name is None:
            continue
        outcome = outcomes.get(verdict.name)
        decision = decided[verdict.name]
        rows.append({
            "name": verdict.name,
            "outcome": _WORDS[outcome.decision if outcome else "again"],
            "reason": outcome.reason if outcome else "the update failed; one of several may be why",
            "frames": f"{verdict.frames_good} of {verdict.frames_in}",
            "elements": " ".join(verdict.elements) or text.DASH,
            "dft": verdict.dft or text.DASH,
            "licence": verdict.licence or text.DASH,
            "head": decision.head or text.DASH,
            "start": decision.start or ("itself" if decision.joins else text.DASH),
        })  # fmt: skip
    return rows


def _fault_rows(verdicts: Sequence[Verdict]) -> list[dict[str, str]]:
    rows = []
    for verdict in verdicts:
        rows += [
            {"name": str(verdict.name), "code": code, "what": f"{count} frames"}
            for code, count in sorted(verdict.by_code.items())
        ]
        rows += [
            {"name": str(verdict.name), "code": "system", "what": what} for what in verdict.faults
        ]
    return rows


def _change_rows(report: UpdateReport) -> list[dict[str, str]]:
    """Return one row per test set and quantity that was known before."""
    rows = []
    new = {one.name for one in report.decisions}
    for one in report.examination.results:
        before = report.examination.before.get(one.test_set) or {}
        for words, unit, key, _ in tables.ERROR_QUANTITIES:
            old, now = before.get(key), one.errors.get(key)
            if old is None or now is None:
                continue
            rows.append({
                "set": one.test_set + (" (zero-shot before)" if one.test_set in new else ""),
                "head": one.head,
                "quantity": f"{words} RMSE, {unit}",
                "before": text.error(old),
                "after": text.error(now),
                "change": _change(old, now),
            })  # fmt: skip
    return rows


def _property_row(one: PropertyValue) -> dict[str, str]:
    return {
        "name": f"{one.system}: {one.name}",
        "value": text.DASH if one.value is None else f"{one.value:.4g} {one.unit}",
        "reference": text.DASH if one.reference is None else f"{one.reference:.4g} {one.unit}",
        "verdict": "✓ passed" if one.passed else f"✗ failed{': ' * bool(one.reason)}{one.reason}",
    }


def _change(old: float, now: float) -> str:
    if old <= 0 or now <= 0:
        return text.DASH
    ratio = max(old / now, now / old)
    if ratio < _CHANGED:
        return "the same"
    return f"{'▼' if now < old else '▲'} {ratio:.2f} times {'smaller' if now < old else 'larger'}"
