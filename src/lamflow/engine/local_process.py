"""The process that works on a run: ``python -m lamflow.engine.local_process FOLDER``.

It holds the run's lock, gives dflow's debug mode the steps that are not done yet, and writes
down how the run ended, whatever ends it.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from lamflow.engine import step_client
from lamflow.engine.graph import RECORD_PORT, Graph, Origin, Output, Source, Step, graph_from_json
from lamflow.engine.records import RunFolder
from lamflow.engine.slots import count_cores
from lamflow.engine.state import FAILED, RUNNING, STOPPED, SUCCEEDED, is_done, read_state
from lamflow.engine.step_server import start_server
from lamflow.engine.supervise import die_with_parent
from lamflow.files import new_folder, read_json

_TAKEOVER_S = 5.0
_KILL_S = 12.0
_AGAIN_S = 2.0


class _Stop(BaseException):
    """Somebody wants the run to end."""


def main() -> int:
    """Work on a run; the exit status is that of the run: 0 succeeded, 3 failed or stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lifeline", type=int, default=None)
    args = parser.parse_args()
    run = RunFolder(args.folder)
    signal.signal(signal.SIGTERM, _raise_stop)
    signal.signal(signal.SIGALRM, _raise_stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if args.lifeline is not None:
        threading.Thread(target=_watch_lifeline, args=(args.lifeline,), daemon=True).start()
    with run.lock().acquire(timeout=_TAKEOVER_S):
        status, error = _work(run, owner=os.getppid() if args.lifeline is not None else None)
        _close_attempt(run, status, error)
    sys.stdout.flush()
    os._exit(0 if status == SUCCEEDED else 3)  # dflow's pool may hang in its exit handlers


def _raise_stop(_signum: int, _frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What runs at this moment may swallow the exception (an import, a destructor, dflow): it is
    # raised again until `_work` has heard it.
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
    raise _Stop


def _watch_lifeline(descriptor: int) -> None:
    """The pipe ends when the command that started us ends, even by SIGKILL."""
    os.read(descriptor, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _work(run: RunFolder, owner: int | None) -> tuple[str, str | None]:
    try:
        attempts = [*run.read()["attempts"], {"started": time.time(), "status": RUNNING}]
        run.update(status=RUNNING, pid=os.getpid(), owner=owner, attempts=attempts, error=None)
        graph = graph_from_json(read_json(run.path / "graph.json"))
        todo = [step for step in graph.steps if not is_done(run.step(step.key))]
        if todo:
            # The path of a socket must be short, that of a run need not be.
            with tempfile.TemporaryDirectory(prefix="lamflow-") as folder:
                socket = Path(folder) / "steps"
                start_server(socket)
                _run_in_dflow(run, graph, todo, socket)
        failed = [step for step in graph.steps if not is_done(run.step(step.key))]
        if failed:
            return FAILED, _first_error(run, failed)
        _publish(run, graph)
    except _Stop:
        signal.setitimer(signal.ITIMER_REAL, 0)
        return STOPPED, None
    except Exception as error:
        traceback.print_exc()
        return FAILED, f"{type(error).__name__}: {error}"
    else:
        return SUCCEEDED, None
    finally:
        _end_children()
        shutil.rmtree(run.path / "engine", ignore_errors=True)


def _close_attempt(run: RunFolder, status: str, error: str | None) -> None:
    attempts = run.read()["attempts"]
    attempts[-1] |= {"finished": time.time(), "status": status}
    run.update(status=status, error=error, attempts=attempts, pid=None, owner=None)


def _run_in_dflow(run: RunFolder, graph: Graph, todo: list[Step], socket: Path) -> None:
    """Give the steps to dflow's debug mode; failures are read from the steps' states later."""
    from dflow import LocalArtifact, Workflow, config

    from lamflow.engine.dflow_graph import to_dag

    config.update(
        mode="debug",
        debug_workdir=str(run.path / "engine"),
        debug_copy_method="copy",  # links would let a step edit the user's files
        debug_pool_workers=count_cores(),
        token=None,
    )
    # The workers of dflow's process pool would outlive a killed parent for ever.
    os.register_at_fork(after_in_child=_become_worker)

    def resolve(origin: Origin) -> Any:
        if isinstance(origin, Source):
            return LocalArtifact(origin.location)
        return LocalArtifact(str(output_path(run, origin)))

    def options(step: Step) -> Mapping[str, Any]:
        client = [sys.executable, "-I", "-S", step_client.__file__, str(socket)]
        return {"command": [*client, str(run.step(step.key))]}

    dag = to_dag(graph.name, todo, resolve, options, keep_going=True)
    (run.path / "engine").mkdir(exist_ok=True)
    Workflow(name="run", dag=dag).submit()


def _become_worker() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent(signal.SIGKILL)


def output_path(run: RunFolder, output: Output) -> Path:
    """Where the output of a finished step lies."""
    name = "step.json" if output.port == RECORD_PORT else output.port
    return run.step(output.step.key) / "outputs" / name


def _first_error(run: RunFolder, unfinished: list[Step]) -> str:
    for step in unfinished:
        state = read_state(run.step(step.key))
        if state["phase"] == FAILED:
            return f"step {step.name}: {state.get('error')}"
    return f"steps did not run: {', '.join(step.name for step in unfinished)}; see engine.log"


def _publish(run: RunFolder, graph: Graph) -> None:
    """Put the products together under ``result/``, whole or not at all."""
    with new_folder(run.result) as folder:
        for path, output in graph.results.items():
            source = output_path(run, output)
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy2(source, target)


def _end_children() -> None:
    """End dflow's workers; the supervisors below them notice and end their steps."""
    import psutil

    children = psutil.Process().children(recursive=True)
    for child in psutil.Process().children():
        child.kill()
    _, alive = psutil.wait_procs(children, timeout=_KILL_S)
    for process in alive:
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
