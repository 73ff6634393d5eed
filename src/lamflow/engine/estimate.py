"""What a run would do and about how long it may take, before it is started."""

from pathlib import Path
from typing import Any

from lamflow.engine.graph import Graph, Step
from lamflow.engine.records import RunFolder, list_runs
from lamflow.engine.state import is_done
from lamflow.files import read_json


def estimate_steps(graph: Graph, run: RunFolder, base: Path) -> list[dict[str, Any]]:
    """Tell for each step whether it is done, and else how long it took the last time.

    Times come from runs below `base` on this machine: of a step of the same operator, scaled by
    training steps where it has such a number. A step that was never run here has no estimate.
    """
    past = _past_records(base)
    return [
        {
            **plain,
            "done": is_done(run.step(step.key)),
            "seconds": _estimate(step, past.get(step.operator.path, [])),
        }
        for step, plain in zip(graph.steps, graph.summary(), strict=True)
    ]


def _past_records(base: Path) -> dict[str, list[dict[str, Any]]]:
    """Records of finished steps by operator, newest run first."""
    past: dict[str, list[dict[str, Any]]] = {}
    for run in list_runs(base):
        for file in sorted(run.path.glob("steps/*/outputs/step.json")):
            record = read_json(file)
            past.setdefault(record["operator"], []).append(record)
    return past


def _estimate(step: Step, past: list[dict[str, Any]]) -> float | None:
    if not past:
        return None
    same = [record for record in past if record["name"] == step.name] or past
    seconds = float(same[0]["finished"] - same[0]["started"])
    settings = getattr(step.params, "settings", None)
    steps = settings.get("steps") if isinstance(settings, dict) else None
    before = same[0]["numbers"].get("steps")
    return round(seconds * steps / before, 1) if steps and before else round(seconds, 1)
