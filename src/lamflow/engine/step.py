"""Run one operator on files below a root folder: what happens inside a pod or a local process.

Layout below the root (``/tmp`` in a pod)::

    inputs/task.json              operator, name, key, parameters
    inputs/<port>                 file or folder
    inputs/<port>/<member>        for group ports
    outputs/<port>                written by the operator
    outputs/step.json             record: times, versions, numbers
    outputs/numbers/<name>        one number each, for output parameters
"""

import json
import logging
import os
import platform
import resource
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamflow import __version__
from lamflow.engine.operator import Operator, StepIO, load_operator
from lamflow.errors import LamflowError, RunError
from lamflow.files import list_files, read_json, write_json, write_text

STEP_FOLDER = "LAMFLOW_STEP_FOLDER"  # set by the local engine: progress and errors go there
SCRATCH = "LAMFLOW_SCRATCH"
_PROGRESS_EVERY_S = 0.5


def main(root: str) -> int:
    """Run the task below `root`; return the exit code (0, 2 bad input, 75 transient, 3 failed)."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        run_task(Path(root))
    except LamflowError as error:
        _tell(f"{type(error).__name__}: {error}")
        return error.exit_code
    except Exception as error:
        traceback.print_exc()
        _tell(f"{type(error).__name__}: {error}")
        return RunError.exit_code
    return 0


def run_task(root: Path) -> None:
    """Run the operator that ``inputs/task.json`` names and write its outputs and record."""
    task = read_json(root / "inputs/task.json")
    operator = load_operator(task["operator"])
    params = operator.params.model_validate(task["params"])
    outputs = root / "outputs"
    outputs.mkdir(parents=True, exist_ok=True)
    io = StepIO(
        inputs={port: root / "inputs" / port for port in task["inputs"]},
        groups={
            port: {member: root / "inputs" / port / member for member in members}
            for port, members in task["groups"].items()
        },
        outputs={port: outputs / port for port in operator.outputs},
        scratch=_scratch(root),
        progress=_ProgressWriter(),
    )
    started = time.time()
    numbers = operator.function(params, io)
    _check_outputs(operator, io, numbers)
    for name in operator.numbers:
        write_text(outputs / "numbers" / name, json.dumps(numbers[name]))
    record = _record(task, started, numbers) | {"outputs": _sizes(io.outputs)}
    write_json(outputs / "step.json", record)


def _check_outputs(operator: Operator, io: StepIO, numbers: Mapping[str, Any]) -> None:
    missing = [port for port, path in io.outputs.items() if not path.exists()]
    missing += [name for name in operator.numbers if name not in numbers]
    if missing:
        raise RunError(f"operator {operator.name} did not write {', '.join(missing)}")


def _sizes(outputs: Mapping[str, Path]) -> dict[str, dict[str, int]]:
    """Files and bytes of each output, by which a copy elsewhere is known to be whole.

    An empty folder gets a file: buckets know no folders, and Argo could not pass it on.
    """
    sizes = {}
    for port, path in outputs.items():
        if path.is_dir() and not list_files(path):
            (path / ".empty").touch()
        files = [path] if path.is_file() else list_files(path)
        sizes[port] = {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}
    return sizes


def _record(task: Mapping[str, Any], started: float, numbers: Mapping[str, Any]) -> dict[str, Any]:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "name": task["name"],
        "key": task["key"],
        "operator": task["operator"],
        "needs": task["needs"],
        "started": started,
        "finished": time.time(),
        "cpu_s": round(sum(use.ru_utime + use.ru_stime for use in usage), 2),
        "peak_memory_MB": round(max(use.ru_maxrss for use in usage) / 1024),
        "lamflow": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "numbers": dict(numbers),
    }


def _scratch(root: Path) -> Path:
    folder = Path(os.environ.get(SCRATCH, root / "scratch"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class _ProgressWriter:
    """Write progress where the engine reads it: a JSON file locally, Argo's file in a pod."""

    def __init__(self) -> None:
        folder = os.environ.get(STEP_FOLDER)
        self.file = Path(folder) / "progress.json" if folder else None
        argo = os.environ.get("ARGO_PROGRESS_FILE")
        self.argo_file = Path(argo) if argo else None
        self.started = time.time()
        self.last = 0.0

    def __call__(self, done: float, total: float, values: Mapping[str, float | str]) -> None:
        now = time.time()
        if now - self.last < _PROGRESS_EVERY_S and done < total:
            return
        self.last = now
        if self.file:
            state = {"done": done, "total": total, "since": self.started, "now": now}
            text = json.dumps({**state, "values": dict(values)})
            write_text(self.file, text)
        if self.argo_file:
            self.argo_file.write_text(f"{int(done)}/{int(total)}", encoding="utf-8")


def _tell(message: str) -> None:
    print(f"lamflow: {message}", file=sys.stderr, flush=True)
    if folder := os.environ.get(STEP_FOLDER):
        write_text(Path(folder) / "error.txt", message + "\n")
