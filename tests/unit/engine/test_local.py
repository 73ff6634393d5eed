"""The local engine, run for real on operators that cost nothing."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lamflow.engine.graph import Graph, Source
from lamflow.engine.local import LocalOptions, prepare_run, start_run, stop_run
from lamflow.engine.records import RunFolder, is_locked, run_status
from lamflow.engine.state import is_alive, read_state
from lamflow.errors import RunError
from lamflow.testing.toy_operators import (
    AppendParams,
    FailParams,
    WriteParams,
    append,
    fail,
    write,
)

TEXT = "a'''\\ {{x}} {\"{{\""  # what dflow and Argo might expand or break on


def chain(source: Path, seconds: float = 0.0, tail: str = "c") -> Graph:
    graph = Graph("toy", "toy")
    first = graph.add("first", write, WriteParams(text=TEXT))
    middle = graph.add(
        "middle",
        append,
        AppendParams(text="b", seconds=seconds),
        {"first": Source.local(source)},
        {"more": {"one": first["text"]}},
    )
    last = graph.add("last", append, AppendParams(text=tail), {"first": middle["text"]})
    graph.results["all.txt"] = last["text"]
    return graph


def work(run: RunFolder, graph: Graph, options: LocalOptions | None = None) -> dict:
    prepare_run(run, graph, "kind: toy\n", {}, options or LocalOptions())
    start_run(run).process.wait(60)
    return run_status(run)


def wait_until(condition, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "lamflow-runs" / "toy")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.txt"
    path.write_text("source ")
    return path


def started(status: dict) -> dict[str, float]:
    return {step["name"]: step["started"] for step in status["steps"]}


def test_run_gives_result_and_numbers(run: RunFolder, source: Path) -> None:
    status = work(run, chain(source))
    assert status["status"] == "succeeded"
    assert (run.result / "all.txt").read_text() == f"source {TEXT}bc"
    assert [step["phase"] for step in status["steps"]] == ["succeeded"] * 3
    assert status["steps"][0]["numbers"] == {"length": len(TEXT)}
    assert not (run.path / "engine").exists()


def test_same_graph_again_runs_nothing(run: RunFolder, source: Path) -> None:
    before = started(work(run, chain(source)))
    again = work(run, chain(source))
    assert started(again) == before
    assert all(step["cached"] for step in again["steps"])


def test_changed_parameter_redoes_what_depends_on_it(run: RunFolder, source: Path) -> None:
    before = started(work(run, chain(source)))
    after = started(work(run, chain(source, tail="d")))
    assert (run.result / "all.txt").read_text().endswith("bd")
    assert after["first"] == before["first"]
    assert after["middle"] == before["middle"]
    assert after["last"] > before["last"]


def test_changed_input_redoes_what_depends_on_it(run: RunFolder, source: Path) -> None:
    before = started(work(run, chain(source)))
    source.write_text("other ")
    after = started(work(run, chain(source)))
    assert (run.result / "all.txt").read_text().startswith("other ")
    assert after["first"] == before["first"]
    assert after["middle"] > before["middle"]


def failing(source: Path, how: str) -> Graph:
    graph = Graph("toy", "toy")
    bad = graph.add("bad", fail, FailParams(how=how), {"first": Source.local(source)})
    graph.add("after", append, AppendParams(), {"first": bad["text"]})
    beside = graph.add("beside", write, WriteParams(text="x"))
    graph.add("behind-beside", append, AppendParams(), {"first": beside["text"]})
    return graph


@pytest.mark.parametrize(
    ("how", "code", "error"),
    [
        ("input", 2, "InputError: the frames are bad"),
        ("bug", 3, "ZeroDivisionError: a bug"),
        ("segfault", 128 + signal.SIGSEGV, "killed by signal SIGSEGV"),
        ("silent", 3, "did not write text"),
    ],
)
def test_failure_is_told_and_other_branches_go_on(
    run: RunFolder, source: Path, how: str, code: int, error: str
) -> None:
    status = work(run, failing(source, how))
    phases = {step["name"]: step["phase"] for step in status["steps"]}
    assert status["status"] == "failed"
    assert error in status["error"]
    assert phases == {
        "bad": "failed", "after": "pending", "beside": "succeeded", "behind-beside": "succeeded",
    }  # fmt: skip
    bad = status["steps"][0]
    assert bad["attempts"] == 1
    assert read_state(run.step(bad["key"]))["exit_code"] == code
    assert not run.result.exists()


def test_transient_failure_is_tried_again(run: RunFolder, source: Path) -> None:
    status = work(run, failing(source, "transient-once"))
    assert status["status"] == "succeeded"
    assert status["steps"][0]["attempts"] == 2


def test_time_limit_kills_the_step(run: RunFolder, source: Path) -> None:
    status = work(run, failing(source, "hang"), LocalOptions(timeout_s=1.0, retries=0))
    assert "time limit of 1 s reached" in status["error"]


def test_input_of_the_user_is_never_edited(run: RunFolder, source: Path) -> None:
    work(run, failing(source, "edit-input"))
    assert source.read_text() == "source "


def test_stop_is_recorded_and_the_next_attempt_goes_on(run: RunFolder, source: Path) -> None:
    graph = chain(source, seconds=3.0)
    prepare_run(run, graph, "", {}, LocalOptions())
    attempt = start_run(run, detach=True)
    count = run.scratch(graph.steps[1].key) / "count"
    wait_until(lambda: count.exists() and int(count.read_text() or 0) > 5)
    assert stop_run(run)
    attempt.process.wait(10)
    status = run_status(run)
    assert status["status"] == "stopped"
    assert [step["phase"] for step in status["steps"]] == ["succeeded", "stopped", "pending"]
    status = work(run, graph)
    assert status["status"] == "succeeded"
    assert status["steps"][1]["numbers"]["resumed_at"] > 5


def descendants(pid: int) -> set[int]:
    import psutil

    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


def test_kill_9_of_the_engine_leaves_no_process_and_a_true_status(
    run: RunFolder, source: Path
) -> None:
    graph = chain(source, seconds=30.0)
    prepare_run(run, graph, "", {}, LocalOptions())
    attempt = start_run(run, detach=True)
    count = run.scratch(graph.steps[1].key) / "count"
    wait_until(lambda: count.exists())
    pids = descendants(attempt.process.pid)
    assert len(pids) >= 3
    attempt.process.kill()
    attempt.process.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in pids))
    status = run_status(run)
    assert status["status"] == "interrupted"
    assert status["steps"][0]["phase"] == "succeeded"


def test_kill_9_of_the_command_ends_the_run(run: RunFolder, source: Path) -> None:
    graph = chain(source, seconds=30.0)
    prepare_run(run, graph, "", {}, LocalOptions())
    code = (
        "import sys; from pathlib import Path\n"
        "from lamflow.engine.local import start_run; from lamflow.engine.records import RunFolder\n"
        f"start_run(RunFolder(Path({str(run.path)!r}))).process.wait()\n"
    )
    command = subprocess.Popen([sys.executable, "-c", code])
    count = run.scratch(graph.steps[1].key) / "count"
    wait_until(lambda: count.exists())
    command.kill()
    command.wait()
    wait_until(lambda: not is_locked(run))
    assert run_status(run)["status"] == "stopped"


def test_a_run_does_not_need_standard_input_output_or_error(run: RunFolder, source: Path) -> None:
    prepare_run(run, chain(source), "", {}, LocalOptions())
    code = (
        "import os, sys; from pathlib import Path\n"
        "from lamflow.engine.local import start_run; from lamflow.engine.records import RunFolder\n"
        "os.closerange(0, 3)\n"
        f"sys.exit(start_run(RunFolder(Path({str(run.path)!r}))).process.wait())\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert run_status(run)["status"] == "succeeded"


def test_two_attempts_at_a_time_are_refused(run: RunFolder, source: Path) -> None:
    graph = chain(source, seconds=30.0)
    prepare_run(run, graph, "", {}, LocalOptions())
    start_run(run, detach=True)
    wait_until(lambda: is_locked(run))
    with pytest.raises(RunError, match=r"being worked on by process .* lamflow stop toy"):
        prepare_run(run, graph, "", {}, LocalOptions())
    assert stop_run(run)


def test_graph_file_is_plain_json(run: RunFolder, source: Path) -> None:
    prepare_run(run, chain(source), "", {}, LocalOptions())
    graph = json.loads((run.path / "graph.json").read_text())
    assert [step["name"] for step in graph["steps"]] == ["first", "middle", "last"]
    assert Path(graph["steps"][1]["inputs"]["first"]["location"]).is_absolute()
