"""Training with DeePMD-kit's PyTorch backend."""

import contextlib
import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from lamflow.errors import HelpedError, InputError, Problem, TransientError
from lamflow.files import read_json, sha256_file, sha256_json, write_json
from lamflow.progress import Progress, silent
from lamflow.train.checkpoints import last_complete
from lamflow.train.child import run_module, tail
from lamflow.train.curve import CurveReader, trim_curve
from lamflow.train.deepmd_input import CURVE, build_input, check_input, find_data
from lamflow.train.nodes import Nodes
from lamflow.train.presets import check_model
from lamflow.train.protocol import SINGLE_HEAD, TrainingError, TrainJob, TrainResult
from lamflow.train.tasks import refusals

_logger = logging.getLogger(__name__)
_MAIN = "lamflow.train.deepmd_main"
_INPUT = "input.json"
_JOB = "job.json"
_LOG = "train.log"
_RESULT = "result.json"
_TRAINED = "trained.json"
_CLOCK = "seconds.json"
_MODEL = "model.pt"
_FROZEN = "frozen"
_PROCESS = "lamflow.train.distributed"
# What DeePMD-kit says when the loss or a gradient is NaN or infinite.
_DIVERGED = re.compile(r"NaN detected at batch +\d+|[Nn]on-?finite gradient.*")
_HEAD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class DeepmdTrainer:
    """Trains single- and multi-task models by running ``dp --pt train`` as a child process."""

    def train(self, job: TrainJob, workdir: Path, progress: Progress = silent) -> TrainResult:
        """Train `job` in `workdir`; see `lamflow.train.protocol.Trainer`.

        Raises
        ------
        HelpedError
            This is not the first of several nodes: the result is there and not here.
        """
        if (nodes := Nodes.from_environment()).rank > 0:
            _help(job, workdir, nodes)
        config = _prepare(job, workdir)
        if (workdir / _RESULT).exists():
            return _read_result(job, workdir)
        _Run(job, workdir, progress).until_done(config)
        write_json(workdir / _RESULT, {"steps": job.settings.steps, "device": _device(workdir)})
        return _read_result(job, workdir)


def _help(job: TrainJob, workdir: Path, nodes: Nodes) -> NoReturn:
    """Take part in a training whose files are node 0's; what is written here is thrown away."""
    nodes.wait_for_first()
    if not (workdir / _TRAINED).exists():  # on a volume that the nodes share
        found = last_complete(workdir, remove_torn=False)
        own = workdir / f"node-{nodes.rank}"
        shutil.rmtree(own, ignore_errors=True)
        config = _prepare(job, own)
        write_json(own / _INPUT, config)
        going_on = found if found and found[0] < job.settings.steps else None
        _Run(job, own, silent).train(going_on[1] if going_on else None)
    raise HelpedError(f"node {nodes.rank} of {nodes.count} has helped node 0 to train")


class _Run:
    """One go at a job, from its start or from its last checkpoint."""

    def __init__(self, job: TrainJob, workdir: Path, progress: Progress) -> None:
        self._job = job
        self._folder = workdir
        self._progress = progress
        self._log = workdir / _LOG
        self._curve = CurveReader(workdir / CURVE, job.heads[0].name)
        self._seconds_before = _seconds(workdir)
        self._started = time.monotonic()

    def until_done(self, config: Mapping[str, Any]) -> None:
        """Train to the last step, then freeze."""
        steps = self._job.settings.steps
        step, checkpoint = self._last_checkpoint()
        self._progress(step, steps, {})
        if step:
            _logger.info("training goes on from step %d of %d", step, steps)
        if step < steps:
            write_json(self._folder / _INPUT, config)
            trim_curve(self._folder / CURVE, step)
            self.train(checkpoint)
            step, checkpoint = last_complete(self._folder) or (0, None)
        if checkpoint is None or step < steps:
            raise TrainingError(
                f"training ended at step {step} of {steps} without a checkpoint; "
                f"the end of {self._log}:\n{tail(self._log)}"
            )
        write_json(self._folder / _TRAINED, {"steps": steps})
        shutil.copyfile(checkpoint, self._folder / _MODEL)
        self._freeze()

    def _last_checkpoint(self) -> tuple[int, Path | None]:
        step, checkpoint = last_complete(self._folder) or (0, None)
        if checkpoint and step >= self._job.settings.steps and not self._has_ended():
            # DeePMD-kit writes the last checkpoint twice: before and after it refits the energies'
            # bias. Killed in between, we cannot tell which one this is.
            checkpoint.unlink()
            step, checkpoint = last_complete(self._folder) or (0, None)
        return step, checkpoint

    def _has_ended(self) -> bool:
        return (self._folder / _TRAINED).exists()

    def train(self, checkpoint: Path | None) -> None:
        """Run DeePMD-kit once, from a checkpoint or from the start."""
        arguments = ["--pt", "train", _INPUT, "--skip-neighbor-stat"]
        start = self._job.start
        if checkpoint is not None:
            arguments += ["--restart", str(checkpoint.resolve())]
        elif start is not None:
            arguments += ["--finetune", str(start.checkpoint.resolve())]
        nodes = Nodes.from_environment()
        module, arguments = _parallel(self._job.settings.processes, nodes, arguments)
        try:
            run_module(
                module,
                arguments,
                folder=self._folder,
                log=self._log,
                environment=_environment(self._job.settings.threads, self._job.settings.processes),
                watch=self._watch,
            )
        except TrainingError as error:
            if found := _DIVERGED.search(str(error)):
                raise TrainingError(
                    f"the loss is not a number ({found[0]}); look for wrong labels in the data, or "
                    f"lower train.learning_rate; see {self._log}"
                ) from error
            if nodes.count > 1:  # most likely another node was lost: all start again
                raise TransientError(f"node {nodes.rank} of {nodes.count}: {error}") from error
            raise

    def _freeze(self) -> None:
        heads = [head.name for head in self._job.heads] if len(self._job.heads) > 1 else []
        run_module(
            "lamflow.train.freeze",
            [_MODEL, _FROZEN, *heads],
            folder=self._folder,
            log=self._log,
            environment=_environment(self._job.settings.threads),
        )
        _keep_seconds(self._folder, self._seconds())

    def _watch(self) -> None:
        with contextlib.suppress(InputError):  # the file is not there before the first step
            if not self._curve.update():
                return
            step, values = self._curve.newest()
            _keep_seconds(self._folder, self._seconds())
            self._progress(step, self._job.settings.steps, values)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started


def _prepare(job: TrainJob, workdir: Path) -> dict[str, Any]:
    """Check the job and that `workdir` is its own; give DeePMD-kit's input."""
    check_job(job)
    data = {head.name: find_data(head) for head in job.heads}
    config = build_input(job, data)
    if complaints := check_input(config):
        raise InputError(*(Problem("", "train.deepmd", text) for text in complaints))
    workdir.mkdir(parents=True, exist_ok=True)
    start = sha256_file(job.start.checkpoint) if job.start else None
    identity = sha256_json({"input": _without_paths(config), "start": start})
    kept = workdir / _JOB
    if kept.exists() and read_json(kept)["sha256"] != identity:
        raise InputError(
            Problem(str(workdir), "", "another training job lives here; choose an empty folder")
        )
    write_json(kept, {"sha256": identity})
    return config


def check_job(job: TrainJob) -> None:
    """Refuse a job that cannot be trained, before anything is written; InputError."""
    names = [head.name for head in job.heads]
    problems = [
        Problem("", f"heads.{name}", what)
        for name, what in (
            *((n, "is used twice; give each head a name of its own") for n in _repeated(names)),
            *(
                (n, "must start with a letter and have letters, digits, '_' and '-' only")
                for n in names
                if not _HEAD_NAME.fullmatch(n)
            ),
            *((h.name, f"weight {h.weight} is not positive") for h in job.heads if h.weight <= 0),
            *refusals({head.name: head.task for head in job.heads}, job.model),
        )
    ]
    if not names:
        problems.append(Problem("", "heads", "there are none; give at least one dataset"))
    if job.settings.steps < 1:
        problems.append(Problem("", "train.steps", f"{job.settings.steps} is less than 1"))
    if too_many := _too_many(job.settings.processes):
        problems.append(Problem("", "train.processes", too_many))
    if problems:
        raise InputError(*problems)
    check_model(job.model)


def _too_many(processes: int) -> str | None:
    """Say why so many processes can't train here: each wants a GPU, or a core where none is."""
    if processes == 1:
        return None
    import torch

    gpus, cores = torch.cuda.device_count(), len(os.sched_getaffinity(0))
    have, what = (gpus, "GPUs") if gpus else (cores, "cores")
    if processes <= have:
        return None
    return f"{processes} processes need as many {what}, and {have} are here; lower it"


def _parallel(processes: int, nodes: Nodes, arguments: list[str]) -> tuple[str, list[str]]:
    """Module and arguments that run DeePMD-kit, by torchrun where there are several processes."""
    if processes == 1 and nodes.count == 1:
        return _MAIN, arguments
    return "torch.distributed.run", [*nodes.launch(processes), "-m", _PROCESS, *arguments]


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _without_paths(config: Mapping[str, Any]) -> Any:
    """The input without where its data lie: a copied dataset is still the same job."""
    if isinstance(config, Mapping):
        return {
            key: [Path(path).name for path in value] if key == "systems" else _without_paths(value)
            for key, value in config.items()
        }
    return config


def _environment(threads: int | None, processes: int = 1) -> dict[str, str]:
    count = str(threads or max(1, len(os.sched_getaffinity(0)) // processes))
    return {
        "OMP_NUM_THREADS": count,
        # Threads that wait must sleep: where cores are shared, spinning ones cost 5 times the time.
        "OMP_WAIT_POLICY": "PASSIVE",
        "DP_INTRA_OP_PARALLELISM_THREADS": count,
        "DP_INTER_OP_PARALLELISM_THREADS": "1",
        "NUM_WORKERS": "0",  # frames are in memory already: loader processes only cost time
    }


def _device(workdir: Path) -> str:
    text = (workdir / _LOG).read_text(encoding="utf-8", errors="replace")
    found = re.findall(r"Computing Device:\s+(\S+)", text)
    return found[-1].lower() if found else "unknown"


def _seconds(workdir: Path) -> float:
    path = workdir / _CLOCK
    return float(read_json(path)) if path.exists() else 0.0


def _keep_seconds(workdir: Path, seconds: float) -> None:
    write_json(workdir / _CLOCK, round(seconds, 1))


def _read_result(job: TrainJob, workdir: Path) -> TrainResult:
    kept = read_json(workdir / _RESULT)
    single = len(job.heads) == 1
    return TrainResult(
        checkpoint=workdir / _MODEL,
        frozen={
            head.name: _frozen_file(workdir / _FROZEN, SINGLE_HEAD if single else head.name)
            for head in job.heads
        },
        curve=workdir / CURVE,
        input=workdir / _INPUT,
        steps=int(kept["steps"]),
        seconds=_seconds(workdir),
        device=str(kept["device"]),
    )


def _frozen_file(folder: Path, name: str) -> Path:
    """Scripted model, or the head's weights where there is no script of it (DPA-4)."""
    weights = folder / f"{name}.pt"
    return weights if weights.exists() else folder / f"{name}.pth"
