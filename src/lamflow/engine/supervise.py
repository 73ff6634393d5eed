"""Guard one step of the local engine.

dflow's debug mode starts a process for each step and forgets what is around it: time limits,
retries, cores, orphans. This small process stands between. It waits for free cores, runs the
step in a session of its own, kills the whole session on a time limit, on a signal, or when
its own parent has died, tries transient failures again, keeps the true exit status, and makes
outputs visible only when they are whole.
"""

import contextlib
import ctypes
import os
import runpy
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from lamflow.engine.slots import hold_slots
from lamflow.engine.state import FAILED, RUNNING, STOPPED, SUCCEEDED, write_state
from lamflow.errors import TransientError
from lamflow.files import read_json

_PR_SET_PDEATHSIG = 1
_GRACE_S = 8.0
_POLL_S = 0.05
_TIMED_OUT = 124
_BACKOFF_S = 2.0


class _Stop(BaseException):
    """The engine wants the step to end, or is gone."""


def main(folder: Path, script: Path) -> int:
    """Run `script` under guard; its record goes to `folder`; return the exit status."""
    signal.signal(signal.SIGTERM, _raise_stop)
    signal.signal(signal.SIGINT, _raise_stop)
    die_with_parent(signal.SIGTERM)
    spec = read_json(folder / "spec.json")
    try:
        with hold_slots(Path(spec["slots"]), spec["cores"], spec["gpus"]) as granted:
            status = _attempts(folder, script, spec, granted)
    except _Stop:
        write_state(folder, phase=STOPPED, finished=time.time(), pid=None)
        return 128 + signal.SIGTERM
    if status == 0:
        _publish(script.parent / "workdir/tmp/outputs", folder / "outputs")
        shutil.rmtree(spec["scratch"], ignore_errors=True)
        write_state(folder, phase=SUCCEEDED, finished=time.time(), exit_code=0, pid=None)
    else:
        error = _read_error(folder, status, spec)
        write_state(
            folder, phase=FAILED, finished=time.time(), exit_code=status, error=error, pid=None
        )
    return status


def die_with_parent(signum: int) -> None:
    """Ask the kernel (Linux) for a signal when the parent dies; elsewhere do nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signum)


def _raise_stop(_signum: int, _frame: object) -> NoReturn:
    raise _Stop


def _attempts(folder: Path, script: Path, spec: dict[str, Any], granted: dict[str, str]) -> int:
    status = 0
    for attempt in range(1, spec["retries"] + 2):
        (folder / "error.txt").unlink(missing_ok=True)
        write_state(
            folder, phase=RUNNING, started=time.time(), attempts=attempt, pid=os.getpid(),
            finished=None, error=None, exit_code=None,
        )  # fmt: skip
        status = _run_once(folder, script, spec, granted)
        if status not in (TransientError.exit_code, _TIMED_OUT):
            break
        if attempt <= spec["retries"]:
            time.sleep(_BACKOFF_S * 2 ** (attempt - 1))
    return status


def _run_once(folder: Path, script: Path, spec: dict[str, Any], granted: dict[str, str]) -> int:
    outputs = script.parent / "workdir/tmp/outputs"
    shutil.rmtree(outputs, ignore_errors=True)
    child = os.fork()
    if child == 0:
        _become_step(folder, script, spec, granted)
    try:
        return _wait(child, spec["timeout_s"])
    finally:
        _kill_session(child)


def _become_step(
    folder: Path, script: Path, spec: dict[str, Any], granted: dict[str, str]
) -> NoReturn:
    """In the forked child: a session of its own, its log, then the generated script."""
    status = 1
    try:
        os.setsid()
        die_with_parent(signal.SIGKILL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ.update({**granted, "LAMFLOW_STEP_FOLDER": str(folder)})
        os.environ["LAMFLOW_SCRATCH"] = spec["scratch"]
        runpy.run_path(str(script), run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _wait(child: int, timeout_s: float | None) -> int:
    """Wait for the child; return its exit status, 128 + N for signal N, 124 for the time limit."""
    parent = os.getppid()
    end = time.monotonic() + timeout_s if timeout_s else None
    pause = 0.002
    while True:
        pid, raw = os.waitpid(child, os.WNOHANG)
        if pid:
            status = os.waitstatus_to_exitcode(raw)
            return status if status >= 0 else 128 - status
        if os.getppid() != parent:
            raise _Stop
        if end and time.monotonic() > end:
            return _TIMED_OUT
        time.sleep(pause)
        pause = min(2 * pause, _POLL_S)


def _kill_session(leader: int) -> None:
    """End every process of the session: SIGTERM, a grace, SIGKILL; reap the leader."""
    for signum, patience in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, 1.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signum)
        for _ in _until(patience):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(leader, os.WNOHANG)
            if not _group_exists(leader):
                return


def _until(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(_POLL_S)


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _publish(written: Path, final: Path) -> None:
    """Move the outputs to where later attempts find them; leave a link for dflow."""
    if final.exists():
        shutil.rmtree(final)
    final.parent.mkdir(parents=True, exist_ok=True)
    written.rename(final)
    written.symlink_to(final)


def _read_error(folder: Path, status: int, spec: dict[str, Any]) -> str:
    if status == _TIMED_OUT:
        return f"time limit of {spec['timeout_s']:g} s reached"
    file = folder / "error.txt"
    if file.exists():
        return file.read_text(encoding="utf-8").strip()
    if status > 128:
        return f"killed by signal {signal.Signals(status - 128).name}"
    return f"exit status {status}"
