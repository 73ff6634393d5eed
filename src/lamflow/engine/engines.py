"""What every engine can do with a run that exists, and which engine a run belongs to."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from lamflow.engine import local, records
from lamflow.engine.records import RunFolder
from lamflow.errors import InputError, Problem, RunError

_POLL_S = 0.5


class Engine(Protocol):
    """What commands ask of an engine. `lamflow.testing.engine` has the tests that each passes."""

    def status(self, run: RunFolder) -> dict[str, Any]:
        """Tell how a run and its steps are; see `lamflow.engine.records.run_status`."""

    def is_over(self, run: RunFolder) -> bool:
        """Tell whether nothing works on the run any more."""

    def stop(self, run: RunFolder) -> bool:
        """End a run; tell whether there was something to end."""

    def act(self, run: RunFolder, verb: str) -> bool:
        """Stop, terminate, suspend or resume a run; InputError if the engine can't."""

    def logs(self, run: RunFolder, step: str | None, *, follow: bool) -> Iterator[tuple[str, str]]:
        """Yield (step, text) of one step's log or of all; with `follow` until the run is over."""

    def fetch_result(self, run: RunFolder) -> Path:
        """Return the folder of the products; RunError if the run has not succeeded."""


class LocalEngine:
    """Runs on this machine."""

    def status(self, run: RunFolder) -> dict[str, Any]:
        """See `Engine.status`."""
        return records.run_status(run)

    def is_over(self, run: RunFolder) -> bool:
        """See `Engine.is_over`."""
        return not records.is_locked(run)

    def stop(self, run: RunFolder) -> bool:
        """See `Engine.stop`."""
        return local.stop_run(run)

    def act(self, run: RunFolder, verb: str) -> bool:
        """See `Engine.act`; a local run can be stopped and nothing else."""
        if verb != "stop":
            what = f"a local run can't {verb}; lamflow stop {run.name}, later lamflow retry"
            raise InputError(Problem(run.name, "", what))
        return self.stop(run)

    def logs(self, run: RunFolder, step: str | None, *, follow: bool) -> Iterator[tuple[str, str]]:
        """See `Engine.logs`."""
        steps = {item["name"]: run.step(item["key"]) for item in run.read()["steps"]}
        chosen = {step: steps[step]} if step else steps
        offsets = dict.fromkeys(chosen, 0)
        while True:
            going_on = follow and not self.is_over(run)
            for name, folder in chosen.items():
                text = _read_from(folder / "log.txt", offsets[name])
                offsets[name] += len(text)
                if text:
                    yield name, text.decode("utf-8", "replace")
            if not going_on:
                return
            time.sleep(_POLL_S)

    def fetch_result(self, run: RunFolder) -> Path:
        """See `Engine.fetch_result`."""
        if not run.result.is_dir():
            raise RunError(f"run {run.name}: no result yet; lamflow status {run.name}")
        return run.result


def engine_of(run: RunFolder) -> Engine:
    """Return the engine that a run was started with.

    Raises
    ------
    InputError
        The context of a run in the cloud is no more.
    """
    record = run.read()
    if record["engine"] == "argo":
        from lamflow.engine.argo import ArgoEngine

        return ArgoEngine(record["context"])
    return LocalEngine()


def last_known(run: RunFolder) -> dict[str, Any]:
    """What is known of a run without asking a cluster: as `status`, without the steps' phases."""
    record = run.read()
    steps = [{**step, "phase": "unknown"} for step in record["steps"]]
    keys = ("kind", "engine", "status", "created")
    return {"run": run.name, **{key: record[key] for key in keys}, "result": None, "steps": steps}


def _read_from(file: Path, offset: int) -> bytes:
    if not file.exists():
        return b""
    with file.open("rb") as log:
        log.seek(offset)
        return log.read()
