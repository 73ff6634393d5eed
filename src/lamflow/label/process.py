"""Run the child process of some frames, with a walltime, and leave nothing of it behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lamflow.errors import LamflowError
from lamflow.files import read_json, write_json
from lamflow.label.child import FAILURE, JOB
from lamflow.label.protocol import ENGINE_LOG

_POLL_SECONDS = 0.05
_SLOWEST_POLL_SECONDS = 1.0
_GRACE_SECONDS = 5.0
_TAIL_LINES = 20
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Task:
    """One frame to label.

    Attributes
    ----------
    symbols, positions, cell
        The frame: positions (natoms, 3) Å, cell (3, 3) Å or None, as nested lists.
    identity
        All that decides the label beside the frame, see `Labeller.identity`.
    result
        The file that the child writes if it succeeds.
    """

    symbols: Sequence[str]
    positions: Sequence[Sequence[float]]
    cell: Sequence[Sequence[float]] | None
    identity: Mapping[str, Any]
    result: Path


@dataclass(frozen=True)
class Failure:
    """Why a frame has no label.

    Attributes
    ----------
    kind
        `unconverged`, `implausible`, `refused` (bad input), `error` (of the engine),
        `walltime`, or `crashed` (the process died).
    message
        What happened.
    log_tail
        The last lines of the engine's output.
    """

    kind: str
    message: str
    log_tail: str


@dataclass(frozen=True)
class Job:
    """What all frames of a child have in common; see `lamflow.label.run.LabelSettings`."""

    labeller: str
    settings: Mapping[str, Any]
    walltime_s: float
    threads: int
    largest_net_force_eV_per_A: float  # noqa: N815
    gentle: bool = False

    def gently(self) -> "Job":
        """Return the same job with softer mixing."""
        return replace(self, gentle=True)


class StoppedError(LamflowError):
    """The caller asked to stop."""


def run(
    job: Job, tasks: Sequence[Task], folder: Path, stop: threading.Event
) -> list[Failure | None]:
    """Label `tasks` in child processes, each begun anew where the one before died.

    Parameters
    ----------
    job, tasks
        What to do.
    folder
        Empty; for the children's files.
    stop
        When set, the child is killed.

    Returns
    -------
    For each task None if it has its result file, else why not.

    Raises
    ------
    StoppedError
        If `stop` was set.
    """
    failures: list[Failure | None] = []
    while len(failures) < len(tasks):
        child = folder / f"child-{len(failures):05d}"
        left = tasks[len(failures) :]
        places = [child / f"frame-{index:05d}" for index in range(len(left))]
        end = _run_child(job, left, child, places, stop)
        for task, place in zip(left, places, strict=True):
            if task.result.exists():
                failures.append(None)
            elif (place / FAILURE).exists():
                known = read_json(place / FAILURE)
                tail = _tail(place / ENGINE_LOG, child / "child.log")
                failures.append(Failure(known["kind"], known["message"], tail))
            else:  # the child died here; frames after this one get a new child
                kind, message = end
                failures.append(
                    Failure(kind, message, _tail(place / ENGINE_LOG, child / "child.log"))
                )
                break
    return failures


def _run_child(
    job: Job, tasks: Sequence[Task], folder: Path, places: Sequence[Path], stop: threading.Event
) -> tuple[str, str]:
    """Run one child and tell how it ended: kind and message of a failure."""
    for place in places:
        place.mkdir(parents=True)
    write_json(folder / JOB, _as_json(job, tasks, places))
    environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(job.threads))}
    with (folder / "child.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "lamflow.label.child", str(folder)],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        late = _wait(child, [(t.result, p / FAILURE) for t, p in zip(tasks, places, strict=True)],
                     job.walltime_s, stop)  # fmt: skip
    finally:
        _end_group(child)
    if late:
        return "walltime", f"not done after {job.walltime_s:g} s"
    if child.returncode < 0:
        return "crashed", f"killed by {signal.Signals(-child.returncode).name}"
    return "crashed", f"ended with exit status {child.returncode} and no result"


def _as_json(job: Job, tasks: Sequence[Task], places: Sequence[Path]) -> dict[str, Any]:
    return {
        "parent": os.getpid(),
        "labeller": job.labeller,
        "settings": dict(job.settings),
        "gentle": job.gentle,
        "largest_net_force_eV_per_A": job.largest_net_force_eV_per_A,
        "frames": [
            {
                "symbols": list(task.symbols),
                "positions": task.positions,
                "cell": task.cell,
                "identity": dict(task.identity),
                "folder": str(place),
                "result": str(task.result),
            }
            for task, place in zip(tasks, places, strict=True)
        ],
    }


def _wait(
    child: "subprocess.Popen[bytes]",
    ends: Sequence[tuple[Path, Path]],
    walltime_s: float,
    stop: threading.Event,
) -> bool:
    """Wait for the child; True if a frame took longer than `walltime_s`."""
    done, since, pause = 0, time.monotonic(), _POLL_SECONDS
    while child.poll() is None:
        if stop.wait(pause):
            raise StoppedError("labelling was stopped")
        pause = min(1.2 * pause, _SLOWEST_POLL_SECONDS)
        while done < len(ends) and any(path.exists() for path in ends[done]):
            done, since = done + 1, time.monotonic()
        if time.monotonic() - since > walltime_s:
            return True
    return False


def _end_group(child: "subprocess.Popen[bytes]") -> None:
    """Kill whatever is left of the child's process group: an engine may have started others."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(_GRACE_SECONDS)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    child.wait()


def _tail(*logs: Path) -> str:
    """Return the last lines of the first log that has any."""
    for log in logs:
        if log.is_file():
            text = log.read_text(encoding="utf-8", errors="replace").strip()
            if text:
                return "\n".join(text.splitlines()[-_TAIL_LINES:])
    return ""
