"""`lamflow models` and `lamflow datasets` as a user types them."""

import json
from pathlib import Path
from typing import Any

import pytest
from registry_runs import write_run

from lamflow.cli import main as command

DEMO = Path(__file__).parents[3] / "workflows/data"


class Lamflow:
    """Runs the command in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object, ends: int = 0) -> str:
        self._monkeypatch.setattr("sys.argv", ["lamflow", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            command.main()
        output = self._capsys.readouterr()
        assert end.value.code == ends, output.err
        return output.err if ends == 2 else output.out

    def json(self, *arguments: object, ends: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", ends=ends))


@pytest.fixture
def lamflow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Lamflow:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMFLOW_REGISTRY", "registry")
    return Lamflow(monkeypatch, capsys)


@pytest.fixture
def filled(lamflow: Lamflow, tmp_path: Path) -> Lamflow:
    """A registry with a dataset and a model of two versions."""
    lamflow("datasets", "add", DEMO / "tio2", "--name", "open/tio2")
    for number in (1, 2):
        run = write_run(
            tmp_path / f"lamflow-runs/run-{number}", {"tio2": DEMO / "tio2"}, weights=str(number)
        )
        (run / "run.json").write_text("{}")
        lamflow("models", "push", run.name, "--name", "open/oxides")
    return lamflow


def test_an_empty_registry_says_how_to_fill_it(lamflow: Lamflow) -> None:
    assert "lamflow datasets add PATH --name GROUP/NAME" in lamflow("datasets", "list")
    assert lamflow.json("models", "list") == []
    assert "did you mean" not in lamflow("models", "show", "open/x", ends=2)


def test_what_is_listed_and_shown(filled: Lamflow) -> None:
    expected = {"name": "open/oxides", "versions": [1, 2], "tags": {"latest": 2}}
    assert filled.json("models", "list") == [expected]
    assert "2 versions" in filled("models", "list")
    shown = filled.json("models", "show", "open/oxides@1")
    assert shown["version"] == 1
    assert shown["content"]["card"]["cutoff"] == 5.0
    assert "card.heads.tio2.licence" in filled("models", "show", "open/oxides")
    assert "kind: pretrain" in filled("models", "show", "open/oxides")


def test_pulled_tagged_and_compared(filled: Lamflow, tmp_path: Path) -> None:
    pulled = filled.json("models", "pull", "open/oxides@1")
    assert pulled == {"release": "open/oxides@1", "path": "oxides"}
    assert (tmp_path / "oxides/model.pt").read_text() == "1"
    assert "is there already" in filled("models", "pull", "open/oxides@1", ends=2)
    assert filled.json("models", "tag", "open/oxides@1", "production")["before"] is None
    assert filled("models", "tag", "open/oxides@2", "production") == (
        "open/oxides@production → 2, was 1\n"
    )
    assert "can't be a tag" in filled("models", "tag", "open/oxides", "7", ends=2)
    changed = {
        one["key"] for one in filled.json("models", "diff", "open/oxides@1", "open/oxides@2")
    }
    assert changed == {"card.name", "file model.pt", "file card.json"}
    assert filled("models", "diff", "open/oxides@1", "open/oxides@1") == "no difference\n"


def test_lineage_is_printed_and_drawn(filled: Lamflow, tmp_path: Path) -> None:
    text = filled("models", "lineage", "open/oxides@1", "--svg", "made.svg")
    assert "dataset open/tio2@1  300 frames" in text
    assert "more files" in text
    assert "more files" not in filled("models", "lineage", "open/oxides@1", "--files")
    assert (tmp_path / "made.svg").read_text().startswith("<svg xmlns=")
    assert filled.json("datasets", "lineage", "open/tio2")["title"] == "open/tio2@1"


def test_verify_ends_with_3_on_damage(filled: Lamflow, tmp_path: Path) -> None:
    assert filled("datasets", "verify") == "open/tio2@1  good\n"
    part = filled.json("models", "show", "open/oxides@1")["content"]["parts"]["model.pt"]["sha256"]
    (tmp_path / "registry/parts" / part[:2] / part).write_text("x")
    faults = filled.json("models", "verify", ends=3)
    assert faults["open/oxides@2"] == []
    assert "model.pt" in faults["open/oxides@1"][0]
    assert "DAMAGED" in filled("models", "verify", "open/oxides@1", ends=3)


def test_a_result_and_a_model_folder_can_be_pushed(filled: Lamflow, tmp_path: Path) -> None:
    """The same model with and without its metrics is not the same version."""
    result = tmp_path / "lamflow-runs/run-1/result"
    name = ("--name", "open/other")
    assert filled.json("models", "push", result, *name)["release"] == "open/other@1"
    assert filled.json("models", "push", result / "model", *name)["release"] == "open/other@2"
    assert "there is no model-2" in filled(
        "models", "push", "run-1", *name, "--model", "model-2", ends=2
    )


def test_push_says_what_is_missing(lamflow: Lamflow, tmp_path: Path) -> None:
    assert "no such run" in lamflow("models", "push", "nothing", "--name", "a/b", ends=2)
    assert "no licence is known" in lamflow(
        "datasets", "add", DEMO / "tio2_test/n006_ef", "--name", "a/b", ends=2
    )


def test_a_worse_candidate_is_not_promoted(filled: Lamflow, tmp_path: Path) -> None:
    run = write_run(tmp_path / "worse", {"tio2": DEMO / "tio2"}, force_rmse=99.0)
    filled("models", "push", run, "--name", "open/oxides", "--tag", "candidate")
    text = filled("models", "promote", "open/oxides", ends=3)
    assert text.startswith("open/oxides@3 stays candidate; against open/oxides@2:")
    assert "tio2 (head tio2) force_rmse_meV_per_A: 80 → 99" in text
    assert filled.json("models", "promote", "open/oxides", "--tolerance", "0.5")["passed"]
    assert filled.json("models", "list")[0]["tags"] == {"candidate": 3, "latest": 3}


def test_the_inbox_is_filled_and_listed(lamflow: Lamflow) -> None:
    assert "empty; lamflow datasets submit" in lamflow("datasets", "inbox")
    assert lamflow("datasets", "submit", DEMO / "tio2", "--name", "tio2") == "tio2: sent\n"
    assert lamflow.json("datasets", "inbox") == [{"name": "tio2", "state": "new", "reason": ""}]
