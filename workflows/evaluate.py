"""`kind: evaluate`: clean and test each set, compute each system's properties → report."""

from collections.abc import Mapping

from lamflow.ops.clean import CleanParams, clean
from lamflow.ops.evaluate_report import EvaluateReportParams, evaluate_report
from lamflow.ops.examine import ExamineParams, examine
from lamflow.ops.measure import MeasureParams, measure

from lamflow.config.evaluate import EvaluateConfig, TestSetSpec
from lamflow.config.portable import portable
from lamflow.engine.graph import Graph, Origin, Output, Step
from lamflow.engine.inputs import model_source_of, source_of


def build(config: EvaluateConfig) -> Graph:
    """Compose the graph of an evaluation; sets and systems are tested side by side."""
    graph = Graph(config.kind, config.name)
    add_evaluation(graph, config, model_source_of(config.model))
    return graph


def add_evaluation(graph: Graph, config: EvaluateConfig, model: Origin) -> Mapping[str, Output]:
    """Add the steps of an evaluation of `model` to a graph, and what they give to its results."""
    cleaned = {spec.name: _clean(graph, config, spec, spec.path) for spec in config.datasets}
    tests = {
        spec.name: _clean(graph, config, spec, spec.test, "test-clean")["dataset"]
        for spec in config.datasets
        if spec.test
    }
    exams = {
        spec.name: graph.add(
            f"test-{spec.name}",
            examine,
            ExamineParams(
                name=spec.name, head=spec.head, references=spec.references,
                fraction=config.refit_fraction, seed=config.seed,
            ),
            {"model": model, "dataset": cleaned[spec.name]["dataset"]}
            | ({"test": tests[spec.name]} if spec.name in tests else {}),
        )["exam"]
        for spec in config.datasets
    }  # fmt: skip
    measured = {
        spec.name: graph.add(
            f"properties-{spec.name}",
            measure,
            MeasureParams(
                system=spec.name, crystal=spec.crystal, head=spec.head, tests=spec.tests,
                md=spec.md,
            ),
            {"model": model} | ({"structure": source_of(spec.structure)} if spec.structure else {}),
        )["measured"]
        for spec in config.properties
    }  # fmt: skip
    end = graph.add(
        "report",
        evaluate_report,
        EvaluateReportParams(
            name=config.name,
            config=portable(config),
            weights={spec.name: spec.weight for spec in config.datasets},
        ),
        {"model": model},
        {
            "exams": exams,
            "measured": measured,
            "quarantines": {name: step["quarantine"] for name, step in cleaned.items()},
            "datasets": {name: tests.get(name, step["dataset"]) for name, step in cleaned.items()},
            "steps": graph.records(),
        },
    )
    results = {
        "metrics.json": end["metrics"],
        "properties.json": end["properties"],
        "details.json": end["details"],
        "report.html": end["report"],
        "card.json": end["card"],
    }
    graph.results |= results
    return results


def _clean(
    graph: Graph, config: EvaluateConfig, spec: TestSetSpec, path: str, step: str = "clean"
) -> Step:
    params = CleanParams(
        name=spec.name,
        format=spec.format,
        type_map=spec.type_map,
        dft=spec.dft,
        licence=spec.licence,
        source=spec.source,
        settings=config.clean,
    )
    return graph.add(f"{step}-{spec.name}", clean, params, {"raw": source_of(path)})
