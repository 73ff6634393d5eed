"""Run many small computations in child processes that may crash, hang or be killed.

A child does its items one after the other; each ends in a file of its own, so that a death costs
one item: the next child goes on behind it. Children are sessions of their own: what an item
started ends with it, and a child ends with its parent.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamflow.errors import InputError, LamflowError
from lamflow.files import read_json, write_json

ENGINE_LOG = "engine.log"
"""Where an item's engine writes its output, in the item's folder; its tail is shown on failure."""

_JOB, _FAILURE, _LOG = "job.json", "failure.json", "child.log"
_POLL_S, _SLOWEST_POLL_S = 0.05, 1.0
_GRACE_S = 5.0
_WATCH_S = 1.0
_TAIL_LINES = 20
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Item:
    """One computation: JSON values for the child, and the file that it writes if it succeeds."""

    data: Mapping[str, Any]
    result: Path


@dataclass(frozen=True)
class Job:
    """What the items have in common.

    Attributes
    ----------
    module
        The child's program: ``python -m module FOLDER``; it calls `serve`.
    common
        JSON values for the child.
    walltime_s
        Longest time for one item, s; the first one's includes the start of the process.
    threads
        Threads of each child.
    """

    module: str
    common: Mapping[str, Any]
    walltime_s: float
    threads: int


@dataclass(frozen=True)
class Failure:
    """Why an item has no result.

    Attributes
    ----------
    kind
        `walltime`, `crashed` (the process died), `refused` (bad input), `error`, or the `kind`
        of the exception that the child raised.
    message
        What happened.
    log_tail
        The last lines of the engine's output.
    """

    kind: str
    message: str
    log_tail: str


class StoppedError(LamflowError):
    """The caller asked to stop."""


def run(
    job: Job, items: Sequence[Item], folder: Path, stop: threading.Event
) -> list[Failure | None]:
    """Do `items` in child processes, one at a time, each begun anew where the one before died.

    Parameters
    ----------
    job, items
        What to do.
    folder
        Empty; for the children's files.
    stop
        When set, the child is killed.

    Returns
    -------
    For each item None if it has its result file, else why not.

    Raises
    ------
    StoppedError
        If `stop` was set.
    """
    failures: list[Failure | None] = []
    while len(failures) < len(items):
        child = folder / f"child-{len(failures):05d}"
        left = items[len(failures) :]
        places = [child / f"item-{index:05d}" for index in range(len(left))]
        end = _run_child(job, left, child, places, stop)
        for item, place in zip(left, places, strict=True):
            if item.result.exists():
                failures.append(None)
                continue
            tail = _tail(place / ENGINE_LOG, child / _LOG)
            if not (place / _FAILURE).exists():  # the child died here
                failures.append(Failure(*end, tail))
                break
            known = read_json(place / _FAILURE)
            failures.append(Failure(known["kind"], known["message"], tail))
    return failures


def _run_child(
    job: Job, items: Sequence[Item], folder: Path, places: Sequence[Path], stop: threading.Event
) -> tuple[str, str]:
    """Run one child and tell how it ended: kind and message for the item where it died."""
    for place in places:
        place.mkdir(parents=True)
    pairs = list(zip(items, places, strict=True))
    listed = [{**i.data, "folder": str(p), "result": str(i.result)} for i, p in pairs]
    write_json(folder / _JOB, {**job.common, "parent": os.getpid(), "items": listed})
    environment = {**os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(job.threads))}
    with (folder / _LOG).open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", job.module, str(folder)],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        late = _wait(child, [(i.result, p / _FAILURE) for i, p in pairs], job.walltime_s, stop)
    finally:
        _end_group(child)
    if late:
        return "walltime", f"not done after {job.walltime_s:g} s"
    if child.returncode < 0:
        return "crashed", f"killed by {signal.Signals(-child.returncode).name}"
    return "crashed", f"ended with exit status {child.returncode} and no result"


def _wait(
    child: "subprocess.Popen[bytes]",
    ends: Sequence[tuple[Path, Path]],
    walltime_s: float,
    stop: threading.Event,
) -> bool:
    """Wait for the child; True if an item took longer than `walltime_s`."""
    done, since, pause = 0, time.monotonic(), _POLL_S
    while child.poll() is None:
        if stop.wait(pause):
            raise StoppedError("stopped")
        pause = min(1.2 * pause, _SLOWEST_POLL_S)
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
            child.wait(_GRACE_S)
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


Do = Callable[[Mapping[str, Any], Path, Path], None]
"""Does one item: its data, its folder, and the file to write at the end."""


def serve(folder: Path, prepare: Callable[[Mapping[str, Any]], Do]) -> None:
    """Be the child: do the items of `folder`.

    Parameters
    ----------
    folder
        As the parent gave it on the command line.
    prepare
        Gets the job's common values once, and returns what does an item. An exception ends its
        item only; the attribute `kind` of its class, if there is one, becomes the failure's kind.
    """
    job = read_json(folder / _JOB)
    _die_with(job["parent"])
    do = prepare(job)
    for item in job["items"]:
        place = Path(item["folder"])
        try:
            do(item, place, Path(item["result"]))
        except Exception as error:  # an engine may raise anything
            traceback.print_exc()
            kind = "refused" if isinstance(error, InputError) else getattr(error, "kind", "error")
            message = str(error) or type(error).__name__
            write_json(place / _FAILURE, {"kind": kind, "message": message})


def _die_with(parent: int) -> None:
    """End this process's group when `parent` is gone, were it killed with no chance to tell us."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
