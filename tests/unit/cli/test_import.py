import json
import subprocess
import sys
from pathlib import Path

PFD = {
    "task": {"type": "dist", "max_iter": 2},
    "inputs": {"base_model_path": "big.pt", "type_map": ["H"], "mass_map": [4],
               "init_confs": {"confs_paths": ["water.xyz"]}},
    "exploration": {"stages": [[{"ens": "nvt", "temps": [300], "nsteps": 10}]]},
}  # fmt: skip


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "lamflow", "import", *arguments],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_writes_a_file_once_and_warns_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "pfd.json").write_text(json.dumps(PFD))
    done = run("pfd", "pfd.json", "-o", "distill.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "H has mass 4" in done.stderr
    assert (tmp_path / "distill.yaml").read_text().startswith("# From pfd.json by lamflow import")
    again = run("pfd", "pfd.json", "-o", "distill.yaml", cwd=tmp_path)
    assert (again.returncode, "exists; name another with -o" in again.stderr) == (2, True)


def test_json_is_one_line_for_scripts(tmp_path: Path) -> None:
    (tmp_path / "pfd.json").write_text(json.dumps(PFD))
    done = run("pfd", "pfd.json", "--json", cwd=tmp_path)
    brief = json.loads(done.stdout)
    assert (brief["file"], brief["config"]["teacher"]) == (None, "big.pt")
    assert any("H has mass 4" in warning for warning in brief["warnings"])


def test_a_wrong_file_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "pfd.json").write_text("[]")
    done = run("pfd", "pfd.json", "-o", "out.yaml", cwd=tmp_path)
    assert (done.returncode, "holds no JSON object" in done.stderr) == (2, True)
    assert not (tmp_path / "out.yaml").exists()
