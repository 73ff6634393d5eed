"""`kind: pretrain`: clean → split → train one model on all → evaluate each head → report."""

import yaml
from lamflow.ops.clean import CleanParams, clean
from lamflow.ops.evaluate import EvaluateParams, evaluate
from lamflow.ops.pretrain import PretrainParams, pretrain
from lamflow.ops.report import ReportParams, report
from lamflow.ops.split import SplitParams, split

from lamflow.config.datasets import DatasetSpec
from lamflow.config.portable import portable
from lamflow.config.pretrain import PretrainConfig
from lamflow.config.task import ENERGY
from lamflow.engine.graph import Graph, Output, Step
from lamflow.engine.inputs import source_of
from lamflow.train import presets


def build(config: PretrainConfig) -> Graph:
    """Compose the graph of a pretraining run."""
    graph = Graph(config.kind, config.name)
    used = [spec for spec in config.datasets if spec.weight > 0]
    weights = {spec.name: spec.weight for spec in used}
    tasks = {spec.name: spec.task for spec in used}
    cleaned = {spec.name: _clean(graph, config, spec, spec.path) for spec in used}
    tests = {
        spec.name: _clean(graph, config, spec, spec.test, "test-clean")
        for spec in used
        if spec.test
    }
    parts = {spec.name: _split(graph, config, spec, cleaned[spec.name]) for spec in used}
    data = {name: step["parts"] for name, step in parts.items()}
    models = {
        str(number + 1): _train(graph, config, weights, data, number)["model"]
        for number in range(config.train.committee)
    }
    tested = {
        name: graph.add(
            f"evaluate-{name}",
            evaluate,
            EvaluateParams(head=name, task=tasks[name], seed=config.seed),
            {"data": parts[name]["parts"]}
            | ({"test": tests[name]["dataset"]} if name in tests else {}),
            {"models": models},
        )
        for name in weights
    }
    end = graph.add(
        "report",
        report,
        ReportParams(name=config.name, config_yaml=_as_yaml(config), weights=weights),
        groups={
            "errors": {name: step["errors"] for name, step in tested.items()},
            "parity": {name: step["parity"] for name, step in tested.items()},
            "data": data,
            "quarantines": {name: step["quarantine"] for name, step in cleaned.items()},
            "models": models,
            "steps": graph.records(),
        },
    )
    graph.results = {
        **{f"model-{n}" if n != "1" else "model": output for n, output in models.items()},
        "metrics.json": end["metrics"],
        "report.html": end["report"],
        "card.json": end["card"],
    }
    return graph


def _clean(
    graph: Graph, config: PretrainConfig, spec: DatasetSpec, path: str, step: str = "clean"
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


def _split(graph: Graph, config: PretrainConfig, spec: DatasetSpec, cleaned: Step) -> Step:
    fractions = config.split.fractions(own_test=spec.test is not None)
    params = SplitParams(fractions=fractions, seed=config.seed)
    return graph.add(f"split-{spec.name}", split, params, {"dataset": cleaned["dataset"]})


def _train(
    graph: Graph,
    config: PretrainConfig,
    weights: dict[str, float],
    data: dict[str, Output],
    number: int,
) -> Step:
    params = PretrainParams(
        name=config.name,
        weights=weights,
        model=presets.load(config.model.preset, config.model.overrides),
        type_map=config.model.type_map,
        tasks={
            spec.name: spec.task
            for spec in config.datasets
            if spec.weight > 0 and spec.task != ENERGY
        },
        settings=config.train.model_dump(exclude={"committee"}) | {"seed": config.seed + number},
    )
    several = config.train.committee > 1
    name = f"train-seed-{config.seed + number}" if several else "train"
    return graph.add(name, pretrain, params, groups={"data": data})


def _as_yaml(config: PretrainConfig) -> str:
    """The configuration as it was run, with all defaults."""
    return yaml.safe_dump(portable(config), sort_keys=False, allow_unicode=True)
