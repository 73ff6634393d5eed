"""The report of a distillation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.deploy.package import MODEL, DeploymentCard, read_deployment_card
from lamflow.distill.pick import TRIAL
from lamflow.distill.proof import summary
from lamflow.files import read_json
from lamflow.learn.pick import SELECTION
from lamflow.learn.state import Iteration, LoopState, read_state
from lamflow.report import dag_svg, distill_plots, plots, tables, text
from lamflow.report.compress import difference_rows, file_rows
from lamflow.report.html import render
from lamflow.report.model import Array, StepRecord
from lamflow.train.curve import Curve, read_curve

_HEADS = {
    "student_dft": "student vs DFT",
    "teacher_dft": "teacher vs DFT",
    "student_teacher": "student vs teacher",
}
_MODELS = {"teacher": "teacher", "frozen": "student, frozen", "deployed": "student, deployed"}
_HEAD = "model"


@dataclass(frozen=True)
class DistillReport:
    """Everything that the report shows.

    Attributes
    ----------
    name, status, config_yaml
        The run and its configuration.
    state
        History of the loop.
    trials
        By iteration, the student on its own trajectories (see `lamflow.distill.pick`).
    selections
        By iteration, what was picked.
    errors, dynamics, speed
        See `lamflow.distill.proof` and `lamflow.deploy.speed`.
    parity
        Points of the student's parity plots.
    curve
        Learning curve of the student's last training.
    card
        The deployment's card; `sizes` are the bytes of its files.
    size
        The choice of a size; empty if it was given.
    steps
        Records of the steps.
    """

    name: str
    status: str
    config_yaml: str
    state: LoopState
    trials: Mapping[int, Mapping[str, Any]]
    selections: Mapping[int, Mapping[str, Any]]
    errors: Mapping[str, Mapping[str, Any]]
    dynamics: Mapping[str, Mapping[str, Any]]
    speed: Mapping[str, Sequence[Mapping[str, Any]]]
    parity: Mapping[str, Array]
    curve: Curve
    card: DeploymentCard
    sizes: Mapping[str, int]
    size: Mapping[str, Any]
    steps: Sequence[StepRecord]

    @property
    def ending(self) -> str:
        """Why the loop ended."""
        return self.state.stop or "the budget of iterations is spent, the goal was not met"

    @property
    def summary(self) -> dict[str, Any]:
        """Accuracy, stability and speed in a few numbers."""
        atoms, factor = speedup(self.speed)
        last = self.trials[max(self.trials)] if self.trials else {}
        return {
            **summary(self.errors, self.dynamics),
            "speedup": factor,
            "speedup_atoms": atoms,
            "iterations": self.state.last.iteration,
            "labels": sum(self.state.last.frames.values()),
            "student_driven_force_rmse_meV_per_A": last.get("force_rmse_meV_per_A"),
            "ending": self.ending,
        }

    @property
    def metrics(self) -> dict[str, Any]:
        """Content of ``metrics.json``."""
        first = next(key for key in _HEADS if key in self.errors)
        return {
            "heads": {words: self.errors[k] for k, words in _HEADS.items() if k in self.errors},
            "weighted": self.errors[first],
            "summary": self.summary,
            "dynamics": dict(self.dynamics),
            "speed": dict(self.speed),
        }


def speedup(speed: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[int | None, float | None]:
    """Largest cell that both were timed on, and how many times faster the student is there.

    Processor time of one thread where there is no GPU: other programs do not change it.
    """
    both = list(zip(speed["teacher"], speed["deployed"], strict=False))
    if not both:
        return None, None
    teacher, student = both[-1]
    key = step_time(student)
    return int(student["atoms"]), float(teacher[key]) / float(student[key])


def step_time(row: Mapping[str, Any]) -> str:
    """Key of the time that counts on the row's device."""
    return "cpu_ms" if row["device"] == "cpu" else "wall_ms"


def collect_distill(
    name: str,
    config_yaml: str,
    inputs: Mapping[str, Path],
    groups: Mapping[str, Mapping[str, Path]],
) -> DistillReport:
    """Read the products of a run from the ports of `lamflow.ops.distill_report`."""
    state = read_state(inputs["checked"])
    numbers = [one.iteration for one in state.history if one.iteration]
    with np.load(inputs["parity"], allow_pickle=False) as arrays:
        parity = {quantity: arrays[quantity].astype(np.float64) for quantity in arrays.files}
    card = read_deployment_card(inputs["deploy"])
    return DistillReport(
        name=name,
        status="succeeded",
        config_yaml=config_yaml,
        state=state,
        trials={n: read_json(groups["chosen"][str(n)] / TRIAL) for n in numbers},
        selections={n: read_json(groups["chosen"][str(n)] / SELECTION) for n in numbers},
        errors=read_json(inputs["errors"]),
        dynamics={name: read_json(path) for name, path in groups["dynamics"].items()},
        speed=read_json(inputs["speed"]),
        parity=parity,
        curve=read_curve(inputs["model"] / "lcurve.out", _HEAD),
        card=card,
        sizes={file: (inputs["deploy"] / file).stat().st_size for file in card.files},
        size=read_json(inputs["size"]) if "size" in inputs else {},
        steps=[StepRecord.from_record(read_json(path)) for path in groups["steps"].values()],
    )


def render_distill(report: DistillReport) -> str:
    """Write the page: a whole HTML document that needs nothing beside it."""
    starts = [s.started for s in report.steps if s.started is not None]
    ends = [s.finished for s in report.steps if s.finished is not None]
    return render(
        "distill.html.j2",
        report=report,
        kind="distill",
        seconds=max(ends) - min(starts) if starts and ends else None,
        headline=headline(report),
        errors=tables.error_table(report.metrics, {}),
        elements=_element_rows(report.errors),
        trade_off=distill_plots.trade_off(report.errors, report.speed),
        speed=_speed_rows(report.speed),
        speed_plot=distill_plots.speed(report.speed),
        dynamics=[_dynamics_row(name, one) for name, one in report.dynamics.items()],
        rdf=distill_plots.radial(report.dynamics),
        crystals=[
            row for name, one in report.dynamics.items() for row in _crystal_rows(name, one)
        ],
        rows=[_row(one, report.trials.get(one.iteration, {})) for one in report.state.history],
        loop_plot=distill_plots.loop(report.state.history, report.trials),
        conditions=_condition_rows(report.trials),
        sizes=_size_rows(report.size),
        incidents=[f"iteration {n}: {line}" for n, t in report.trials.items() for line in
                   t.get("stops", [])],
        curves=plots.learning_curves({"student": report.curve}, {}),
        parity=plots.parity({"student": report.parity}),
        differences=difference_rows(report.card),
        files=file_rows(report.card, report.sizes),
        dag=dag_svg.lay_out(report.steps),
        node_size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
        model=list(text.flatten(report.card.model)),
        versions=list(text.flatten(report.card.versions)),
    )  # fmt: skip


def headline(report: DistillReport) -> str:
    """Say in a sentence how fast, how accurate and how stable the student is."""
    brief = report.summary
    parts = [
        f"A student of {report.sizes[MODEL] / 1e6:.2f} MB for {', '.join(report.card.type_map)}"
    ]
    if brief["speedup"] is not None:
        parts.append(f"{brief['speedup']:.1f} times faster than its teacher at "
                     f"{brief['speedup_atoms']} atoms")  # fmt: skip
    if brief["student_over_teacher"] is not None:
        parts.append(f"force error against DFT {brief['student_over_teacher']:.2f} times its "
                     "teacher's")  # fmt: skip
    parts.append(f"{brief['survived']} of {brief['runs']} long runs went to their end")
    return f"{', '.join(parts)}; {report.ending}."


def _element_rows(errors: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    elements = sorted({symbol for one in errors.values() for symbol in one["by_element"]})
    return [
        {"name": symbol}
        | {key: text.error(errors.get(key, {}).get("by_element", {}).get(symbol)) for key in _HEADS}
        for symbol in elements
    ]


def _speed_rows(speed: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, str]]:
    teacher = {row["atoms"]: row for row in speed["teacher"]}
    rows = []
    for key, words in _MODELS.items():
        for row in speed[key]:
            time = step_time(row)
            base = teacher.get(row["atoms"])
            rows.append({
                "name": words, "atoms": text.count(row["atoms"]), "ms": f"{row[time]:.3g}",
                "us": f"{1000 * row[time] / row['atoms']:.3g}", "wall": f"{row['wall_ms']:.3g}",
                "memory": text.count(row["memory_MB"]),
                "factor": f"{base[time] / row[time]:.1f}" if base else text.DASH,
                "device": str(row["device"]),
            })  # fmt: skip
    return rows


def _dynamics_row(name: str, one: Mapping[str, Any]) -> dict[str, str]:
    nve, runs = one["nve"], one["nvt"]
    reached = ", ".join(f"{run['survived_ps']:g} of {run['wanted_ps']:g}" for run in runs)
    stops = "; ".join(run["stop"] for run in runs if run["stop"])
    if "reason" in nve:
        drift = spread = nve["reason"]
    else:
        drift = f"{nve['drift_meV_per_atom_per_ns']:.3g} ({nve['drift_meV_per_atom']:.2g} in " \
                f"{nve['ps']:g} ps)"  # fmt: skip
        spread = f"{nve['spread_meV_per_atom']:.2g}"
    return {
        "name": f"{name} ({one['formula']})", "temperature": f"{runs[0]['temperature_K']:g}",
        "reached": reached, "stops": stops or "none", "drift": drift, "spread": spread,
    }  # fmt: skip


_CRYSTAL = (
    ("eos", "volume_A3_per_atom", "Volume, Å³/atom"),
    ("eos", "bulk_modulus_GPa", "Bulk modulus, GPa"),
    ("elastic", "C11_GPa", "C11, GPa"),
    ("elastic", "C12_GPa", "C12, GPa"),
    ("elastic", "C44_GPa", "C44, GPa"),
)


def _crystal_rows(name: str, one: Mapping[str, Any]) -> list[dict[str, str]]:
    rows = []
    for group, key, words in _CRYSTAL:
        if group not in one:
            continue
        values = {
            who: f"{found[key]:.4g}" if key in found else found["reason"]
            for who, found in one[group].items()
        }
        rows.append({"name": words, "structure": name, **values})
    if "overlap" in one.get("rdf", {}):
        shared = f"{100 * one['rdf']['overlap']:.1f} %"
        rows.append({"name": "g(r) in common", "structure": name, "student": shared,
                     "teacher": text.DASH})  # fmt: skip
    return rows


def _row(iteration: Iteration, trial: Mapping[str, Any]) -> dict[str, str]:
    ends = iteration.trajectories
    return {
        "name": "start" if iteration.iteration == 0 else f"iteration {iteration.iteration}",
        "tested": iteration.tested_on,
        "force": text.error(iteration.errors.get("force_rmse_meV_per_A")),
        "frames": text.count(trial.get("frames")),
        "accurate": f"{100 * trial['accurate']:.0f} %" if trial else text.DASH,
        "trajectories": " / ".join(text.count(ends.get(k)) for k in _FATES),
        "refused": text.count(trial.get("refused")),
        "picked": text.count(iteration.asked),
        "train": text.count(iteration.frames.get("train")),
        "met": ("yes" if trial.get("met") else "no") if trial else text.DASH,
    }


_FATES = ("complete", "guarded", "failed")


def _condition_rows(trials: Mapping[int, Mapping[str, Any]]) -> list[dict[str, str]]:
    return [
        {
            "name": f"iteration {number}", "condition": condition,
            "frames": text.count(one["frames"]), "force": text.error(one["force_rmse_meV_per_A"]),
            "energy": text.error(one["energy_rmse_meV_per_atom"]),
            "fates": " / ".join(text.count(one[k]) for k in _FATES),
        }
        for number, trial in trials.items()
        for condition, one in trial["conditions"].items()
    ]  # fmt: skip


def _size_rows(size: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"name": preset, "force": text.error(error),
         "chosen": "chosen" if preset == size["preset"] else ""}
        for preset, error in size.get("force_rmse_meV_per_A", {}).items()
    ]  # fmt: skip
