"""The folder of a run: what is written where, and the truthful status of it.

::

    lamflow-runs/<name>/
      run.json           the run: kind, status, steps and their keys, attempts
      config.yaml        the file as it was submitted
      config.json        the configuration with all defaults
      engine.log         what the engine and dflow said
      steps/<key>/       state.json, log.txt, progress.json, outputs/
      scratch/<key>/     checkpoints of unfinished steps
      result/            products, when the run has succeeded
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lamflow.engine.state import (
    INTERRUPTED,
    PENDING,
    RUNNING,
    STOPPED,
    SUCCEEDED,
    is_alive,
    is_done,
    read_state,
)
from lamflow.errors import InputError, Problem
from lamflow.files import read_json, write_json

RUNS_FOLDER = "lamflow-runs"


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run."""

    path: Path

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.path.name

    @property
    def record(self) -> Path:
        """The run's record."""
        return self.path / "run.json"

    @property
    def result(self) -> Path:
        """Where the products are once the run has succeeded."""
        return self.path / "result"

    def step(self, key: str) -> Path:
        """Folder of a step."""
        return self.path / "steps" / key

    def scratch(self, key: str) -> Path:
        """Folder for a step's checkpoints."""
        return self.path / "scratch" / key

    def lock(self) -> FileLock:
        """Lock held by the process that works on the run."""
        return FileLock(self.path / ".lock", blocking=False)

    def read(self) -> dict[str, Any]:
        """Read the run's record."""
        return dict(read_json(self.record))

    def update(self, **changes: Any) -> None:
        """Change some keys of the run's record."""
        old = self.read() if self.record.exists() else {}
        write_json(self.record, {**old, **changes})


def find_run(name: str, base: Path) -> RunFolder:
    """Find a run by its name (or its folder's path).

    Raises
    ------
    InputError
        There is no such run; the message lists those that exist.
    """
    for folder in (base / RUNS_FOLDER / name, Path(name)):
        if (folder / "run.json").is_file():
            return RunFolder(folder.resolve())
    known = [run.name for run in list_runs(base)]
    hint = f"runs here: {', '.join(known)}" if known else "no runs here yet: lamflow submit FILE"
    raise InputError(Problem(str(base / RUNS_FOLDER), name, f"no such run; {hint}"))


def list_runs(base: Path) -> list[RunFolder]:
    """All runs below ``lamflow-runs``, newest first."""
    records = (base / RUNS_FOLDER).glob("*/run.json")
    return [RunFolder(r.parent) for r in sorted(records, key=_modified, reverse=True)]


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def is_locked(run: RunFolder) -> bool:
    """Tell whether a process is working on the run."""
    try:
        with run.lock():
            return False
    except Timeout:
        return True


def run_status(run: RunFolder) -> dict[str, Any]:
    """Status of a run and of each step, as it is and not as it was last written.

    A run or step that is recorded as running while nothing works on it is "interrupted".
    """
    record = run.read()
    status = record["status"]
    if status == RUNNING and not is_locked(run):
        status = INTERRUPTED
    cached = set(record.get("cached", []))
    steps = [
        {**_step_status(run, step, status), "cached": step["key"] in cached}
        for step in record["steps"]
    ]
    return {
        "run": run.name,
        "kind": record["kind"],
        "engine": record["engine"],
        "status": status,
        "error": record.get("error"),
        "created": record["created"],
        "attempts": record["attempts"],
        "result": str(run.result) if status == SUCCEEDED else None,
        "steps": steps,
    }


def _step_status(run: RunFolder, step: dict[str, Any], run_phase: str) -> dict[str, Any]:
    folder = run.step(step["key"])
    state = read_state(folder)
    phase = state["phase"]
    if phase == RUNNING and not is_alive(state.get("pid")):
        phase = INTERRUPTED
    if phase == STOPPED and run_phase == RUNNING:
        phase = PENDING
    progress: dict[str, Any] = {}
    if phase == RUNNING and (folder / "progress.json").exists():
        progress = read_json(folder / "progress.json")
    record = folder / "outputs/step.json"
    done = read_json(record) if is_done(folder) and record.exists() else {}
    started = done.get("started", state.get("started"))
    finished = done.get("finished", state.get("finished"))
    seconds = (finished or time.time()) - started if started else None
    return {
        **step,
        "phase": phase,
        "started": started,
        "finished": finished,
        "seconds": round(seconds, 2) if seconds is not None and phase != PENDING else None,
        "attempts": state.get("attempts", 0),
        "error": state.get("error"),
        "progress": progress,
        "numbers": done.get("numbers", {}),
    }
