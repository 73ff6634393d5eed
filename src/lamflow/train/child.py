"""Long child processes: started, watched, and ended together with all that they started."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lamflow.train.protocol import TrainingError

_POLL_S = 0.3
_GRACE_S = 10.0
_TAIL_LINES = 25


def run_module(
    module: str,
    arguments: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    watch: Callable[[], None] = lambda: None,
) -> None:
    """Run ``python -m module arguments`` in `folder` and wait for it.

    The child gets a process group of its own, which ends with it, with us, and if `watch` raises.

    Parameters
    ----------
    module, arguments
        What to run, with this interpreter.
    folder
        Working folder.
    log
        Standard output and error are appended to it.
    environment
        Added to ours.
    watch
        Called a few times a second while the child runs, and once after its end.

    Raises
    ------
    TrainingError
        The child failed; carries the tail of the log.
    """
    guarded = ["lamflow.train.guarded", str(os.getpid()), module, *arguments]
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", *guarded],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while child.poll() is None:
            watch()
            time.sleep(_POLL_S)
        watch()
    finally:
        _end_group(child)
    if child.returncode:
        raise TrainingError(
            f"{module} {' '.join(arguments)} ended with {_describe(child.returncode)}; "
            f"the end of {log}:\n{tail(log)}"
        )


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """Give the last lines of a log, indented."""
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in text[-lines:])


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """Ask the child's group to end, insist after a while, and reap the child."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_S)
            if sign is signal.SIGTERM and not _group_lives(child.pid):
                return


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _describe(code: int) -> str:
    return f"exit code {code}" if code > 0 else signal.Signals(-code).name
