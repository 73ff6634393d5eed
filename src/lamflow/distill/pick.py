"""Compare students with the teacher on the frames that a student found, and pick what to learn."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.config.learn_steps import Converged
from lamflow.data.dataset import Dataset
from lamflow.data.frames import FloatArray, IntArray, System
from lamflow.evaluate.predictor import DeepmdPredictor, Predictor
from lamflow.files import read_json, write_json
from lamflow.learn.committee import frozen, trained
from lamflow.learn.explore import SUMMARY
from lamflow.learn.frames import stream_frames, take_frames, write_frames
from lamflow.learn.label import LABELLED
from lamflow.learn.pick import SELECTION, histogram
from lamflow.progress import Progress, silent
from lamflow.select.calibrate import Levels, largest_force_error
from lamflow.select.choose import COUNTS, Pool, choose
from lamflow.select.descriptor import DescriptorSpace
from lamflow.select.known import fingerprint_table

TRIAL = "trial.json"
_CHUNK = 200
_MILLI = 1000.0


def pick_disagreements(
    asked: Mapping[str, Path],
    explored: Mapping[str, Path],
    model: Path,
    models: Mapping[str, Path],
    labels: Path,
    folder: Path,
    *,
    wished: float,
    goal: Converged,
    count: int,
    seed: int,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure the driving student against the teacher, and pick frames where a student is wrong.

    A student that meets the goal is left as it is: nothing is picked.

    Parameters
    ----------
    asked
        Labelled frames by condition, see `lamflow.distill.teacher.ask_teacher`.
    explored
        The trajectories that they are from, by condition, see `lamflow.learn.explore`.
    model
        The student that drove.
    models
        All students.
    labels
        Labelled frames so far.
    folder
        Gets ``frames/``, ``labelled.json``, ``selection.json`` and ``trial.json``.
    wished
        Largest error of the worst atom's force of a frame that is accurate, eV/Å.
    goal
        When the student is good enough.
    count
        Frames to pick, at most.
    seed
        Of all randomness.

    Returns
    -------
    What is in ``trial.json``: errors over all frames and by condition, fates of trajectories,
    refused frames, and whether the goal is met.
    """
    good, _ = trained(models, goal.failures)
    driver = DeepmdPredictor(frozen(model))
    others = [DeepmdPredictor(frozen(place)) for place in good.values()]
    error, by_condition = _survey(asked, driver, others, progress)
    trial = _trial(by_condition, [read_json(p / LABELLED) for p in asked.values()], explored)
    trial["accurate"] = float(np.mean(error <= wished)) if len(error) else 0.0
    trial["met"] = meets(trial, goal)
    choice = _choose(asked, labels, frozen(model), driver.type_map, error, wished, count, seed)
    counts, picked = choice
    if trial["met"]:
        counts = counts | {"picked": 0, "left_over": counts["left_over"] + counts["picked"]}
        picked = picked[:0]
    chosen = take_frames(_frames(asked), picked)
    write_frames(folder, chosen)
    selection = {
        "counts": counts,
        "trajectories": trial["trajectories"],
        "stops": trial["stops"],
        "low": wished,
        "high": float(max(error.max(initial=wished), wished)),
        "histogram": histogram(error),
        "picked": [
            {"composition": name, "deviation": float(error[i])}
            for i, name in zip(np.sort(picked), fingerprint_table(chosen)[0], strict=True)
        ],
    }
    write_json(folder / SELECTION, selection)
    write_json(folder / TRIAL, trial)
    told = {"asked": len(picked), "labelled": len(picked), "computed": len(picked), "cached": 0,
            "label_seconds": 0.0, "rejected": []}  # fmt: skip
    write_json(folder / LABELLED, told)
    return trial


def nothing_to_pick(folder: Path) -> dict[str, Any]:
    """Leave what a loop that is over picks: no frame."""
    write_json(folder / SELECTION, {"counts": dict.fromkeys(COUNTS, 0)})
    told = dict.fromkeys(("asked", "labelled", "computed", "cached"), 0)
    write_json(folder / LABELLED, {**told, "label_seconds": 0.0, "rejected": []})
    trial = {"frames": 0, "met": True, "accurate": 1.0, "force_rmse_meV_per_A": None}
    write_json(folder / TRIAL, trial)
    return trial


def meets(trial: Mapping[str, Any], goal: Converged) -> bool:
    """Tell whether a student passed: small errors, and no trajectory that ended early."""
    ends = trial["trajectories"]
    rmse = trial["force_rmse_meV_per_A"]
    if ends["guarded"] or ends["failed"] or trial["refused"] or rmse is None:
        return False
    wanted = goal.force_rmse
    return bool(trial["accurate"] >= goal.accurate and (wanted is None or rmse <= wanted))


def _survey(
    asked: Mapping[str, Path],
    driver: Predictor,
    others: list[DeepmdPredictor],
    progress: Progress,
) -> tuple[FloatArray, dict[str, dict[str, Any]]]:
    """Worst error of any student in each frame, eV/Å, and the driver's errors by condition."""
    errors: list[FloatArray] = [np.empty(0)]
    table = {}
    done = 0
    for condition, place in asked.items():
        squares, energies, components, frames = 0.0, 0.0, 0, 0
        for system in stream_frames(place):
            assert system.forces is not None and system.energies is not None  # noqa: S101, PT018
            said = driver.predict(system)
            worst = largest_force_error(said.forces, system.forces)
            for one in others:
                worst = np.maximum(
                    worst, largest_force_error(one.predict(system).forces, system.forces)
                )
            errors.append(np.nan_to_num(worst, nan=np.inf))
            squares += float(np.square(said.forces - system.forces).sum())
            energies += float(np.square((said.energies - system.energies) / system.natoms).sum())
            components += system.forces.size
            frames += system.nframes
            done += system.nframes
            progress(done, done + 1, {})
        table[condition] = {
            "frames": frames, "components": components, "force_squares": squares,
            "energy_squares": energies,
        }  # fmt: skip
    return np.concatenate(errors), table


def _trial(
    table: Mapping[str, Mapping[str, Any]],
    labelled: list[dict[str, Any]],
    explored: Mapping[str, Path],
) -> dict[str, Any]:
    ends = {name: read_json(place / SUMMARY) for name, place in explored.items()}
    fates = ("complete", "guarded", "failed")
    return {
        **_errors(list(table.values())),
        "conditions": {
            name: _errors([row]) | {fate: ends[name][fate] for fate in fates}
            for name, row in table.items()
        },
        "trajectories": {fate: sum(end[fate] for end in ends.values()) for fate in fates},
        "stops": [stop for end in ends.values() for stop in end["stops"]],
        "refused": sum(len(one["rejected"]) for one in labelled),
        "refusals": sorted({item["kind"] for one in labelled for item in one["rejected"]}),
    }


def _errors(rows: list[Any]) -> dict[str, Any]:
    frames = sum(row["frames"] for row in rows)
    components = sum(row["components"] for row in rows)
    force = sum(row["force_squares"] for row in rows)
    energy = sum(row["energy_squares"] for row in rows)
    return {
        "frames": frames,
        "force_rmse_meV_per_A": _MILLI * float(np.sqrt(force / components)) if frames else None,
        "energy_rmse_meV_per_atom": _MILLI * float(np.sqrt(energy / frames)) if frames else None,
    }


def _choose(
    asked: Mapping[str, Path],
    labels: Path,
    model: Path,
    type_map: tuple[str, ...],
    error: FloatArray,
    wished: float,
    count: int,
    seed: int,
) -> tuple[dict[str, int], IntArray]:
    names, fingerprints = fingerprint_table(_frames(asked))
    known_names, known = fingerprint_table(
        s
        for part in ("train", "validation")
        if (labels / part).is_dir()
        for s in Dataset.open(labels / part).systems(_CHUNK)
    )
    space = DescriptorSpace(model, type_map)

    def points(indices: IntArray) -> FloatArray:
        rows = [space.points(system) for system in take_frames(_frames(asked), indices)]
        order = np.argsort(np.argsort(indices, kind="stable"), kind="stable")
        return np.asarray(np.concatenate(rows)[order])

    # The teacher has said where it is not to be trusted: of what is left no error is too large.
    levels = Levels(wished, np.inf)
    choice = choose(
        Pool(names, fingerprints, error), levels, count, np.random.default_rng(seed), points,
        known_compositions=known_names, known_fingerprints=known,
    )  # fmt: skip
    return choice.counts, choice.picked


def _frames(asked: Mapping[str, Path]) -> Iterator[System]:
    for place in asked.values():
        yield from stream_frames(place)
