"""Runs on a real cluster: see conftest.py for what is wanted. Minutes, not seconds."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml

from lamflow.cli import main as command
from lamflow.config.kinds import names
from lamflow.engine.argo import ArgoEngine
from lamflow.engine.argo_status import attempts
from lamflow.engine.graph import Graph, Source
from lamflow.engine.records import RunFolder
from lamflow.testing.toy_operators import AppendParams, FailParams, WriteParams, append, fail, write

IMAGE = os.environ.get("LAMFLOW_IMAGE", "")
PATIENCE_S = 900
SMALL = {"image": IMAGE, "cpu": 0.5, "memory": 1}
TINY = {"image": IMAGE, "cpu": 1, "memory": 4, "gpu": 0}
CONFIG = {"run": {"retries": 2, "timeout": 10.0}, "resources": {"cpu": SMALL}}


def wait(condition: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(3)
    return found


def toy(tmp_path: Path, seconds: float = 0.0) -> Graph:
    """A graph of three steps whose second one takes `seconds`."""
    source = tmp_path / "source.txt"
    source.write_text("source ")
    graph = Graph("toy", "cluster-test")
    first = graph.add("first", write, WriteParams(text="{{workflow.name}} '''"))
    middle = graph.add(
        "middle",
        append,
        AppendParams(text="b", seconds=seconds),
        {"first": Source.local(source)},
        {"more": {"one": first["text"]}},
    )
    last = graph.add("last", append, AppendParams(text="c"), {"first": middle["text"]})
    graph.results["all.txt"] = last["text"]
    return graph


def submit(engine: ArgoEngine, run: RunFolder, graph: Graph) -> None:
    engine.submit(run, graph, "kind: toy\n", CONFIG)


def phase(engine: ArgoEngine, run: RunFolder, name: str) -> str:
    steps = {step["name"]: step["phase"] for step in engine.status(run)["steps"]}
    return str(steps[name])


def end(engine: ArgoEngine, run: RunFolder) -> dict[str, Any]:
    wait(lambda: engine.is_over(run))
    return engine.status(run)


def test_text_files_numbers_and_logs_go_through(
    engine: ArgoEngine, run: RunFolder, tmp_path: Path
) -> None:
    submit(engine, run, toy(tmp_path))
    status = end(engine, run)
    assert status["status"] == "succeeded", status
    assert status["steps"][0]["numbers"]["length"] == len("{{workflow.name}} '''")
    result = engine.fetch_result(run)
    assert (result / "all.txt").read_text() == "source {{workflow.name}} '''bc"
    log = "".join(text for _, text in engine.logs(run, None, follow=False))
    assert "Traceback" not in log

    again = RunFolder(run.path.parent / "again")
    submit(engine, again, toy(tmp_path))
    assert again.read()["attempts"] == []  # the bucket had it all
    assert (engine.fetch_result(again) / "all.txt").exists()


def test_bad_input_is_not_tried_again_and_a_passing_fault_is(
    engine: ArgoEngine, run: RunFolder
) -> None:
    graph = Graph("toy", "cluster-test")
    first = graph.add("first", write, WriteParams(text="a"))
    graph.add("bad", fail, FailParams(how="input"), {"first": first["text"]})
    graph.add("crash", fail, FailParams(how="segfault"), {"first": first["text"]})
    submit(engine, run, graph)
    status = end(engine, run)
    steps = {step["name"]: step for step in status["steps"]}
    assert status["status"] == "failed"
    assert steps["bad"]["attempts"] == 1
    assert steps["crash"]["attempts"] == 3
    log = "".join(text for _, text in engine.logs(run, "bad", follow=False))
    assert "lamflow: InputError: the frames are bad" in log


def test_a_pod_that_is_killed_is_started_again(
    engine: ArgoEngine, run: RunFolder, tmp_path: Path, kubernetes: Any, namespace: str
) -> None:
    submit(engine, run, toy(tmp_path, seconds=60))
    wait(lambda: phase(engine, run, "middle") == "running")
    time.sleep(10)
    labels = f"workflows.argoproj.io/workflow={run.read()['workflow']},lamflow.io/step=middle"
    pods = kubernetes.CoreV1Api()
    for pod in pods.list_namespaced_pod(namespace, label_selector=labels).items:
        pods.delete_namespaced_pod(pod.metadata.name, namespace, grace_period_seconds=0)
    status = end(engine, run)
    assert status["status"] == "succeeded", status
    assert len(attempts(engine.api.get(run.read()["workflow"]), "middle")) >= 2


def test_stop_retry_suspend_and_resume(engine: ArgoEngine, run: RunFolder, tmp_path: Path) -> None:
    submit(engine, run, toy(tmp_path, seconds=30))
    wait(lambda: phase(engine, run, "middle") == "running")
    assert engine.stop(run)
    assert end(engine, run)["status"] == "stopped"
    assert not engine.stop(run)
    engine.retry(run)
    wait(lambda: phase(engine, run, "middle") == "running")
    assert engine.act(run, "suspend")
    wait(lambda: phase(engine, run, "middle") == "succeeded")
    time.sleep(15)
    assert phase(engine, run, "last") == "pending"
    assert engine.act(run, "resume")
    assert end(engine, run)["status"] == "succeeded"


def test_logs_follow_a_running_step(engine: ArgoEngine, run: RunFolder, tmp_path: Path) -> None:
    submit(engine, run, toy(tmp_path, seconds=5))
    for _ in engine.logs(run, None, follow=True):
        pass
    assert engine.is_over(run)


def test_a_run_can_be_terminated(engine: ArgoEngine, run: RunFolder, tmp_path: Path) -> None:
    submit(engine, run, toy(tmp_path, seconds=300))
    wait(lambda: phase(engine, run, "middle") == "running")
    assert engine.act(run, "terminate")
    assert end(engine, run)["status"] == "stopped"
    assert run.read()["workflow"] in {one["workflow"] for one in engine.list_cluster()}


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lamflow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call the command as typed; give exit code, standard output and standard error."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lamflow", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err  # type: ignore[arg-type]

    return call


ON_CLUSTER = ("--engine", "argo", "--context", "cluster", "--json")


@pytest.mark.parametrize("kind", [kind for kind in tiny.KINDS if kind in names()])
def test_each_kind_runs_and_is_downloaded(
    kind: str, engine: ArgoEngine, tmp_path: Path, lamflow: Command
) -> None:
    file = tiny.write(kind, tmp_path / "files", {"cpu": TINY, "train": TINY})
    code, out, err = lamflow("submit", file, *ON_CLUSTER)
    assert code == 0, out + err
    run = json.loads(out.splitlines()[-1])["run"]
    status = json.loads(lamflow("status", run, "--json")[1])
    assert {step["phase"] for step in status["steps"]} == {"succeeded"}
    assert lamflow("download", run, "-o", tmp_path / "out")[0] == 0
    assert (tmp_path / "out" / tiny.KINDS[kind].compared).exists()
    assert (tmp_path / "out/report.html").stat().st_size > 1000
    assert lamflow("logs", run)[0] == 0


def test_two_nodes_train_one_model(engine: ArgoEngine, tmp_path: Path, lamflow: Command) -> None:
    profiles = {"cpu": TINY, "train": {**TINY, "nodes": 2}}
    file = tiny.write("pretrain", tmp_path / "files", profiles)
    code, out, err = lamflow("submit", file, *ON_CLUSTER)
    assert code == 0, out + err
    record = json.loads(Path(f"lamflow-runs/{json.loads(out)['run']}/run.json").read_text())
    nodes = engine.api.get(record["workflow"])["status"]["nodes"].values()
    assert {"train", "train-node-1"} <= {node["displayName"] for node in nodes}


def test_a_schedule_starts_runs(engine: ArgoEngine, tmp_path: Path, lamflow: Command) -> None:
    file = tiny.write("clean", tmp_path / "files", {"cpu": TINY})
    on = ("--engine", "argo", "--context", "cluster")
    code, out, err = lamflow("schedule", "create", file, "--cron", "* * * * *", *on, "--json")
    assert code == 0, out + err
    name = json.loads(out)["schedule"]

    def succeeded() -> bool:
        history = json.loads(lamflow("schedule", "history", name, *on, "--json")[1])
        return any(one["status"] == "succeeded" for one in history)

    try:
        wait(succeeded)
        assert lamflow("schedule", "suspend", name, *on)[0] == 0
        listed = json.loads(lamflow("schedule", "list", *on, "--json")[1])
        assert [one["suspended"] for one in listed if one["name"] == name] == [True]
    finally:
        assert lamflow("schedule", "delete", name, *on)[0] == 0


def test_an_update_makes_a_version_of_what_is_in_the_inbox(
    engine: ArgoEngine, tmp_path: Path, lamflow: Command, keys_secret: str
) -> None:
    """Wants a store with conditional writes: S3, MinIO, Ceph."""
    files = tmp_path / "files"
    tiny.write("clean", files, {})  # for its data
    registry = f"s3://{engine.place.bucket}/{engine.place.prefix}/registry"
    words = ("datasets", "submit", files / "train", "--name", "alloy", "--store", registry)
    code, out, err = lamflow(*words)
    assert code == 0, out + err
    profile = {**TINY, "secrets": [keys_secret]}
    config = {
        "kind": "update",
        "name": "cluster-update",
        "registry": registry,
        "model": "test/tiny",
        "first": tiny.ATTENTION,
        "train": tiny.TRAIN,
        "resources": {"cpu": profile, "train": profile},
    }
    file = files / "update.yaml"
    file.write_text(yaml.safe_dump(config))
    code, out, err = lamflow("submit", file, *ON_CLUSTER)
    assert code == 0, out + err
    code, out, err = lamflow("models", "list", "--store", registry, "--json")
    assert code == 0, out + err
    assert "test/tiny" in out
