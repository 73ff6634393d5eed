"""The report of a concurrent-learning run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.evaluate.old_heads import BEST
from lamflow.files import read_json
from lamflow.learn.check import ERRORS, PARITY, POINTS
from lamflow.learn.pick import SELECTION
from lamflow.learn.state import Iteration, LoopState, read_state
from lamflow.report import dag_svg, learn_plots, plots, tables, text
from lamflow.report.finetune_plots import comparison
from lamflow.report.html import render
from lamflow.report.model import Array, StepRecord
from lamflow.train.curve import Curve, read_curve

HEAD = "model"


@dataclass(frozen=True)
class LearnReport:
    """Everything that the report shows.

    Attributes
    ----------
    name, status
        The run's name, and how it ended.
    config_yaml
        The configuration as it was run.
    force_error
        The wished error of the worst atom's force, eV/Å.
    state
        The whole history.
    points
        Calibration points of each iteration: `deviation` and `error` in eV/Å, `source`.
    selections
        Content of ``selection.json`` of each iteration but the start.
    metrics
        Errors in the form of ``metrics.json``.
    parity
        See `lamflow.report.model.PretrainReport.parity`.
    curves
        Learning curve of the model delivered.
    steps
        In the order in which they ran.
    model_card
        The model's card.
    compared
        Errors of other models on the same test: `zero_shot` and `scratch`, as far as known.
    """

    name: str
    status: str
    config_yaml: str
    force_error: float
    state: LoopState
    points: Mapping[int, Sequence[Mapping[str, Any]]]
    selections: Mapping[int, Mapping[str, Any]]
    metrics: Mapping[str, Any]
    parity: Mapping[str, Array]
    curves: Mapping[str, Curve]
    steps: Sequence[StepRecord]
    model_card: Mapping[str, Any]
    compared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def ending(self) -> str:
        """Why the loop ended."""
        return self.state.stop or "the budget of iterations is spent"


def collect_learn(
    *,
    name: str,
    config_yaml: str,
    force_error: float,
    checked: Path,
    model: Path,
    rounds: Mapping[str, Path],
    chosen: Mapping[str, Path],
    steps: Mapping[str, Path],
    head: str | None = None,
    zero_shot: Path | None = None,
    scratch: Path | None = None,
) -> LearnReport:
    """Read the products of a run.

    Parameters
    ----------
    checked, model
        What the last check left.
    rounds, chosen
        Folders of each iteration's check and selection, by its number.
    steps
        Records of the steps.
    head, zero_shot
        Head that the loop began with, and the table of `lamflow.evaluate.old_heads`; None where
        it did not begin with a pretrained model.
    scratch
        Errors of a model trained from random weights on the final labels.
    """
    state = read_state(checked)
    numbers = [iteration.iteration for iteration in state.history]
    errors = read_json(checked / ERRORS)
    compared = _compared(head, zero_shot, scratch)
    with np.load(checked / PARITY, allow_pickle=False) as arrays:
        parity = {quantity: arrays[quantity].astype(np.float64) for quantity in arrays.files}
    return LearnReport(
        name=name,
        status="succeeded",
        config_yaml=config_yaml,
        force_error=force_error,
        state=state,
        points={n: read_json(rounds[str(n)] / POINTS) for n in numbers},
        selections={n: read_json(chosen[str(n)] / SELECTION) for n in numbers if str(n) in chosen},
        metrics={"heads": {HEAD: errors | compared}, "weighted": errors},
        compared=compared,
        parity=parity,
        curves={"model": read_curve(model / "lcurve.out", HEAD)},
        steps=[StepRecord.from_record(read_json(path)) for path in steps.values()],
        model_card=read_json(model / "card.json"),
    )


def _compared(
    head: str | None, zero_shot: Path | None, scratch: Path | None
) -> dict[str, dict[str, Any]]:
    """Read the errors of the models that the final one is compared with."""
    found: dict[str, dict[str, Any]] = {}
    if zero_shot and head:
        table = read_json(zero_shot)
        heads = table["heads"]
        if errors := heads.get(table["best"] if head == BEST else head):
            found["zero_shot"] = errors
    if scratch:
        found["scratch"] = read_json(scratch)
    return found


def render_learn(report: LearnReport) -> str:
    """Write the page: a whole HTML document that needs nothing beside it."""
    history = report.state.history
    card = {k: v for k, v in report.model_card.items() if k not in ("versions", "model", "files")}
    return render(
        "learn.html.j2",
        report=report,
        kind="learn",
        seconds=_wall(report.steps),
        headline=headline(report),
        errors=tables.error_table(report.metrics, {}),
        rows=[_row(iteration) for iteration in history],
        comparison=_comparison(report),
        error_plots=learn_plots.errors_by_labels(history),
        calibration=[
            learn_plots.calibration(iteration, report.points[iteration.iteration])
            for iteration in history
        ],
        bands=learn_plots.bands(history),
        deviations=[
            panel
            for number, selection in report.selections.items()
            if (panel := learn_plots.deviations(number, selection)) is not None
        ],
        picked=[_picked(number, selection) for number, selection in report.selections.items()],
        incidents=[line for iteration in history for line in _incidents(iteration)],
        curves=plots.learning_curves(report.curves, {}),
        parity=plots.parity({HEAD: report.parity}),
        dag=dag_svg.lay_out(report.steps),
        node_size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
        model_card=list(text.flatten(card)),
        versions=list(text.flatten(report.model_card["versions"])),
    )


def _comparison(report: LearnReport) -> list[plots.Panel]:
    """Draw the final model beside zero-shot and from scratch, if they were tested."""
    key = "force_rmse_meV_per_A"
    if not report.compared:
        return []
    errors = report.metrics["weighted"]
    by_model = {
        "baseline": text.finite((errors.get("baseline") or {}).get(key)),
        "zero-shot": text.finite(report.compared.get("zero_shot", {}).get(key)),
        "from scratch": text.finite(report.compared.get("scratch", {}).get(key)),
        "fine-tuned": text.finite(errors.get(key)),
    }
    return comparison({"Final model": by_model}, "Force RMSE", "meV/Å")


def headline(report: LearnReport) -> str:
    """Say in a sentence what was reached, for how many labels, and why it ended."""
    first, last = report.state.history[0], report.state.last
    before, after = (text.error(one.errors.get("force_rmse_meV_per_A")) for one in (first, last))
    others = {
        words: text.error(report.compared[name].get("force_rmse_meV_per_A"))
        for name, words in (("zero_shot", "zero-shot"), ("scratch", "from scratch, same labels"))
        if name in report.compared
    }
    told = "".join(f", {error} {words}" for words, error in others.items())
    return (
        f"Force RMSE on {last.tested_on}: {before} meV/Å at the start, {after} after "
        f"{last.iteration} iterations and {report.state.spent} labels{told}; {report.ending}."
    )


def _wall(steps: Sequence[StepRecord]) -> float | None:
    started = [step.started for step in steps if step.started is not None]
    finished = [step.finished for step in steps if step.finished is not None]
    return max(finished) - min(started) if started and finished else None


def _row(iteration: Iteration) -> dict[str, str]:
    """One iteration in words and numbers."""
    chosen, ends = iteration.selection, iteration.trajectories
    return {
        "name": "start" if iteration.iteration == 0 else f"iteration {iteration.iteration}",
        "force": text.error(iteration.errors.get("force_rmse_meV_per_A")),
        "energy": text.error(iteration.errors.get("energy_rmse_meV_per_atom")),
        "explored": text.count(sum(chosen.get(k, 0) for k in learn_plots.BANDS)),
        "bands": " / ".join(text.count(chosen.get(k)) for k in learn_plots.BANDS),
        "duplicate": text.count(chosen.get("duplicate")),
        "asked": text.count(iteration.asked),
        "labelled": text.count(iteration.labelled),
        "added": text.count(iteration.added),
        "stage": text.count(iteration.stage) if iteration.iteration else text.DASH,
        "train": text.count(iteration.frames.get("train")),
        "held": text.count(iteration.frames.get("validation")),
        "trajectories": " / ".join(text.count(ends.get(k)) for k in _ENDS),
        "members": f"{iteration.members} of {iteration.members + len(iteration.members_failed)}",
    }


_ENDS = ("complete", "guarded", "failed")


def _picked(number: int, selection: Mapping[str, Any]) -> dict[str, str]:
    frames = selection.get("picked", [])
    kinds = Counter(frame["composition"] for frame in frames)
    values = [frame["deviation"] for frame in frames]
    counts = selection["counts"]
    return {
        "name": f"iteration {number}",
        "picked": text.count(len(frames)),
        "kinds": ", ".join(f"{count} × {name}" for name, count in kinds.items()) or text.DASH,
        "range": f"{min(values):.3g} to {max(values):.3g}" if values else text.DASH,
        "left": text.count(counts["left_over"]),
        "rescued": text.count(counts["rescued"]),
    }


def _incidents(iteration: Iteration) -> list[str]:
    """Everything that went wrong and what a reader must know of it."""
    where = "start" if iteration.iteration == 0 else f"iteration {iteration.iteration}"
    lines = list(iteration.stops)
    lines += [f"no label for {count} frames: {kind}" for kind, count in iteration.rejected.items()]
    lines += list(iteration.members_failed)
    warning = iteration.calibration.get("warning")
    lines += [f"calibration: {warning}"] if warning else []
    return [f"{where}: {line}" for line in lines]
