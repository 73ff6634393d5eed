"""Run a Python module as a child process that does not outlive the process that started it.

``python -m lamflow.train.guarded PARENT_PID MODULE ARGUMENTS...``: a training child has a session
of its own, so that it can be ended with all that it started. Nothing tells it when its parent is
killed with SIGKILL, so it looks.
"""

import os
import runpy
import signal
import sys
import threading
import time

_LOOK_EVERY_S = 0.5


def watch_parent(parent: int) -> None:
    """Kill this process's group as soon as `parent` is no longer our parent."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run the module that the arguments name under the watch."""
    parent, module, *arguments = sys.argv[1:]
    threading.Thread(target=watch_parent, args=(int(parent),), daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
