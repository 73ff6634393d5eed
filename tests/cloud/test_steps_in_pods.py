"""Each step of a run with its artifacts in a bucket gives what a local run gives.

The scripts of the rendered manifest are run as processes; and in containers as restricted as the
pods are, where LAMFLOW_TEST_IMAGE names an image of images/base.Containerfile (`make test-cloud`).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tiny
import yaml
from argo_pods import InContainer, Pods, Runner, in_process
from lamflow.workflows.kinds import build_graph
from scan import CREDENTIALS, leaks, with_credentials

from lamflow.config.checks import load_checked_config
from lamflow.config.kinds import names
from lamflow.engine.argo_store import download_result, find_finished, upload_inputs
from lamflow.engine.dflow_graph import task_json
from lamflow.engine.graph import Graph
from lamflow.engine.manifest import ArgoOptions, manifest_yaml, render
from lamflow.files import read_json
from lamflow.store.protocol import Store
from lamflow.testing.s3_servers import rclone_server

IMAGE = os.environ.get("LAMFLOW_TEST_IMAGE")
IN_CI = ("pretrain", "clean")  # the others take minutes more: `make test-cloud`
container = pytest.mark.skipif(
    not IMAGE or not shutil.which("podman"), reason="LAMFLOW_TEST_IMAGE or podman is absent"
)
CASES: list[Any] = [
    *(pytest.param(kind, in_process, id=f"{kind}-process") for kind in IN_CI),
    *(
        pytest.param(kind, InContainer(IMAGE or ""), id=f"{kind}-container", marks=container)
        for kind in tiny.KINDS
        if kind in names()
    ),
]
RESOURCES = {"train": {"cpu": 1, "gpu": 0}}


@dataclass(frozen=True)
class Case:
    """A kind's file, its graph, and the result of a local run."""

    kind: str
    file: Path
    graph: Graph
    local: Path


@cache
def case(kind: str, base: Path) -> Case:
    """Run a kind on this machine, once for both runners."""
    file = tiny.write(kind, base / kind, RESOURCES)
    ended = subprocess.run(
        [sys.executable, "-m", "lamflow", "submit", str(file), "--json"],
        cwd=file.parent, capture_output=True, text=True, timeout=600,
        env=with_credentials(os.environ) | {
            "OMP_NUM_THREADS": "1", "LAMFLOW_LABEL_CACHE": str(base / "labels"),
        },
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    graph = build_graph(load_checked_config(file, []).config)
    return Case(kind, file, graph, Path(json.loads(ended.stdout)["result"]))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with rclone_server(tmp_path / "rclone") as server:
        yield server.store()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "runner"), CASES)
def test_steps_in_pods_give_what_a_local_run_gives(
    kind: str,
    runner: Runner,
    base: Path,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = case(kind, base)
    graph, local = one.graph, one.local
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    config = load_checked_config(one.file, []).config
    manifest = yaml.safe_load(manifest_yaml(graph, config))
    upload_inputs(store, "lamflow", graph)
    (tmp_path / "pods").mkdir()
    pods = Pods(manifest, store, tmp_path / "pods", runner)
    pods.run_all()

    keys = {path: pods.keys[out.step.name][out.port] for path, out in graph.results.items()}
    download_result(store, keys, tmp_path / "result")
    compared = tiny.KINDS[kind].compared
    ours, theirs = (steady(read(folder / compared)) for folder in (tmp_path / "result", local))
    assert ours
    assert ours == pytest.approx(theirs, rel=1e-4)
    for step in graph.steps:
        record = local.parent / "steps" / step.key / "outputs/step.json"
        told = {name: json.loads(text) for name, text in pods.numbers[step.name].items()}
        assert steady(told) == pytest.approx(steady(read_json(record)["numbers"]), rel=1e-4)
    assert files_below(tmp_path / "result") == files_below(local)
    # Nothing of the surroundings is in reports, cards, logs, scripts, checkpoints or the bucket.
    assert [*leaks(tmp_path), *leaks(one.file.parent)] == []

    finished = find_finished(store, "lamflow", graph)
    assert set(finished) == {step.key for step in graph.steps}
    report = graph.results["report.html"]
    assert finished[report.step.key][report.port].endswith("/report.html")


def steady(numbers: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a step that don't tell how fast the machine was; null and words left out."""
    return {
        name: value
        for name, value in numbers.items()
        if "seconds" not in name and isinstance(value, (int, float))
    }


def read(file: Path) -> dict[str, float]:
    """All numbers of a JSON file by their dotted key."""

    def walk(node: Any, key: str) -> Iterator[tuple[str, float]]:
        if isinstance(node, dict):
            for name, value in node.items():
                yield from walk(value, f"{key}.{name}" if key else name)
        elif isinstance(node, list):
            for number, value in enumerate(node):
                yield from walk(value, f"{key}.{number}")
        elif isinstance(node, (int, float)):
            yield key, node

    return dict(walk(json.loads(file.read_text()), ""))


def files_below(folder: Path) -> list[str]:
    """Paths of the files below `folder`."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize(
    "runner", [CASES[0].values[1], CASES[-1].values[1]], ids=["process", "container"]
)
def test_bad_input_ends_a_pod_with_2(runner: Runner, tmp_path: Path) -> None:
    if runner is not in_process and not IMAGE:
        pytest.skip("LAMFLOW_TEST_IMAGE is absent")
    file = tiny.write("pretrain", tmp_path / "files", RESOURCES)
    graph = build_graph(load_checked_config(file, []).config)
    first = graph.steps[0]
    template = next(
        template
        for template in render(graph, ArgoOptions())["spec"]["templates"]
        if template["name"] == first.name
    )
    root = tmp_path / "pod"
    (root / "inputs/raw").mkdir(parents=True)
    (root / "inputs/raw/energy.npy").write_bytes(b"this is no array")
    (root / "inputs/task.json").write_text(task_json(first))
    status, log = runner(template, root)
    assert status == 2, log
    assert "lamflow: InputError: " in log
    assert not (root / "outputs/step.json").exists()
