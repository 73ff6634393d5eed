"""Collect and render the report of a coverage run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.files import read_json
from lamflow.report import coverage_plots, dag_svg, text
from lamflow.report.html import render
from lamflow.report.model import Array, StepRecord
from lamflow.select.coverage import LINES, MAP, VERDICT
from lamflow.select.coverage_summary import headline


@dataclass(frozen=True)
class CoverageReport:
    """What a coverage run has found.

    Attributes
    ----------
    name, status, config_yaml
        The run and its configuration.
    found
        coverage.json of each dataset.
    lines
        All frames as JSON lines, with the dataset's name.
    maps
        Arrays of each dataset's map, see `lamflow.report.coverage_plots.region_map`.
    set_aside
        Frames of each dataset that could not be used.
    model_card
        Card of the model that is judged.
    steps
        Records of the steps.
    """

    name: str
    status: str
    config_yaml: str
    found: Mapping[str, Mapping[str, Any]]
    lines: Sequence[str]
    maps: Mapping[str, Mapping[str, Array]]
    set_aside: Mapping[str, int]
    model_card: Mapping[str, Any]
    steps: Sequence[StepRecord]

    @property
    def totals(self) -> dict[str, int]:
        """Frames by verdict over all datasets."""
        verdicts = ("covered", "borderline", "new")
        counts = {v: sum(one["counts"][v] for one in self.found.values()) for v in verdicts}
        return {"frames": sum(counts.values()), **counts}

    def card(self) -> dict[str, Any]:
        """Describe the run as plain data."""
        keys = ("verdict", "frames", "counts", "fraction_covered", "interval", "head", "next")
        return {
            "kind": "coverage",
            "name": self.name,
            "model": self.model_card["name"],
            "datasets": {n: {key: one[key] for key in keys} for n, one in self.found.items()},
        }


def collect_coverage(
    *,
    name: str,
    config_yaml: str,
    coverages: Mapping[str, Path],
    quarantines: Mapping[str, Path],
    models: Mapping[str, Path],
    steps: Mapping[str, Path],
) -> CoverageReport:
    """Read the products of a run.

    Parameters
    ----------
    coverages
        Per dataset, the folder that `lamflow.select.coverage` wrote.
    quarantines
        Per dataset, what its cleaning set aside.
    models
        Model folders, the one that is judged first.
    steps
        Records of the steps.
    """
    lines, maps = [], {}
    for dataset, folder in coverages.items():
        for line in (folder / LINES).read_text(encoding="utf-8").splitlines():
            lines.append(json.dumps({"dataset": dataset, **json.loads(line)}, ensure_ascii=False))
        with np.load(folder / MAP, allow_pickle=False) as arrays:
            maps[dataset] = {key: arrays[key] for key in arrays.files}
    return CoverageReport(
        name=name,
        status="succeeded",
        config_yaml=config_yaml,
        found={n: read_json(folder / VERDICT) for n, folder in coverages.items()},
        lines=[f"{line}\n" for line in lines],
        maps=maps,
        set_aside={
            n: int(read_json(folder / "summary.json")["quarantined"])
            for n, folder in quarantines.items()
        },
        model_card=read_json(next(iter(models.values())) / "card.json"),
        steps=[StepRecord.from_record(read_json(path)) for path in steps.values()],
    )


def render_coverage(report: CoverageReport) -> str:
    """Write the page: a whole HTML document that needs nothing beside it."""
    starts = [s.started for s in report.steps if s.started is not None and not s.reused]
    ends = [s.finished for s in report.steps if s.finished is not None and not s.reused]
    panels = [coverage_plots.region_map(name, arrays) for name, arrays in report.maps.items()]
    hidden = ("versions", "model", "files")
    return render(
        "coverage.html.j2",
        report=report,
        kind="coverage",
        seconds=max(ends) - min(starts) if starts and ends else None,
        headline="; ".join(f"{name} is {headline(one)}" for name, one in report.found.items()),
        datasets=[_dataset_row(n, one, report.set_aside[n]) for n, one in report.found.items()],
        bars=coverage_plots.share_bars(report.found),
        maps=[panel for panel in panels if panel is not None],
        elements=_rows(report.found, "elements", _element_row),
        sets=_rows(report.found, "element_sets", _set_row),
        regions=_rows(report.found, "regions", _region_row),
        measures=[_measure_row(name, one) for name, one in report.found.items()],
        warnings=[
            f"{name}: {line}" for name, one in report.found.items() for line in one["warnings"]
        ],
        dag=dag_svg.lay_out(report.steps),
        node_size=(dag_svg.NODE_WIDTH, dag_svg.NODE_HEIGHT),
        model_card=list(
            text.flatten({k: v for k, v in report.model_card.items() if k not in hidden})
        ),
    )


def _dataset_row(name: str, one: Mapping[str, Any], set_aside: int) -> dict[str, str]:
    low, high = one["interval"]
    return {
        "name": name,
        "verdict": one["verdict"],
        "frames": text.count(one["frames"]),
        "set_aside": text.count(set_aside),
        "bands": " / ".join(text.count(n) for n in one["counts"].values()),
        "share": f"{one['fraction_covered']:.0%} ({low:.0%} to {high:.0%})",
        "suspect": text.count(one["suspect"]),
        "head": one["head"],
        "next": one["next"]["why"],
    }


def _measure_row(name: str, one: Mapping[str, Any]) -> dict[str, str]:
    mine, usual = one["errors"], one["usual_errors"]
    line = one["calibration"]
    fit = line["deviation"]
    source = f"{text.count(line['frames'])} frames of {', '.join(one['training']['sets'])}"
    return {
        "name": name,
        "signals": ", ".join(one["signals"]),
        "force": _pair(mine, usual, "force_rmse_meV_per_A"),
        "zero": _pair(mine, usual, "zero_force_rmse_meV_per_A"),
        "energy": _pair(mine, usual, "energy_rmse_meV_per_atom"),
        "calibration": f"{source}, {'held out' if line['held_out'] else 'trained on in part'}",
        "expected": f"{fit['slope']:.2f} × deviation ({fit['method']})" if fit else text.DASH,
    }


def _pair(mine: Mapping[str, Any], usual: Mapping[str, Any], key: str) -> str:
    return f"{text.error(mine[key])} (usual {text.error(usual[key])})"


def _rows(found: Mapping[str, Mapping[str, Any]], key: str, row: Any) -> list[dict[str, str]]:
    rows = []
    for name, one in found.items():
        entries = one[key].items() if isinstance(one[key], dict) else enumerate(one[key])
        rows += [{"dataset": name, **row(label, entry)} for label, entry in entries]
    return rows


def _element_row(symbol: str, entry: Mapping[str, Any]) -> dict[str, str]:
    return {
        "element": symbol,
        "verdict": entry["verdict"] if entry["trained"] else "new: not in the training data",
        "frames": text.count(entry["frames"]),
        "share": f"{entry['fraction_covered']:.0%}",
        **{
            signal: _times(entry[f"{signal}_over_limit"])
            for signal in ("error", "deviation", "distance")
        },
    }


def _times(value: float | None) -> str:
    return text.DASH if value is None else f"{value:.2g}"


def _set_row(_: int, entry: Mapping[str, Any]) -> dict[str, str]:
    return {
        "elements": entry["elements"],
        "trained": "yes" if entry["trained"] else "no",
        "frames": text.count(entry["frames"]),
        "share": f"{entry['fraction_covered']:.0%}",
    }


def _region_row(_: int, entry: Mapping[str, Any]) -> dict[str, str]:
    example = entry["example"]
    return {
        "frames": f"{entry['frames']} ({entry['new']} new)",
        "compositions": ", ".join(entry["compositions"]),
        "example": f"{example['system']} frame {example['frame']}",
        "why": entry["why"],
    }
