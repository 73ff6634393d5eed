"""Students: their training, their sizes, and the test that decides which one drives."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.config.learn_steps import Converged
from lamflow.data.dataset import Dataset
from lamflow.data.references import Baseline, dataset_references
from lamflow.distill.pick import TRIAL
from lamflow.errors import InputError, Problem
from lamflow.evaluate.errors import Parity, head_errors
from lamflow.evaluate.predictor import DeepmdPredictor
from lamflow.evaluate.table import ERROR_KEYS
from lamflow.files import read_json, write_json
from lamflow.learn.check import ERRORS, PARITY
from lamflow.learn.committee import frozen, train_job, train_member, trained
from lamflow.learn.gather import GATHERED
from lamflow.learn.pick import SELECTION
from lamflow.learn.state import Iteration, LoopState, write_state
from lamflow.progress import Progress, silent
from lamflow.train.finetune import finetune_job, read_checkpoint
from lamflow.train.model_card import CARD, verified_file
from lamflow.train.protocol import SINGLE_HEAD, Head, TrainSettings

SIZE = "size.json"
_CHECKPOINT = "model.pt"
_CHUNK = 200
_FORCE = "force_rmse_meV_per_A"


def train_student(
    labels: Path,
    previous: Path | None,
    folder: Path,
    scratch: Path,
    *,
    name: str,
    model: Mapping[str, Any],
    type_map: Sequence[str],
    settings: TrainSettings,
    continued_steps: int,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train a student from scratch, or go on with what it was.

    Parameters
    ----------
    previous
        The student as it was; None, or one whose training failed, begins from scratch.
    continued_steps
        Steps where it goes on.
    labels, folder, scratch, name, model, type_map, settings
        See `lamflow.learn.committee.train_member`.
    """
    if previous is None or not (previous / CARD).exists():
        return train_member(
            labels, folder, scratch, name=name, model=model, type_map=type_map, settings=settings,
            progress=progress,
        )  # fmt: skip
    checkpoint = read_checkpoint(verified_file(previous, _CHECKPOINT))
    task = Head(SINGLE_HEAD, labels / "train", labels / "validation")
    shorter = replace(
        settings, steps=continued_steps, save_every=min(settings.save_every, continued_steps)
    )
    job = finetune_job(checkpoint, [task], {SINGLE_HEAD: SINGLE_HEAD}, type_map, shorter)
    return train_job(job, folder, scratch, name, progress)


def choose_size(
    candidates: Mapping[str, Path],
    models: Mapping[str, Mapping[str, Any]],
    labels: Path,
    goal: float,
    file: Path,
) -> dict[str, Any]:
    """Keep the fastest student that meets the goal on held-out frames, or the most accurate one.

    Parameters
    ----------
    candidates
        Briefly trained students by preset, the fastest first.
    models
        DeePMD-kit's ``model`` section of each.
    labels
        Folder with ``validation/``.
    goal
        Largest force RMSE, meV/Å.
    file
        Gets the choice as JSON: `preset`, its `model` section and the errors of all.
    """
    good, reasons = trained(candidates, 1.0)
    errors = {name: held_out_errors(folder, labels)[0][_FORCE] for name, folder in good.items()}
    fast = [name for name in candidates if name in errors and errors[name] <= goal]
    chosen = fast[0] if fast else min(errors, key=lambda name: errors[name])
    told = {"preset": chosen, "model": models[chosen], _FORCE: errors, "failed": reasons}
    write_json(file, told)
    return told


def held_out_errors(
    model: Path, labels: Path, parity: Parity | None = None
) -> tuple[dict[str, Any], DeepmdPredictor]:
    """Errors of a student against the teacher on the frames held out, and its predictor."""
    frames = Dataset.open(labels / "validation")
    predictor = DeepmdPredictor(frozen(model))
    baseline = Baseline(dataset_references(Dataset.open(labels / "train")))
    return head_errors(predictor, frames.systems(_CHUNK), baseline, parity=parity), predictor


def check_students(
    models: Mapping[str, Path],
    labels: Path,
    chosen: Path | None,
    state: LoopState,
    outputs: Mapping[str, Path],
    *,
    iteration: int,
    goal: Converged,
    seed: int,
) -> LoopState:
    """Close an iteration: test all students on held-out frames, keep the best, decide.

    Parameters
    ----------
    models
        Students of this iteration, those that failed too.
    labels
        What the iteration gathered.
    chosen
        What it picked, see `lamflow.distill.pick`; None at the start.
    state
        The state so far.
    outputs
        Folders to make: ``checked``, and ``model`` with the student that drives next.
    iteration
        Its number; 0 is the start.
    goal
        When the loop is over.
    seed
        Decides which points the parity plots show.
    """
    good, reasons = trained(models, goal.failures)
    errors = {name: held_out_errors(folder, labels)[0] for name, folder in good.items()}
    best = min(errors, key=lambda name: errors[name][_FORCE] or np.inf)
    parity = Parity(np.random.default_rng(seed))
    held_out_errors(good[best], labels, parity)
    trial = read_json(chosen / TRIAL) if chosen else {}
    selection = read_json(chosen / SELECTION) if chosen else {}
    gathered = read_json(labels / GATHERED)
    # At the start no student has driven yet: there are only held-out frames to test on.
    tested = {**errors[best], **{k: trial[k] for k in ERROR_KEYS if trial and k in trial}}
    done = Iteration(
        iteration=iteration,
        selection=selection.get("counts", {}),
        trajectories=selection.get("trajectories", {}),
        stops=tuple(selection.get("stops", ())),
        asked=gathered["asked"],
        labelled=gathered["labelled"],
        rejected=dict.fromkeys(trial.get("refusals", []), trial.get("refused", 0)),
        frames=gathered["frames"],
        members=len(good),
        members_failed=tuple(reasons),
        tested_on="student-driven trajectories" if trial else "held-out frames",
        errors={key: tested.get(key) for key in ERROR_KEYS},
    )
    checked = outputs["checked"]
    checked.mkdir(parents=True)
    write_json(checked / ERRORS, errors[best])
    with (checked / PARITY).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **parity.arrays())
    if trial:
        write_json(checked / TRIAL, trial)
    after = decide(state, done, met=bool(trial.get("met")), goal=goal)
    write_state(checked, after)
    shutil.copytree(good[best], outputs["model"])
    return after


def decide(state: LoopState, iteration: Iteration, *, met: bool, goal: Converged) -> LoopState:
    """Add an iteration to the state; the loop is over when enough of them met the goal."""
    streak = state.streak + 1 if met else 0
    stop = ""
    if streak >= goal.iterations:
        times = "" if streak == 1 else f" in {streak} iterations in a row"
        stop = f"the goal was met{times}"
    return LoopState(
        stop=stop,
        spent=state.spent + iteration.asked,
        streak=streak,
        history=(*state.history, iteration),
    )


def model_of(size: Path | None, model: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The student's ``model`` section: what `choose_size` chose, or the one given."""
    if size is not None:
        found: Mapping[str, Any] = read_json(size)["model"]
        return found
    if model is None:
        raise InputError(Problem("", "student", "there is neither a preset nor a choice of one"))
    return model
