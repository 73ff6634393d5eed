"""Estimates from what was run before."""

from pathlib import Path

import pytest
from pydantic import Field

from lamflow.config.base import JsonObject, StrictModel
from lamflow.engine.estimate import estimate_steps
from lamflow.engine.graph import Graph, graph_to_json
from lamflow.engine.operator import StepIO, operator
from lamflow.engine.records import RunFolder
from lamflow.files import write_json


class TrainParams(StrictModel):
    settings: JsonObject = Field(default_factory=dict)
    runs: int | None = None


@operator(params=TrainParams, outputs={"model": "x"})
def train(params: TrainParams, io: StepIO) -> dict[str, int]:
    """Do nothing."""
    return {}


@operator(params=TrainParams, outputs={"model": "x"})
def other(params: TrainParams, io: StepIO) -> dict[str, int]:
    """Do nothing either."""
    return {}


def add(graph: Graph, name: str, operator_=train, runs: int | None = None, **settings: int) -> None:
    graph.add(name, operator_, TrainParams(settings=settings, runs=runs))


def write_run(base: Path, name: str, graph: Graph, seconds: dict[str, float]) -> None:
    run = base / "lamflow-runs" / name
    write_json(run / "run.json", {})
    write_json(run / "graph.json", graph_to_json(graph))
    for step in graph.steps:
        record = {"name": step.name, "key": step.key, "operator": step.operator.path,
                  "started": 100.0, "finished": 100.0 + seconds[step.name]}  # fmt: skip
        write_json(run / "steps" / step.key / "outputs/step.json", record)


def estimate(graph: Graph, base: Path) -> dict[str, float | None]:
    run = RunFolder(base / "lamflow-runs/new")
    return {one["name"]: one["seconds"] for one in estimate_steps(graph, run, base)}


def test_time_grows_with_steps_and_runs(tmp_path: Path) -> None:
    old, new = Graph("toy", "old"), Graph("toy", "new")
    add(old, "train", steps=100)
    write_run(tmp_path, "old", old, {"train": 10.0})
    add(new, "train", steps=250)
    add(new, "train-more", steps=100, runs=3)
    add(new, "unknown", other)
    assert estimate(new, tmp_path) == {"train": 25.0, "train-more": 30.0, "unknown": None}


def test_a_stage_is_like_its_own_run_and_others_like_the_median(tmp_path: Path) -> None:
    old, new = Graph("toy", "old"), Graph("pipeline", "new")
    for name in ("a", "b", "c"):
        add(old, name, steps=10)
    write_run(tmp_path, "old", old, {"a": 1.0, "b": 2.0, "c": 30.0})
    for name in ("first-c", "d"):
        add(new, name, steps=10)
    assert estimate(new, tmp_path) == {"first-c": 30.0, "d": pytest.approx(2.0)}
