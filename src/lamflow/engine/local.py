"""The local engine, as the command sees it: prepare a run, start its process, stop it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import Timeout

from lamflow import __version__
from lamflow.descriptors import open_missing_descriptors
from lamflow.engine.graph import Graph, graph_to_json
from lamflow.engine.records import RunFolder, is_locked
from lamflow.engine.state import is_alive, is_done
from lamflow.errors import RunError
from lamflow.files import write_json, write_text

_TAKEOVER_S = 20.0
_STOP_S = 30.0


@dataclass(frozen=True)
class LocalOptions:
    """How the local engine treats steps.

    Attributes
    ----------
    timeout_s
        Time limit of each step, seconds; None for no limit.
    retries
        How often a step is tried again after a transient failure or its time limit.
    """

    timeout_s: float | None = None
    retries: int = 1


def prepare_run(
    run: RunFolder,
    graph: Graph,
    config_text: str,
    config: Mapping[str, Any],
    options: LocalOptions,
    source: Path | None = None,
    redo: Sequence[str] = (),
) -> None:
    """Write all that the run's process needs; products of earlier attempts stay.

    Steps that `redo` names, and all that depend on them, are forgotten.

    Raises
    ------
    InputError
        `redo` names a step that there is not.
    RunError
        Another process is working on this run.
    """
    run.path.mkdir(parents=True, exist_ok=True)
    with _locked(run):
        for step in graph.dependents(redo):
            shutil.rmtree(run.step(step.key), ignore_errors=True)
            shutil.rmtree(run.scratch(step.key), ignore_errors=True)
        write_text(run.path / "config.yaml", config_text)
        write_json(run.path / "config.json", config)
        write_json(run.path / "graph.json", graph_to_json(graph))
        for step in graph.steps:
            _write_spec(run, step.key, step.operator.profile, options)
        old = run.read() if run.record.exists() else {}
        run.update(
            name=run.name,
            kind=graph.kind,
            engine="local",
            status="pending",
            error=None,
            lamflow=__version__,
            source=str(source) if source else old.get("source"),
            created=old.get("created", time.time()),
            attempts=old.get("attempts", []),
            cached=[step.key for step in graph.steps if is_done(run.step(step.key))],
            steps=graph.summary(),
        )


def _write_spec(run: RunFolder, key: str, profile: str, options: LocalOptions) -> None:
    heavy = profile != "cpu"
    write_json(
        run.step(key) / "spec.json",
        {
            "key": key,
            "scratch": str(run.scratch(key)),
            "slots": str(run.path / "slots"),
            "cores": 0 if heavy else 1,
            "gpus": 1 if heavy else 0,
            "timeout_s": options.timeout_s,
            "retries": options.retries,
        },
    )


@contextlib.contextmanager
def _locked(run: RunFolder) -> Iterator[None]:
    """Hold the run's lock; wait a little for an attempt that was killed to finish dying."""
    lock = run.lock()
    owner = run.read().get("owner") if run.record.exists() else None
    patience = _TAKEOVER_S if owner and not is_alive(owner) else 0.0
    try:
        lock.acquire(timeout=patience, poll_interval=0.1)
    except Timeout:
        raise RunError(
            f"run {run.name} is being worked on by process {run.read().get('pid')}; "
            f"follow it: lamflow watch {run.name}; end it: lamflow stop {run.name}"
        ) from None
    try:
        yield
    finally:
        lock.release()


def check_free(run: RunFolder) -> None:
    """Refuse, with RunError, if a process is working on the run."""
    with _locked(run):
        pass


@dataclass(frozen=True)
class Attempt:
    """The process that works on a run, and the pipe whose end tells it that we are gone."""

    process: subprocess.Popen[bytes]
    lifeline: int | None

    def is_over(self) -> bool:
        """Tell whether the process has ended."""
        return self.process.poll() is not None

    def stop(self) -> None:
        """End the run and wait until it has been recorded."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_run(run: RunFolder, *, detach: bool = False) -> Attempt:
    """Start the process that works on a prepared run.

    Without `detach` the process ends when the caller does, however the caller ends.
    """
    open_missing_descriptors()  # the pipe must not be standard input
    command = [sys.executable, "-m", "lamflow.engine.local_process", str(run.path)]
    read_end, write_end = (None, None) if detach else os.pipe()
    if read_end is not None:
        command += ["--lifeline", str(read_end)]
    with (run.path / "engine.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if read_end is None else (read_end,),
        )
    if read_end is not None:
        os.close(read_end)
    return Attempt(process, write_end)


def stop_run(run: RunFolder) -> bool:
    """End a run that another command started; tell whether there was something to end."""
    end = time.monotonic() + _STOP_S
    pid = 0
    while not is_alive(pid):  # it takes the lock first, and tells its number a little later
        if not is_locked(run) or time.monotonic() > end:
            return False
        time.sleep(0.05)
        pid = int(run.read().get("pid") or 0)
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + _STOP_S
    while is_locked(run) and time.monotonic() < end:
        time.sleep(0.1)
    if is_locked(run):
        raise RunError(f"run {run.name}: process {pid} does not end; kill -9 {pid} ends it")
    return True
