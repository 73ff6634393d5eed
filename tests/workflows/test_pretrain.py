"""The pretraining workflow as a user runs it, at small size: real data, real training."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from runs import finish, lamflow, processes_below

from lamflow.files import sha256_file
from lamflow.train.curve import read_curve

DEMO = Path(__file__).parents[2] / "workflows/pretrain.yaml"
SHORT = ("--set", "train.steps=40", "--set", "train.report_every=5", "--set", "train.save_every=10")

pytestmark = pytest.mark.slow


def status(run: str, cwd: Path) -> dict[str, Any]:
    return dict(json.loads(finish(lamflow("status", run, "--json", cwd=cwd))))


def step(state: dict[str, Any], name: str) -> dict[str, Any]:
    return next(step for step in state["steps"] if step["name"] == name)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain")
    out = finish(lamflow("submit", DEMO, *SHORT, "--name", "short", "--json", cwd=folder))
    brief = json.loads(out.splitlines()[-1])
    result = folder / "lamflow-runs/short/result"
    assert brief == {"run": "short", "status": "succeeded", "result": str(result)}
    return folder


@pytest.fixture(scope="module")
def result(base: Path) -> Path:
    return base / "lamflow-runs/short/result"


def test_result_has_what_the_readme_says(result: Path) -> None:
    metrics = json.loads((result / "metrics.json").read_text())
    assert set(metrics["heads"]) == {"mol3bpa", "nbmotaw", "tio2"}
    for name, head in metrics["heads"].items():
        assert head["frames"] > 0
        assert head["energy_rmse_meV_per_atom"] > 0
        assert head["force_rmse_meV_per_A"] > 0
        assert (head["virial_rmse_meV_per_atom"] is None) == (name != "nbmotaw")
        assert set(head["baseline"]) == set(head) - {"frames", "baseline"}
    mean = sum(head["force_rmse_meV_per_A"] for head in metrics["heads"].values()) / 3
    assert metrics["weighted"]["force_rmse_meV_per_A"] == pytest.approx(mean)
    assert metrics["heads"]["tio2"]["frames"] == 80  # its own test set


def test_model_folder_matches_its_card(result: Path) -> None:
    card = json.loads((result / "model/card.json").read_text())
    assert {"model.pt", "frozen/tio2.pth", "input.json", "lcurve.out"} <= set(card["files"])
    for name, digest in card["files"].items():
        assert sha256_file(result / "model" / name) == digest
    assert card["type_map"] == ["H", "C", "N", "O", "Ti", "Nb", "Mo", "Ta", "W"]
    assert card["heads"]["mol3bpa"]["licence"] == "MIT"
    run = json.loads((result / "card.json").read_text())
    assert run["models"]["1"] == sha256_file(result / "model/card.json")


def test_report_stands_alone(result: Path) -> None:
    page = (result / "report.html").read_text()
    for word in ("mol3bpa", "nbmotaw", "tio2", "Learning curves", "Parity", "Model card"):
        assert word in page
    assert "<script" not in page
    assert len(page) < 2_000_000


def test_the_same_again_does_nothing(base: Path) -> None:
    before = {item["name"]: item["started"] for item in status("short", base)["steps"]}
    finish(lamflow("submit", DEMO, *SHORT, "--name", "short", "--json", cwd=base))
    state = status("short", base)
    assert {item["name"]: item["started"] for item in state["steps"]} == before
    assert all(item["cached"] for item in state["steps"])


def test_download_copies_the_result(base: Path, result: Path, tmp_path: Path) -> None:
    finish(lamflow("download", "short", "-o", tmp_path / "copy", cwd=base))
    copied = (tmp_path / "copy/metrics.json").read_bytes()
    assert copied == (result / "metrics.json").read_bytes()


@pytest.mark.parametrize("whom", ["command", "everything"])
def test_kill_9_in_training_then_the_same_again(base: Path, tmp_path: Path, whom: str) -> None:
    longer = (*SHORT, "--set", "train.steps=120", "--name", "killed")
    first = lamflow("submit", DEMO, *longer, cwd=tmp_path)
    run = tmp_path / "lamflow-runs/killed"
    end = time.monotonic() + 300
    while not list(run.glob("scratch/train-*/model.ckpt-[2-9]0.pt")):
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)
    first.kill()
    if whom == "everything":
        for pid in processes_below(run):
            os.kill(pid, signal.SIGKILL)
    first.communicate()
    deadline = time.monotonic() + 30
    while processes_below(run):
        assert time.monotonic() < deadline, "processes are left"
        time.sleep(0.2)
    state = status("killed", tmp_path)
    assert state["status"] in ("stopped", "interrupted")
    assert step(state, "train")["phase"] in ("stopped", "interrupted")
    before = step(state, "clean-tio2")["started"]

    finish(lamflow("submit", DEMO, *longer, "--json", cwd=tmp_path))
    state = status("killed", tmp_path)
    assert state["status"] == "succeeded"
    assert step(state, "clean-tio2")["started"] == before
    curve = read_curve(run / "result/model/lcurve.out")
    assert list(curve.steps) == [1, *range(5, 121, 5)]
    training = (run / "steps" / step(state, "train")["key"] / "log.txt").read_text()
    assert "goes on from step" in training


def test_ctrl_c_leaves_a_run_that_can_go_on(tmp_path: Path) -> None:
    process = lamflow("submit", DEMO, *SHORT, "--name", "stopped", cwd=tmp_path)
    run = tmp_path / "lamflow-runs/stopped"
    while not list(run.glob("steps/train-*/state.json")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "lamflow retry stopped" in err
    assert status("stopped", tmp_path)["status"] == "stopped"
    assert processes_below(run) == []
