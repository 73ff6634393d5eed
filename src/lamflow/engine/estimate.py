"""What a run would do and about how long it may take, before it is started."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from lamflow.engine.graph import Graph, Step
from lamflow.engine.records import RunFolder, list_runs
from lamflow.engine.state import is_done
from lamflow.files import read_json


@dataclass(frozen=True)
class _Past:
    """A step that was run here: its name, its work (see `_work`) and the time it took, s."""

    name: str
    work: float
    seconds: float


def estimate_steps(graph: Graph, run: RunFolder, base: Path) -> list[dict[str, Any]]:
    """Tell for each step whether it is done, and else about how long it may take.

    Times come from runs below `base` on this machine: of the step of the same name in the newest
    run, with or without the name of a pipeline's stage before it, else the median of the same
    operator's; scaled by steps of training or dynamics. A step whose operator was never run here
    has no estimate.
    """
    past = _past_steps(base)
    return [
        {
            **plain,
            "done": is_done(run.step(step.key)),
            "seconds": _estimate(step, past.get(step.operator.path, [])),
        }
        for step, plain in zip(graph.steps, graph.summary(), strict=True)
    ]


def _past_steps(base: Path) -> dict[str, list[_Past]]:
    """Finished steps by operator, newest run first."""
    past: dict[str, list[_Past]] = {}
    for run in list_runs(base):
        params = _params(run)
        for file in sorted(run.path.glob("steps/*/outputs/step.json")):
            record = read_json(file)
            seconds = float(record["finished"] - record["started"])
            found = _Past(record["name"], _work(params.get(record["key"], {})), seconds)
            past.setdefault(record["operator"], []).append(found)
    return past


def _params(run: RunFolder) -> dict[str, Mapping[str, Any]]:
    """Parameters of a run's steps by key; of steps of an earlier configuration nothing is known."""
    file = run.path / "graph.json"
    if not file.is_file():
        return {}
    return {step["key"]: step["params"] for step in read_json(file)["steps"]}


def _work(params: Mapping[str, Any]) -> float:
    """What the time of a step grows with: steps of training or dynamics, times runs; else 1."""
    settings = params.get("settings") or params.get("md") or {}
    steps = settings.get("steps") if isinstance(settings, Mapping) else None
    runs = params.get("runs")
    return float(steps if isinstance(steps, int) else 1) * (runs if isinstance(runs, int) else 1)


def _estimate(step: Step, past: Sequence[_Past]) -> float | None:
    if not past:
        return None
    work = _work(step.params.model_dump(mode="json"))
    same = [one for one in past if _same(one.name, step.name)]
    return round(median(one.seconds * work / one.work for one in same[:1] or past), 1)


def _same(one: str, other: str) -> bool:
    return one == other or one.endswith(f"-{other}") or other.endswith(f"-{one}")
