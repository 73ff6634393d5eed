"""Render reports as one HTML file that needs nothing beside it."""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from lamflow.report import dag_svg, plots, tables, text
from lamflow.report.model import PretrainReport, StepRecord

if TYPE_CHECKING:
    from jinja2 import Environment

_PHASE_MARKS = {
    "succeeded": "✓ done",
    "failed": "✗ failed",
    "error": "✗ failed",
    "running": "▸ running",
    "pending": "◦ waiting",
    "omitted": "◦ not run",
}


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("lamflow.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=text.count, duration=text.duration, moment=text.moment, plain=text.plain,
        state=_state, slug=_slug,
    )  # fmt: skip
    return environment


def _state(step: StepRecord) -> str:
    """Tell a step's state with a mark and a word, so that colour is never needed."""
    if step.reused:
        return "↺ reused"
    return _PHASE_MARKS.get(step.phase.lower(), step.phase)


def _slug(name: str) -> str:
    """Make letters, digits and dashes of `name`, for ids."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-").lower() or "x"


def _seconds(steps: "tuple[StepRecord, ...]") -> float | None:
    started = [step.started for step in steps if step.started is not None and not step.reused]
    finished = [step.finished for step in steps if step.finished is not None and not step.reused]
    return max(finished) - min(started) if started and finished else None


def render(template: str, **values: Any) -> str:
    """Fill one of the templates in ``templates/``; all values are escaped."""
    return _environment().get_template(template).render(**values)


def render_pretrain(report: PretrainReport) -> str:
    """Write the page of a pretraining run.

    Returns
    -------
    A whole HTML document: styles and pictures are inside, it has no script and asks for nothing
    from a network.

    Raises
    ------
    ValueError
        If steps need each other in a circle.
    """
    heads = report.metrics.get("heads") or {}
    weights = {str(card.get("name")): card.get("weight", 1.0) for card in report.datasets}
    baselines = {head: errors.get("baseline") or {} for head, errors in heads.items()}
    return render(
        "pretrain.html.j2",
        report=report,
        kind="pretrain",
        headline=tables.headline(report.status, report.metrics),
        errors=tables.error_table(report.metrics, weights),
        others=tables.other_rows(report.metrics),
        curves=plots.learning_curves(report.curves, baselines),
        parity=plots.parity(report.parity),
        dag=dag_svg.lay_out(report.steps),
        node_size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
        seconds=_seconds(tuple(report.steps)),
        datasets=tables.dataset_rows(report.datasets),
        references=tables.reference_table(report.datasets),
        model_card=list(text.flatten(report.model_card)),
        versions=list(text.flatten(report.versions)),
    )
