"""Test the committee, calibrate its deviation, and decide whether the loop goes on."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.config.learn_steps import Converged
from lamflow.data.dataset import Dataset
from lamflow.data.frames import System
from lamflow.data.references import Baseline, dataset_references
from lamflow.evaluate.errors import Parity, head_errors
from lamflow.evaluate.table import ERROR_KEYS
from lamflow.files import read_json, write_json
from lamflow.learn.committee import Committee, trained
from lamflow.learn.frames import stream_frames
from lamflow.learn.gather import GATHERED
from lamflow.learn.pick import SELECTION
from lamflow.learn.state import Iteration, LoopState, write_state
from lamflow.progress import Progress, silent
from lamflow.select.calibrate import (
    calibrate,
    calibrate_distance,
    largest_force_error,
    trust_levels,
)

ERRORS, POINTS, PARITY = "errors.json", "points.json", "parity.npz"
_CHUNK = 200


@dataclass(frozen=True)
class Rules:
    """What the decision depends on.

    Attributes
    ----------
    iteration
        Number of this iteration; 0 is the start.
    wished, hopeless
        Errors, eV/Å, that the trust levels stand for.
    goal
        When the loop is over.
    seed
        Decides which points the parity plots show.
    stages
        Stages of the exploration.
    """

    iteration: int
    wished: float
    hopeless: float
    goal: Converged
    seed: int
    stages: int = 1


def check_models(
    models: Mapping[str, Path],
    before: Mapping[str, Path],
    labels: Path,
    labels_before: Path | None,
    test: Path | None,
    chosen: Path | None,
    state: LoopState,
    outputs: Mapping[str, Path],
    rules: Rules,
    *,
    progress: Progress = silent,
) -> LoopState:
    """Close an iteration, from model folders to the outputs ``checked`` and ``model``.

    Parameters
    ----------
    models, before
        Members of this iteration and of the one before, those that failed too.
    labels, test, chosen, state, rules
        See `check_iteration`.
    labels_before
        What `before` was trained on.
    outputs
        Folders to make: ``checked``, and ``model`` with the model to use.
    """
    failures = rules.goal.failures
    members, reasons = trained(models, failures)
    outputs["checked"].mkdir(parents=True, exist_ok=True)
    after = check_iteration(
        Committee(members, labels / "train"),
        _committee_before(before, labels_before, failures),
        labels, test, chosen, state, outputs["checked"], rules, reasons,
        progress=progress,
    )  # fmt: skip
    shutil.copytree(next(iter(members.values())), outputs["model"])
    return after


def _committee_before(
    models: Mapping[str, Path], labels: Path | None, failures: float
) -> Committee | None:
    if labels is None:
        return None
    return Committee(trained(models, failures)[0], labels / "train")


def pass_on(checked: Path, model: Path, outputs: Mapping[str, Path]) -> None:
    """Hand on what the last iteration of a loop that is over left."""
    shutil.copytree(checked, outputs["checked"])
    shutil.copytree(model, outputs["model"])


def check_iteration(
    committee: Committee,
    before: Committee | None,
    labels: Path,
    test: Path | None,
    chosen: Path | None,
    state: LoopState,
    folder: Path,
    rules: Rules,
    members_failed: list[str],
    *,
    progress: Progress = silent,
) -> LoopState:
    """Close an iteration; write state, errors, parity and calibration points to a new `folder`.

    Calibration takes frames that were not trained on: what this committee says about the labels
    held out, and what the committee `before` said about the labels bought with its help.

    Parameters
    ----------
    committee, before
        This iteration's committee, and that of the one before.
    labels
        What this iteration gathered, see `lamflow.learn.gather`.
    test
        Test set; None tests on the labels held out.
    chosen
        What this iteration selected; None at the start.
    state
        The state so far.
    members_failed
        Why members were not trained.
    """
    held = labels / "validation"
    errors = _test(committee, test or held, labels / "train", folder, rules.seed, progress)
    points = _points(committee, Dataset.open(held).systems(_CHUNK), "held out")
    if before is not None:
        points += _points(before, stream_frames(labels / "new"), "bought")
    fit = calibrate if len(committee.members) > 1 else calibrate_distance
    line = fit(
        np.array([point["deviation"] for point in points], dtype=np.float64),
        np.array([point["error"] for point in points], dtype=np.float64),
    )
    levels = trust_levels(line, rules.wished, rules.hopeless)
    selection = read_json(chosen / SELECTION) if chosen else {}
    iteration = Iteration(
        iteration=rules.iteration,
        selection=selection.get("counts", {}),
        trajectories=selection.get("trajectories", {}),
        stops=tuple(selection.get("stops", ())),
        **read_json(labels / GATHERED),
        members=len(committee.members),
        members_failed=tuple(members_failed),
        tested_on="test" if test else "held-out labels",
        errors={key: errors[key] for key in ERROR_KEYS},
        calibration=line.as_dict(),
        levels=(levels.low, levels.high),
        stage=state.stage,
    )
    write_json(folder / ERRORS, errors)
    write_json(folder / POINTS, points)
    after = state.after(
        iteration, rules.goal, no_labels_left=bool(selection.get("no_labels_left", False)),
        stages=rules.stages,
    )  # fmt: skip
    write_state(folder, after)
    return after


def _test(
    committee: Committee, test: Path, train: Path, folder: Path, seed: int, progress: Progress
) -> Mapping[str, Any]:
    frames = Dataset.open(test)
    parity = Parity(np.random.default_rng(seed))
    errors = head_errors(
        committee.members[0],
        frames.systems(_CHUNK),
        Baseline(dataset_references(Dataset.open(train))),
        parity=parity,
        progress=progress,
        nframes=frames.nframes,
    )
    with (folder / PARITY).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **parity.arrays())
    return errors


def _points(committee: Committee, systems: Iterable[System], source: str) -> list[dict[str, Any]]:
    """Deviation and true error of the delivered model, eV/Å, of frames that it did not learn."""
    points = []
    for system, deviation in committee.deviations(systems):
        if system.forces is None:
            continue
        error = largest_force_error(committee.members[0].predict(system).forces, system.forces)
        points += [
            {"deviation": float(d), "error": float(e), "source": source}
            for d, e in zip(deviation, error, strict=True)
            if np.isfinite(d) and np.isfinite(e)
        ]
    return points
