"""`kind: pipeline`: the graphs of several workflow files as one, and a report over all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lamflow.ops.pipeline_report import PipelineReportParams, StageParams, pipeline_report

from lamflow.config.loader import load_config
from lamflow.config.model_ref import STAGE
from lamflow.config.pipeline import PipelineConfig, StageSpec
from lamflow.config.portable import portable
from lamflow.engine.graph import Graph, Origin, Output, Step
from lamflow.errors import InputError, Problem

Results = Mapping[str, Output]
_MODEL = "model"
_REPORT, _METRICS = "report.html", "metrics.json"


def build(config: PipelineConfig) -> Graph:
    """Compose the graph of a pipeline.

    Raises
    ------
    InputError
        A stage's file is wrong, or a stage takes the model of one that makes none.
    """
    graph = Graph(config.kind, config.name)
    results: dict[str, Results] = {}
    described = []
    for stage in config.stages:
        made = _stage_graph(stage, list(results))
        if stage.model is not None and _MODEL not in results[stage.model]:
            what = (
                f"stage '{stage.model}' gives no model; it gives {', '.join(results[stage.model])}"
            )
            raise InputError(Problem(stage.file, "model", what))
        results[stage.name] = _add(graph, stage.label, made.graph, results)
        described.append(made.params)
    end = graph.add(
        "report",
        pipeline_report,
        PipelineReportParams(name=config.name, stages=tuple(described)),
        groups={
            "reports": _of_each(results, _REPORT),
            "metrics": _of_each(results, _METRICS),
            "steps": graph.records(),
        },
    )
    graph.results = {
        f"{name}/{path}": output for name, made in results.items() for path, output in made.items()
    } | {"metrics.json": end["metrics"], "report.html": end["report"], "card.json": end["card"]}
    return graph


class _Made:
    """A stage's own graph, and how the report describes it."""

    def __init__(self, graph: Graph, params: StageParams) -> None:
        self.graph = graph
        self.params = params


def _stage_graph(stage: StageSpec, earlier: Sequence[str]) -> _Made:
    from lamflow.workflows.kinds import build_graph

    config = load_config(Path(stage.file), stage.overrides(), stages=earlier).config
    graph = build_graph(config)
    params = StageParams(
        name=stage.name, kind=graph.kind, model=stage.model, config=portable(config),
        steps=tuple(f"{stage.label}-{step.name}" for step in graph.steps),
    )  # fmt: skip
    return _Made(graph, params)


def _add(graph: Graph, prefix: str, stage: Graph, results: Mapping[str, Results]) -> Results:
    """Add a stage's steps to the pipeline's; what it names of other stages is put in place."""
    new: dict[str, Step] = {}

    def placed(origin: Origin) -> Origin:
        if isinstance(origin, Output):
            return new[origin.step.name][origin.port]
        if origin.location.startswith(STAGE):
            return results[origin.location.removeprefix(STAGE)][_MODEL]
        return origin

    for step in stage.steps:
        new[step.name] = graph.add(
            f"{prefix}-{step.name}",
            step.operator,
            step.params,
            {port: placed(origin) for port, origin in step.inputs.items()},
            {
                port: {member: placed(origin) for member, origin in members.items()}
                for port, members in step.groups.items()
            },
        )
    return {path: new[output.step.name][output.port] for path, output in stage.results.items()}


def _of_each(results: Mapping[str, Results], path: str) -> dict[str, Origin]:
    return {name: made[path] for name, made in results.items() if path in made}
