"""A pipeline as a user runs it: three workflow files, real training, one result."""

import json
from pathlib import Path

import pytest
from runs import finish, lamflow

WORKFLOWS = Path(__file__).parents[2] / "workflows"
PRETRAIN = f"""\
kind: pretrain
name: base
datasets:
  - {{name: nbmotaw, path: {WORKFLOWS}/data/nbmotaw}}
model: dpa1-tiny
train: {{steps: 10, batch: "auto:16", report_every: 5}}
"""
COMPRESS = f"""\
kind: compress
name: fast
model: nowhere
frames: {WORKFLOWS}/data/nbmotaw
check: {{frames: 5}}
"""
EVALUATE = f"""\
kind: evaluate
name: exam
model: nowhere
datasets: [{{name: nbmotaw, path: {WORKFLOWS}/data/nbmotaw}}]
"""
PIPELINE = """\
kind: pipeline
name: chain
stages:
  - pretrain.yaml
  - {file: compress.yaml, model: pretrain}
  - {name: exam, file: evaluate.yaml, model: pretrain}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    files = {"pretrain": PRETRAIN, "compress": COMPRESS, "evaluate": EVALUATE, "chain": PIPELINE}
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    finish(lamflow("submit", "chain.yaml", "--json", cwd=folder))
    return folder


@pytest.fixture(scope="module")
def result(folder: Path) -> Path:
    return folder / "lamflow-runs/chain/result"


def test_each_stage_has_its_folder(result: Path) -> None:
    for path in ("pretrain/model/card.json", "pretrain/report.html", "compress/deploy",
                 "exam/metrics.json"):  # fmt: skip
        assert (result / path).exists(), path
    card = json.loads((result / "card.json").read_text())
    assert [stage["kind"] for stage in card["stages"]] == ["pretrain", "compress", "evaluate"]


def test_the_stages_model_is_what_was_tested(result: Path) -> None:
    exam = json.loads((result / "exam/card.json").read_text())
    made = json.loads((result / "pretrain/card.json").read_text())
    assert exam["model"]["card_sha256"] == made["models"]["1"]
    metrics = json.loads((result / "metrics.json").read_text())
    assert set(metrics["stages"]) == {"pretrain", "compress", "exam"}
    assert metrics["heads"]["nbmotaw"]["frames"] == 300


def test_one_page_holds_all(result: Path) -> None:
    page = (result / "report.html").read_text()
    assert page.count("<iframe") == 3
    assert 'href="exam/report.html"' in page


def test_a_change_in_a_late_stage_redoes_only_that(folder: Path) -> None:
    (folder / "evaluate.yaml").write_text(EVALUATE + "seed: 2\n")
    finish(lamflow("submit", "chain.yaml", "--json", cwd=folder))
    state = json.loads(finish(lamflow("status", "chain", "--json", cwd=folder)))
    redone = {step["name"] for step in state["steps"] if not step["cached"]}
    assert redone == {"exam-test-nbmotaw", "exam-report", "report"}
