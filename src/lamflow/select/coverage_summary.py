"""What a comparison of a dataset with a model comes to: shares, what is new, the next step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lamflow.data.frames import IntArray
from lamflow.select.calibrate import Calibration, calibrate
from lamflow.select.survey import Survey
from lamflow.select.taught import Taught
from lamflow.select.verdict import (
    BORDERLINE,
    COVERED,
    FEWEST_CALIBRATION,
    LABEL_SIGNALS,
    MODEL_SIGNALS,
    NEW,
    VERDICTS,
    Judged,
    Yardstick,
    verdict_of,
    wilson_interval,
)

_REGIONS = 12
_FEW_GROUPS = 10
_MILLI = 1000.0
_WORDS = {
    "error": ("force error", "eV/Å"),
    "relative": ("force error over typical force", ""),
    "energy": ("energy error", "eV/atom"),
    "deviation": ("committee deviation", "eV/Å"),
    "distance": ("distance in descriptor space", ""),
}


@dataclass(frozen=True, eq=False)
class Assessed:
    """A dataset that was compared with a model.

    Attributes
    ----------
    head, members
        Head of the model, and the number of members of its committee.
    taught
        What it was trained on.
    yardstick
        What is usual.
    seen, judged
        What the model says about the frames, and what follows.
    groups
        (nframes,) number of each frame's group of near-identical frames.
    """

    head: str
    members: int
    taught: Taught
    yardstick: Yardstick
    seen: Survey
    judged: Judged
    groups: IntArray

    @cached_property
    def slope(self) -> Calibration:
        """What a deviation of the committee stands for, fitted to the calibration frames."""
        usual = self.yardstick.calibration
        return calibrate(usual.whole("deviation"), usual.whole("error"))

    @cached_property
    def _limits(self) -> dict[str, Any]:
        return {signal: self.yardstick.limits(signal) for signal in self.judged.signals}

    def why(self, index: int) -> str:
        """Say why a frame is not covered; empty if it is."""
        seen, judged = self.seen, self.judged
        if judged.bands[index] == COVERED:
            return ""
        if judged.strange[index]:
            trained = set(self.taught.elements)
            has = [s for s, n in zip(seen.symbols, seen.counts[index], strict=True) if n]
            names = ", ".join(symbol for symbol in has if symbol not in trained)
            return f"the model was not trained on {names}"
        labelled = np.isfinite(judged.by_label[index])
        group = LABEL_SIGNALS if labelled else MODEL_SIGNALS
        worst = self._worst(index, group) or self._worst(index, MODEL_SIGNALS)
        text = worst or "nothing could be measured"
        if labelled and worst and judged.bands[index] == BORDERLINE and judged.scores[index] <= 1:
            text = "predicted well, but " + (self._worst(index, MODEL_SIGNALS) or text)
        if judged.suspect[index]:
            text += "; structure and committee are as usual: look at the label"
        return text

    def _worst(self, index: int, signals: Sequence[str]) -> str:
        """The signal and element that are furthest above their limit."""
        found: tuple[float, str] = (0.0, "")
        for signal in signals:
            if signal not in self._limits:
                continue
            ratios = getattr(self.seen, signal)[index] / self._limits[signal]
            if not np.isfinite(ratios).any():
                continue
            column = int(np.nanargmax(ratios))
            words, unit = _WORDS[signal]
            value = getattr(self.seen, signal)[index, column]
            place = "" if signal == "energy" else f" on {self.seen.symbols[column]}"
            text = (
                f"{words}{place} is {value:.3g}{' ' + unit if unit else ''}, "
                f"{ratios[column]:.2g} times the limit"
            )
            found = max(found, (float(ratios[column]), text))
        return found[1]

    def element_verdicts(self, index: int) -> dict[str, str]:
        """Verdict on the atoms of each element of a frame."""
        row = self.judged.elements[index]
        return {
            symbol: VERDICTS[band]
            for symbol, band in zip(self.seen.symbols, row.tolist(), strict=True)
            if band >= 0
        }


def summarise(
    assessed: Assessed, picked: IntArray, candidates: IntArray, regions: IntArray
) -> dict[str, Any]:
    """Put everything into plain data, as it is written to ``coverage.json``.

    Parameters
    ----------
    assessed
        The comparison.
    picked
        Frames worth adding, in the order of picking.
    candidates, regions
        Frames that are not covered, and for each of them the pick that it is nearest to.
    """
    seen, judged, taught = assessed.seen, assessed.judged, assessed.taught
    confidence = assessed.yardstick.confidence
    groups = int(assessed.groups.max()) + 1
    covered = int((judged.bands == COVERED).sum())
    share = covered / seen.nframes
    interval = wilson_interval(share, groups)
    counts = {name: int((judged.bands == band).sum()) for band, name in enumerate(VERDICTS)}
    new = counts[VERDICTS[NEW]] / seen.nframes
    verdict = verdict_of(share, new, interval, assessed.yardstick.expected)
    elements = _elements(assessed)
    labelled = int(seen.labelled.sum())
    return {
        "verdict": verdict,
        "frames": seen.nframes,
        "counts": counts,
        "suspect": int(judged.suspect.sum()),
        "labelled": labelled,
        "groups": groups,
        "fraction_covered": share,
        "interval": list(interval),
        "interval_is": (
            "95 % Wilson score interval; the number of groups of near-identical frames counts as "
            "the number of trials"
        ),
        "confidence": confidence,
        "expected": assessed.yardstick.expected,
        "head": assessed.head,
        "members": assessed.members,
        "signals": list(judged.signals),
        "training": {"sets": list(taught.sets), "frames": taught.frames},
        "calibration": {
            "frames": assessed.yardstick.calibration.nframes,
            "held_out": taught.held_out,
            "deviation": assessed.slope.as_dict() if assessed.members > 1 else None,
        },
        "errors": _errors(seen),
        "usual_errors": _errors(assessed.yardstick.calibration),
        "elements": elements,
        "new_elements": [s for s, one in elements.items() if not one["trained"]],
        "element_sets": _element_sets(assessed),
        "regions": _regions(assessed, picked, candidates, regions),
        "subset": {"frames": len(picked), "candidates": len(candidates)},
        "next": next_step(verdict, labelled, groups, len(picked), int(judged.suspect.sum())),
        "warnings": [*taught.warnings, *_warnings(assessed)],
    }


def next_step(
    verdict: str, labelled: int, groups: int, picked: int, suspect: int
) -> dict[str, Any]:
    """Recommend what to do: ``nothing``, ``finetune`` with `frames` frames, or ``label`` more."""
    clean = (
        f" {suspect} frames have labels that look wrong: clean them first (kind: clean)."
        if suspect
        else ""
    )
    if verdict == VERDICTS[COVERED]:
        why = "as much is covered as of data like the training set"
        return {"step": "nothing", "frames": 0, "why": f"{why}.{clean}"}
    if not labelled:
        why = f"label the {picked} frames in subset/, then fine-tune on them (kind: learn)"
        return {"step": "label", "frames": picked, "why": f"{why}.{clean}"}
    if groups < _FEW_GROUPS:
        why = (
            f"only {groups} different frames are not enough to learn from: explore and label more "
            "like them (kind: learn), or add labelled data"
        )
        return {"step": "label", "frames": picked, "why": f"{why}.{clean}"}
    why = f"fine-tune with the {picked} frames in subset/ (kind: finetune)"
    return {"step": "finetune", "frames": picked, "why": f"{why}.{clean}"}


def _elements(assessed: Assessed) -> dict[str, dict[str, Any]]:
    """Frames with each element, how many of them are covered as to its atoms, and the verdict."""
    found = {}
    trained = set(assessed.taught.elements)
    expected = assessed.yardstick.expected
    for column, symbol in enumerate(assessed.seen.symbols):
        bands = assessed.judged.elements[:, column]
        mine = bands >= 0
        if not mine.any():
            continue
        share = float((bands[mine] == COVERED).mean())
        groups = len(np.unique(assessed.groups[mine]))
        new = float((bands[mine] == NEW).mean())
        verdict = verdict_of(share, new, wilson_interval(share, groups), expected)
        found[symbol] = {
            "verdict": verdict if symbol in trained else VERDICTS[NEW],
            "trained": symbol in trained,
            "frames": int(mine.sum()),
            "fraction_covered": share,
            **{
                f"{signal}_over_limit": _median(assessed, signal, column)
                for signal in ("error", "deviation", "distance")
            },
        }
    return found


def _median(assessed: Assessed, signal: str, column: int) -> float | None:
    values = getattr(assessed.seen, signal)[:, column]
    values = values[np.isfinite(values)]
    limit = assessed.yardstick.limits(signal)[column]
    if not len(values) or not np.isfinite(limit):
        return None
    return float(np.median(values) / limit)


def _element_sets(assessed: Assessed) -> list[dict[str, Any]]:
    """Sets of elements that frames have, the least covered first."""
    seen = assessed.seen
    rows, which = np.unique(seen.counts > 0, axis=0, return_inverse=True)
    found: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        names = [symbol for symbol, has in zip(seen.symbols, row, strict=True) if has]
        mine = which.ravel() == number
        found.append({
            "elements": "-".join(names),
            "trained": frozenset(names) in assessed.taught.kinds,
            "frames": int(mine.sum()),
            "fraction_covered": float((assessed.judged.bands[mine] == COVERED).mean()),
        })  # fmt: skip
    return sorted(found, key=lambda one: (one["fraction_covered"], -one["frames"]))


def _regions(
    assessed: Assessed, picked: IntArray, candidates: IntArray, regions: IntArray
) -> list[dict[str, Any]]:
    """Where frames are not covered: each pick with those around it, the largest first."""
    seen, judged = assessed.seen, assessed.judged
    found: list[dict[str, Any]] = []
    for number, pick in enumerate(picked.tolist()):
        mine = candidates[regions == number]
        system, frame = seen.places[pick]
        found.append({
            "frames": len(mine),
            "new": int((judged.bands[mine] == NEW).sum()),
            "compositions": sorted({seen.compositions[index] for index in mine.tolist()})[:5],
            "example": {"system": system, "frame": frame},
            "why": assessed.why(pick),
        })  # fmt: skip
    return sorted(found, key=lambda one: -one["frames"])[:_REGIONS]


def _errors(seen: Survey) -> dict[str, float | None]:
    """Zero-shot errors over all frames; energies after the references were refitted."""

    def root(values: Any) -> float | None:
        finite = values[np.isfinite(values)]
        return _MILLI * float(np.sqrt(np.mean(finite))) if len(finite) else None

    has = np.isfinite(seen.force_error_squares)
    weights = np.where(has, seen.counts.sum(axis=1), 0)

    def per_component(squares: Any) -> float | None:
        if not has.any():
            return None
        return _MILLI * float(np.sqrt((squares[has] @ weights[has]) / weights[has].sum()))

    return {
        "energy_rmse_meV_per_atom": root(np.square(seen.energy[:, 0])),
        "force_rmse_meV_per_A": per_component(seen.force_error_squares),
        "zero_force_rmse_meV_per_A": per_component(seen.force_squares),
    }


def _warnings(assessed: Assessed) -> list[str]:
    found = []
    if assessed.members == 1:
        found.append("one model is no committee: there is no deviation, the descriptor decides")
    elif assessed.slope.warning:
        found.append(f"calibration: {assessed.slope.warning}")
    frames = assessed.yardstick.calibration.nframes
    if frames < 10 * FEWEST_CALIBRATION:
        found.append(
            f"{frames} calibration frames are few: the limits are uncertain by about "
            f"{100 / np.sqrt(frames):.0f} %"
        )
    return found


def headline(found: Mapping[str, Any]) -> str:
    """Say the verdict in a sentence."""
    low, high = found["interval"]
    counts = found["counts"]
    return (
        f"{found['verdict']}: {found['fraction_covered']:.0%} of {found['frames']} frames are "
        f"covered (95 % interval {low:.0%} to {high:.0%}), {counts['borderline']} are borderline, "
        f"{counts['new']} new"
    )
