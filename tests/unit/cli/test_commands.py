"""The command as a user types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from wrong_configs import WRONG_CONFIGS, WrongConfig

from lamflow.cli import main as command

DEMO = Path(__file__).parents[3] / "workflows/pretrain.yaml"
HEAVY = ("torch", "dflow", "dpdata", "boto3", "deepmd", "matplotlib", "ase", "argo", "pydantic")


def lamflow(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lamflow", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command in this process; give its exit code."""
    monkeypatch.setattr(sys, "argv", ["lamflow", *map(str, arguments)])
    with pytest.raises(SystemExit, match=r"\d+") as end:
        command.main()
    return int(str(end.value.code))


@pytest.mark.parametrize("case", WRONG_CONFIGS, ids=lambda case: case.name.replace(" ", "-"))
def test_wrong_config_ends_with_2_and_writes_nothing(
    case: WrongConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = case.write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "submit", path) == 2
    assert capsys.readouterr().err.splitlines() == case.messages(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['lamflow', '--help']\n"
        "from lamflow.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "submit" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_usage_error_ends_with_2(tmp_path: Path) -> None:
    done = lamflow("submit", cwd=tmp_path)
    assert done.returncode == 2
    assert "Missing argument 'FILE'" in done.stderr
    assert "lamflow --help" in done.stderr


@pytest.mark.parametrize("name", ["status", "watch", "logs", "stop", "report", "retry"])
def test_unknown_run_names_those_that_exist(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, name, "nowhere") == 2
    assert "nowhere: no such run; no runs here yet" in capsys.readouterr().err


def test_run_name_that_escapes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "submit", DEMO, "--name", "../outside") == 2
    assert "--name: '../outside' is no name for a run" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_step_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "submit", DEMO, "--redo", "trian") == 2
    assert "trian: no such step; steps: clean-mol3bpa" in capsys.readouterr().err


def test_init_writes_what_validate_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "init", "pretrain", "--demo") == 0
    assert call(monkeypatch, "validate", "pretrain.yaml") == 0
    assert "no problem found" in capsys.readouterr().out
    assert len(Path("pretrain.yaml").read_text().splitlines()) <= 25
    assert call(monkeypatch, "init", "pretrain", "--demo") == 2
    assert "pretrain.yaml: exists" in capsys.readouterr().err


def test_plan_as_json_names_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "plan", DEMO, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    names = [step["name"] for step in plan["steps"]]
    assert names[0] == "clean-mol3bpa"
    assert names[-1] == "report"
    assert not any(step["done"] for step in plan["steps"])
    assert list(tmp_path.iterdir()) == []


def test_schema_is_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "schema", "pretrain") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "lamflow pretrain"
    assert call(monkeypatch, "schema", "pretrian") == 2
    assert "did you mean 'pretrain'" in capsys.readouterr().err


def test_presets_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "presets") == 0
    assert "dpa2-medium" in capsys.readouterr().out
    assert call(monkeypatch, "presets", "--json") == 0
    listed = {preset["name"]: preset for preset in json.loads(capsys.readouterr().out)}
    assert listed["dpa1-tiny"]["compressible"]
    assert not listed["dpa3-medium"]["compressible"]
    assert listed["dpa2-large"]["relative_cost"] > listed["dpa2-small"]["relative_cost"] > 1
    assert all(preset["source"] for preset in listed.values())


def test_doctor_finds_what_is_needed(tmp_path: Path) -> None:
    done = lamflow("doctor", "--json", cwd=tmp_path)
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 0
    assert checks["deepmd-kit"]["ok"]
    assert checks["deepmd ops"]["ok"]
