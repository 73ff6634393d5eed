"""Run the command in tests, and kill it with all that it started."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def lamflow(*arguments: object, cwd: Path, cache: Path | None = None) -> "subprocess.Popen[str]":
    """Start the command; labels are cached in `cache`, not in the user's folder."""
    cached = {} if cache is None else {"LAMFLOW_LABEL_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-m", "lamflow", *map(str, arguments)],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **cached},
        # A test run in the background ignores Ctrl-C, and so would the command.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    """Wait for the command, which must end with `code`; return what it printed."""
    out, err = process.communicate(timeout=1200)
    assert process.returncode == code, out + err
    return out


def processes_below(folder: Path) -> list[int]:
    """Processes whose command line or working directory is below `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            place = str((entry / "cwd").readlink())
            command = (entry / "cmdline").read_text()
        except OSError:
            continue
        if str(folder) in place or str(folder) in command:
            found.append(int(entry.name))
    return found


def kill_when(process: "subprocess.Popen[str]", run: Path, moment: Callable[[], bool]) -> None:
    """Kill the command and everything of its run as soon as `moment` is there."""
    end = time.monotonic() + 1200
    while not moment():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "the moment did not come"
        time.sleep(0.02)
    process.kill()
    for pid in processes_below(run):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    while processes_below(run):
        assert time.monotonic() < end, "processes are left"
        time.sleep(0.1)
