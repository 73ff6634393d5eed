"""Collect and render the report of a pipeline: a summary, and the reports of its stages in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lamflow.files import read_json
from lamflow.report import dag_svg, tables, text
from lamflow.report.html import render
from lamflow.report.model import StepRecord

_FACTS = 24
_ENERGY, _FORCE = "energy_rmse_meV_per_atom", "force_rmse_meV_per_A"


@dataclass(frozen=True)
class Stage:
    """One stage of a pipeline.

    Attributes
    ----------
    name, kind
        Its name, and the kind of its workflow.
    model
        Earlier stage whose model it takes.
    config
        Its configuration.
    steps
        Names of its steps.
    """

    name: str
    kind: str
    model: str | None
    config: Mapping[str, Any]
    steps: tuple[str, ...]


@dataclass(frozen=True)
class PipelineReport:
    """Everything that the report shows.

    Attributes
    ----------
    name, status
        The run's name, and how it ended.
    stages
        In order.
    reports
        By stage, its page; a stage may have none.
    metrics
        By stage, the content of its ``metrics.json``.
    steps
        Records of all steps.
    """

    name: str
    status: str
    stages: Sequence[Stage]
    reports: Mapping[str, str]
    metrics: Mapping[str, Mapping[str, Any]]
    steps: Sequence[StepRecord]

    @property
    def seconds(self) -> float:
        """Time of all steps together, s."""
        return sum(step.seconds or 0.0 for step in self.steps)

    def seconds_of(self, stage: Stage) -> float:
        """Time of a stage's steps, s."""
        return sum(step.seconds or 0.0 for step in self.steps if step.name in stage.steps)

    def all_metrics(self) -> dict[str, Any]:
        """Content of ``metrics.json``: that of the last stage with errors, and of all by stage."""
        with_heads = [found for found in self.metrics.values() if found.get("heads")]
        last = with_heads[-1] if with_heads else {"heads": {}, "weighted": {"baseline": {}}}
        return {**last, "stages": dict(self.metrics)}

    def card(self) -> dict[str, Any]:
        """Describe the run as plain data."""
        return {
            "kind": "pipeline",
            "name": self.name,
            "stages": [
                {
                    "name": stage.name, "kind": stage.kind, "model": stage.model,
                    "step_seconds": round(self.seconds_of(stage), 1),
                    "metrics": self.metrics.get(stage.name, {}).get("weighted"),
                }
                for stage in self.stages
            ],
        }  # fmt: skip


def collect_pipeline(
    *,
    name: str,
    stages: Sequence[Stage],
    reports: Mapping[str, Path],
    metrics: Mapping[str, Path],
    steps: Mapping[str, Path],
) -> PipelineReport:
    """Read the products of the stages.

    Parameters
    ----------
    reports, metrics
        By stage, its ``report.html`` and ``metrics.json``.
    steps
        Records of the steps.
    """
    return PipelineReport(
        name=name,
        status="succeeded",
        stages=stages,
        reports={stage: path.read_text(encoding="utf-8") for stage, path in reports.items()},
        metrics={stage: read_json(path) for stage, path in metrics.items()},
        steps=[StepRecord.from_record(read_json(path)) for path in steps.values()],
    )


def render_pipeline(report: PipelineReport) -> str:
    """Write the page: a whole HTML document with the stages' pages inside."""
    starts = [step.started for step in report.steps if step.started is not None]
    ends = [step.finished for step in report.steps if step.finished is not None]
    return render(
        "pipeline.html.j2",
        report=report,
        kind="pipeline",
        seconds=max(ends) - min(starts) if starts and ends else None,
        headline=" → ".join(f"{stage.name}" for stage in report.stages),
        rows=[_row(report, stage) for stage in report.stages],
        errors={
            stage.name: tables.error_table(report.metrics[stage.name], _weights(stage))
            for stage in report.stages
            if report.metrics.get(stage.name, {}).get("heads")
        },
        facts={stage.name: _facts(report.metrics.get(stage.name, {})) for stage in report.stages},
        configs={
            stage.name: yaml.safe_dump(dict(stage.config), sort_keys=False, allow_unicode=True)
            for stage in report.stages
        },
        dag=dag_svg.lay_out(report.steps),
        node_size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
    )


def _weights(stage: Stage) -> dict[str, float]:
    """How much each dataset of a stage counts, by its name."""
    return {one["name"]: one.get("weight", 1.0) for one in stage.config.get("datasets", [])}


def _facts(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Numbers of a stage that are no errors by head, such as the speed of a compressed model."""
    own = {key: value for key, value in metrics.items() if key not in ("heads", "weighted")}
    return list(text.flatten(own))[:_FACTS]


def _row(report: PipelineReport, stage: Stage) -> dict[str, str]:
    weighted = report.metrics.get(stage.name, {}).get("weighted") or {}
    return {
        "name": stage.name,
        "kind": stage.kind,
        "model": stage.model or text.DASH,
        "steps": text.count(len(stage.steps)),
        "time": text.duration(report.seconds_of(stage)),
        "energy": text.error(weighted.get(_ENERGY)),
        "force": text.error(weighted.get(_FORCE)),
    }
