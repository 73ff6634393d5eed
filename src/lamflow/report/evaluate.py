"""Collect and render the report of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.data.card import read_card
from lamflow.evaluate.exam import DETAILS, ERRORS, PARITY
from lamflow.evaluate.measure import CURVES, VALUES
from lamflow.evaluate.properties.result import PropertyCurve, PropertyValue
from lamflow.evaluate.table import weighted_errors
from lamflow.files import read_json, sha256_file
from lamflow.report import dag_svg, plots, tables, text
from lamflow.report.html import render
from lamflow.report.model import Array, StepRecord
from lamflow.report.palette import SERIES
from lamflow.report.svg import to_markup

_WORST_SHOWN = 5


@dataclass(frozen=True)
class EvaluateReport:
    """Everything that the report shows.

    Attributes
    ----------
    name, status, config_yaml
        The run and its configuration.
    weights
        By set, how much it counts.
    metrics
        Content of ``metrics.json``: by set under ``heads`` (see `lamflow.evaluate.exam`), and
        ``weighted``.
    details
        By set, elements, worst frames and errors of all heads.
    datasets
        By set, card of the frames that were tested on, and `quarantined` frames.
    parity
        By set, see `lamflow.report.model.PretrainReport.parity`.
    properties, curves
        What was computed, and what lies behind it.
    steps
        In the order in which they ran.
    model_card
        The model's ``card.json``, and its hash.
    """

    name: str
    status: str
    config_yaml: str
    weights: Mapping[str, float]
    metrics: Mapping[str, Any]
    details: Mapping[str, Mapping[str, Any]]
    datasets: Mapping[str, Mapping[str, Any]]
    parity: Mapping[str, Mapping[str, Array]]
    properties: Sequence[PropertyValue]
    curves: Sequence[PropertyCurve]
    steps: Sequence[StepRecord]
    model_card: Mapping[str, Any]
    model_sha256: str

    def card(self) -> dict[str, Any]:
        """Describe the run as plain data."""
        return {
            "kind": "evaluate",
            "name": self.name,
            "model": {"name": self.model_card["name"], "card_sha256": self.model_sha256},
            "test_sets": {
                name: {
                    key: errors[key]
                    for key in ("head", "zero_shot", "reference_frames", "frames", "sha256")
                }
                for name, errors in self.metrics["heads"].items()
            },
            "properties": {
                "passed": sum(one.passed for one in self.properties),
                "failed": sum(not one.passed for one in self.properties),
            },
            "metrics": self.metrics["weighted"],
        }


def exam_metrics(exams: Mapping[str, Path], weights: Mapping[str, float]) -> dict[str, Any]:
    """Put the errors on all sets and their weighted mean together: ``metrics.json``.

    Parameters
    ----------
    exams
        By set, the folder that `lamflow.evaluate.exam.examine_model` wrote.
    weights
        By set, how much it counts; a set of weight 0 is left out of the mean.
    """
    heads = {name: read_json(folder / ERRORS) for name, folder in exams.items()}
    counted = {name: errors for name, errors in heads.items() if weights[name] > 0}
    if not counted:
        return {"heads": heads, "weighted": {"baseline": {}}}
    baselines = {name: errors["baseline"] for name, errors in counted.items()}
    weighted = {
        **weighted_errors(counted, weights), "baseline": weighted_errors(baselines, weights)
    }  # fmt: skip
    return {"heads": heads, "weighted": weighted}


def collect_evaluation(
    *,
    name: str,
    config_yaml: str,
    weights: Mapping[str, float],
    model: Path,
    exams: Mapping[str, Path],
    measured: Mapping[str, Path],
    quarantines: Mapping[str, Path],
    datasets: Mapping[str, Path],
    steps: Mapping[str, Path],
) -> EvaluateReport:
    """Read the products of an evaluation.

    Parameters
    ----------
    weights
        By set, how much it counts.
    model
        Model folder.
    exams, quarantines, datasets
        By set: errors, what cleaning set aside, and the frames tested on.
    measured
        By system, what `lamflow.evaluate.measure` wrote.
    steps
        Records of the steps.
    """
    values = [one for folder in measured.values() for one in read_json(folder / VALUES)]
    curves = [one for folder in measured.values() for one in read_json(folder / CURVES)]
    return EvaluateReport(
        name=name,
        status="succeeded",
        config_yaml=config_yaml,
        weights=weights,
        metrics=exam_metrics(exams, weights),
        details={set_: read_json(folder / DETAILS) for set_, folder in exams.items()},
        datasets={
            set_: {
                **read_card(datasets[set_]).model_dump(mode="json"),
                "quarantined": read_json(quarantines[set_] / "summary.json")["quarantined"],
            }
            for set_ in exams
        },
        parity={set_: _parity(folder / PARITY) for set_, folder in exams.items()},
        properties=[PropertyValue.model_validate(one) for one in values],
        curves=[PropertyCurve.model_validate(one) for one in curves],
        steps=[StepRecord.from_record(read_json(path)) for path in steps.values()],
        model_card=read_json(model / "card.json"),
        model_sha256=sha256_file(model / "card.json"),
    )


def _parity(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as points:
        return {quantity: points[quantity].astype(np.float64) for quantity in points.files}


def render_evaluation(report: EvaluateReport) -> str:
    """Write the page: a whole HTML document that needs nothing beside it."""
    card = {k: v for k, v in report.model_card.items() if k not in ("versions", "model", "files")}
    metrics = report.metrics if report.metrics["heads"] else {"heads": {}}
    return render(
        "evaluate.html.j2",
        report=report,
        kind="evaluate",
        seconds=_wall(report.steps),
        headline=headline(report),
        errors=tables.error_table(metrics, report.weights),
        sets=[_set_row(report, name) for name in report.metrics["heads"]],
        heads={
            name: tables.error_table({"heads": details["heads"]}, {})
            for name, details in report.details.items()
            if details["heads"]
        },
        elements=[
            _element_row(name, row)
            for name, details in report.details.items()
            for row in details["elements"]
        ],
        worst=[
            _worst_row(name, quantity, row)
            for name, details in report.details.items()
            for quantity, rows in details["worst"].items()
            for row in rows[:_WORST_SHOWN]
        ],
        parity=plots.parity(report.parity),
        properties=[_property_row(one) for one in report.properties],
        curves=[_curve_panel(number, one) for number, one in enumerate(report.curves)],
        dag=dag_svg.lay_out(report.steps),
        node_size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
        model_card=list(text.flatten(card)),
        versions=list(text.flatten(report.model_card["versions"])),
    )


def headline(report: EvaluateReport) -> str:
    """Tell the outcome in a sentence or two."""
    said = []
    heads = report.metrics["heads"]
    if heads:
        winners, others = tables.beats_baseline(report.metrics)
        sentence = f"The model beats the baseline on {len(winners)} of {len(heads)} test sets"
        said.append(sentence + (f"; it does not on {', '.join(others)}." if others else "."))
    if report.properties:
        failed = [f"{one.system} {one.name}" for one in report.properties if not one.passed]
        passed = len(report.properties) - len(failed)
        sentence = f"{passed} of {len(report.properties)} property tests passed"
        said.append(sentence + (f"; failed: {', '.join(failed)}." if failed else "."))
    return " ".join(said)


def _wall(steps: Sequence[StepRecord]) -> float | None:
    started = [step.started for step in steps if step.started is not None]
    finished = [step.finished for step in steps if step.finished is not None]
    return max(finished) - min(started) if started and finished else None


def _set_row(report: EvaluateReport, name: str) -> dict[str, str]:
    errors, card = report.metrics["heads"][name], report.datasets[name]
    refitted = f"refitted to {errors['reference_frames']} other frames"
    return {
        "name": name,
        "head": errors["head"],
        "references": refitted if errors["zero_shot"] else "the head's own",
        "frames": text.count(errors["frames"]),
        "quarantined": text.count(card["quarantined"]),
        "elements": " ".join(card["elements"]),
        "untaught": " ".join(report.details[name]["untaught"]) or text.DASH,
        "dft": text.plain(card["dft"]),
        "licence": text.plain(card["licence"]),
        "source": text.plain(card["source"]),
    }


def _element_row(name: str, row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "set": name,
        "element": row["element"],
        "atoms": text.count(row["atoms"]),
        "force": text.error(row["force_rmse_meV_per_A"]),
        "force_mae": text.error(row["force_mae_meV_per_A"]),
        "frames": text.count(row["frames"]),
        "energy": text.error(row["energy_rmse_meV_per_atom"]),
    }


def _worst_row(name: str, quantity: str, row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "set": name,
        "by": quantity,
        "frame": f"{row['system']} {row['frame']}",
        "composition": row["composition"],
        "force": text.error(row["force_max_meV_per_A"]),
        "energy": text.error(row["energy_meV_per_atom"]),
    }


def _property_row(one: PropertyValue) -> dict[str, str]:
    value = text.DASH if one.value is None else f"{one.value:.4g} {one.unit}"
    reference = text.DASH if one.reference is None else f"{one.reference:.4g} {one.unit}"
    return {
        "system": one.system,
        "name": one.name,
        "value": value,
        "reference": reference,
        "passed": "✓ passed" if one.passed else "✗ failed",
        "reason": one.reason or text.DASH,
    }


def _curve_panel(number: int, curve: PropertyCurve) -> plots.Panel:
    figure, axes = plots.new_axes()
    line, marker = ("none", "o") if curve.points else ("-", "")
    axes.plot(curve.x, curve.y, color=SERIES[0], linestyle=line, marker=marker, markersize=3.5)
    axes.set_xlabel(curve.x_label)
    axes.set_ylabel(curve.y_label)
    picture = to_markup(figure, f"property-{number}", f"{curve.name} of {curve.system}.")
    return plots.Panel(curve.system, picture, curve.name)
