"""Operator: one report over all stages of a pipeline."""

from collections.abc import Mapping

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.files import write_json, write_text
from lamflow.report.pipeline import Stage, collect_pipeline, render_pipeline


class StageParams(StrictModel):
    """What a stage is."""

    name: str
    """Name of the stage."""
    kind: str
    """Kind of its workflow."""
    model: str | None
    """Earlier stage whose model it takes."""
    config: JsonObject
    """Its configuration, as it was run."""
    steps: tuple[str, ...]
    """Names of its steps in the pipeline."""


class PipelineReportParams(StrictModel):
    """What the report is about."""

    name: str
    """Name of the run."""
    stages: tuple[StageParams, ...]
    """The stages, in order."""


@operator(
    params=PipelineReportParams,
    groups={
        "reports": "page of each stage",
        "metrics": "metrics.json of each stage",
        "steps": "records of the steps",
    },
    outputs={"report": "HTML page", "metrics": "metrics.json", "card": "card of the run"},
    numbers=("stages", "seconds"),
)
def pipeline_report(params: PipelineReportParams, io: StepIO) -> Mapping[str, float]:
    """Put the stages' errors, times and reports on one page."""
    page = collect_pipeline(
        name=params.name,
        stages=[Stage(**stage.model_dump()) for stage in params.stages],
        reports=io.groups.get("reports", {}), metrics=io.groups.get("metrics", {}),
        steps=io.groups["steps"],
    )  # fmt: skip
    write_json(io.outputs["metrics"], page.all_metrics())
    write_text(io.outputs["report"], render_pipeline(page))
    write_json(io.outputs["card"], page.card())
    return {"stages": len(page.stages), "seconds": round(page.seconds, 1)}
