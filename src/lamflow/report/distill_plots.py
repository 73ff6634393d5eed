"""The plots of a distillation's report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lamflow.learn.state import Iteration
from lamflow.report.palette import MUTED, SERIES
from lamflow.report.plots import Panel, new_axes
from lamflow.report.svg import to_markup
from lamflow.report.text import error, finite

_SIZE = (2.9, 2.5)
_COLOURS = {"teacher": SERIES[1], "frozen": SERIES[5], "deployed": SERIES[0]}
_WORDS = {"teacher": "teacher", "frozen": "student, frozen", "deployed": "student, deployed"}
_STUDENT, _TEACHER = SERIES[0], SERIES[1]
_FORCE = "force_rmse_meV_per_A"


def _time(row: Mapping[str, Any]) -> float:
    return float(row["cpu_ms"] if row["device"] == "cpu" else row["wall_ms"])


def trade_off(
    errors: Mapping[str, Mapping[str, Any]], speed: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Panel | None:
    """Draw error against the time of a step at the largest size that all were timed on."""
    common = min((len(rows) for rows in speed.values()), default=0)
    if not common or "student_dft" not in errors:
        return None
    figure, axes = new_axes(_SIZE)
    said = []
    for key, source in (("teacher", "teacher_dft"), ("deployed", "student_dft")):
        row = speed[key][common - 1]
        time, value = _time(row), float(errors[source][_FORCE])
        axes.plot([time], [value], marker="o", color=_COLOURS[key], linestyle="none")
        axes.annotate(_WORDS[key], (time, value), textcoords="offset points", xytext=(0, 7),
                      ha="center", color=MUTED)  # fmt: skip
        said.append(f"{_WORDS[key]} {time:.3g} ms, {error(value)} meV/Å")
    axes.set_xscale("log")
    axes.margins(0.5)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"time of a step, {speed['teacher'][common - 1]['atoms']} atoms (ms)")
    axes.set_ylabel("force RMSE against DFT (meV/Å)")
    caption = "; ".join(said)
    return Panel("Accuracy and speed", to_markup(figure, "trade-off", caption), caption)


def speed(table: Mapping[str, Sequence[Mapping[str, Any]]]) -> Panel:
    """Draw the time of a step against the number of atoms."""
    figure, axes = new_axes(_SIZE)
    for key, rows in table.items():
        axes.plot([row["atoms"] for row in rows], [_time(row) for row in rows], marker="o",
                  markersize=4, color=_COLOURS[key], label=_WORDS[key])  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("atoms")
    axes.set_ylabel("time of a step (ms)")
    axes.legend(frameon=False)
    caption = "one thread, or the GPU; both axes logarithmic"
    return Panel(
        "Speed", to_markup(figure, "speed", f"Time of a step by atoms, {caption}"), caption
    )


def radial(dynamics: Mapping[str, Mapping[str, Any]]) -> list[Panel]:
    """Draw g(r) of student and teacher for each structure that has one."""
    panels: list[Panel] = []
    for name, one in dynamics.items():
        rdf = one.get("rdf", {})
        if "r_A" not in rdf:
            continue
        figure, axes = new_axes(_SIZE)
        axes.plot(rdf["r_A"], rdf["teacher"], color=_TEACHER, linewidth=2.2, alpha=0.6,
                  label="teacher")  # fmt: skip
        axes.plot(rdf["r_A"], rdf["student"], color=_STUDENT, linewidth=1, label="student")
        axes.set_xlabel("r (Å)")
        axes.set_ylabel("g(r)")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        caption = f"{100 * rdf['overlap']:.1f} % of the pairs in common"
        picture = to_markup(figure, f"rdf-{len(panels)}", f"Radial distribution, {name}: {caption}")
        panels.append(Panel(name, picture, caption))
    return panels


def loop(history: Sequence[Iteration], trials: Mapping[int, Mapping[str, Any]]) -> Panel | None:
    """Draw the error on the student's own trajectories by iteration, each condition a line."""
    if not trials:
        return None
    figure, axes = new_axes(_SIZE)
    numbers = sorted(trials)
    names = list(dict.fromkeys(name for n in numbers for name in trials[n]["conditions"]))
    for index, name in enumerate(names):
        values = [finite(trials[n]["conditions"].get(name, {}).get(_FORCE)) for n in numbers]
        shown = np.array([np.nan if value is None else value for value in values])
        axes.plot(numbers, shown, marker="o", markersize=4, color=SERIES[index % len(SERIES)],
                  label=name)  # fmt: skip
    axes.set_xticks(numbers)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("iteration")
    axes.set_ylabel("force RMSE against teacher (meV/Å)")
    axes.legend(frameon=False)
    first, last = (error(trials[n][_FORCE]) for n in (numbers[0], numbers[-1]))
    caption = f"{first} to {last} meV/Å on trajectories that the student drives"
    return Panel("Loop", to_markup(figure, "loop", caption), caption)
