# ruff: noqa: S101
"""What every engine must do with a run; subclass and say how a graph is started."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamflow.engine.engines import Engine
from lamflow.engine.graph import Graph, Source
from lamflow.engine.records import RunFolder
from lamflow.errors import RunError
from lamflow.testing.toy_operators import (
    AppendParams,
    FailParams,
    WriteParams,
    append,
    fail,
    write,
)

Start = Callable[[Graph], tuple[Engine, RunFolder]]
"""Run a graph under one name until it is over; give the engine and the run's folder."""

TEXT = "a'''\\ {{workflow.name}} {\"{{\""  # what dflow and Argo might expand or break on
_STEP_KEYS = {
    "name", "operator", "key", "needs", "profile", "phase", "cached", "started", "finished",
    "seconds", "attempts", "error", "progress", "numbers",
}  # fmt: skip


class EngineContract:
    """Tests that an engine passes. Subclasses have a fixture `start` of type `Start`."""

    @pytest.fixture
    def chain(self, tmp_path: Path) -> Graph:
        """Three steps, a file of the user's, a group port, a result."""
        source = tmp_path / "source.txt"
        source.write_text("source ")
        graph = Graph("toy", "toy")
        first = graph.add("first", write, WriteParams(text=TEXT))
        middle = graph.add(
            "middle",
            append,
            AppendParams(text="b"),
            {"first": Source.local(source)},
            {"more": {"one": first["text"]}},
        )
        last = graph.add("last", append, AppendParams(text="c"), {"first": middle["text"]})
        graph.results["deep/all.txt"] = last["text"]
        return graph

    def test_files_numbers_and_logs_go_through(self, start: Start, chain: Graph) -> None:
        """The result is there, numbers are numbers, and nobody expands text."""
        engine, run = start(chain)
        status = engine.status(run)
        assert (status["run"], status["status"], status["error"]) == (run.name, "succeeded", None)
        assert (engine.fetch_result(run) / "deep/all.txt").read_text() == f"source {TEXT}bc"
        assert _steps(status)["first"]["numbers"] == {"length": len(TEXT)}
        assert all(step["attempts"] == 1 for step in status["steps"])
        assert isinstance(list(engine.logs(run, "last", follow=False)), list)

    def test_status_has_the_same_keys_everywhere(self, start: Start, chain: Graph) -> None:
        """Commands print what any engine says."""
        engine, run = start(chain)
        status = engine.status(run)
        assert {
            "run", "kind", "engine", "status", "error", "created", "attempts", "result", "steps",
        } <= set(status)  # fmt: skip
        assert [step["name"] for step in status["steps"]] == ["first", "middle", "last"]
        assert all(set(step) == _STEP_KEYS for step in status["steps"])

    def test_a_finished_run_is_over_and_can_not_be_stopped(
        self, start: Start, chain: Graph
    ) -> None:
        """`stop` says that there was nothing to end."""
        engine, run = start(chain)
        assert engine.is_over(run)
        assert not engine.stop(run)
        assert engine.status(run)["status"] == "succeeded"

    def test_what_is_done_is_not_done_again(self, start: Start, chain: Graph) -> None:
        """A second start does nothing, with the same result."""
        _, run = start(chain)
        engine, again = start(chain)
        assert run.path == again.path
        status = engine.status(again)
        assert status["status"] == "succeeded"
        assert all(step["cached"] for step in status["steps"])
        assert (engine.fetch_result(again) / "deep/all.txt").exists()

    def test_a_failed_step_is_named_and_nothing_follows_it(self, start: Start) -> None:
        """The error and the log say what went wrong; there is no result."""
        graph = Graph("toy", "toy")
        first = graph.add("first", write, WriteParams(text="a"))
        bad = graph.add("bad", fail, FailParams(how="input"), {"first": first["text"]})
        last = graph.add("last", append, AppendParams(), {"first": bad["text"]})
        graph.results["all.txt"] = last["text"]
        engine, run = start(graph)
        status = engine.status(run)
        assert status["status"] == "failed"
        assert status["error"] == "step bad: InputError: the frames are bad"
        phases = {name: step["phase"] for name, step in _steps(status).items()}
        assert phases == {"first": "succeeded", "bad": "failed", "last": "pending"}
        assert _steps(status)["bad"]["attempts"] == 1
        log = "".join(text for _, text in engine.logs(run, "bad", follow=False))
        assert "InputError: the frames are bad" in log
        with pytest.raises(RunError, match="no result yet; lamflow status toy"):
            engine.fetch_result(run)


def _steps(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in status["steps"]}
