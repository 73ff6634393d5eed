"""From the products of a run's steps to what its report shows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lamflow.evaluate.table import weighted_errors
from lamflow.files import read_json
from lamflow.report.model import Array, PretrainReport, StepRecord
from lamflow.train.curve import read_curve


def collect_metrics(errors: Mapping[str, Path], weights: Mapping[str, float]) -> dict[str, Any]:
    """Put the errors of all heads and their weighted mean together: ``metrics.json``.

    Parameters
    ----------
    errors
        Per head, the JSON file that `lamflow.evaluate.head` wrote.
    weights
        Per head, how much it counts.
    """
    heads = {name: read_json(path) for name, path in errors.items()}
    baselines = {name: head["baseline"] for name, head in heads.items()}
    weighted = {**weighted_errors(heads, weights), "baseline": weighted_errors(baselines, weights)}
    return {"heads": heads, "weighted": weighted}


def collect_pretrain(
    *,
    name: str,
    config_yaml: str,
    metrics: Mapping[str, Any],
    weights: Mapping[str, float],
    steps: Mapping[str, Path],
    data: Mapping[str, Path],
    quarantines: Mapping[str, Path],
    models: Mapping[str, Path],
    parity: Mapping[str, Path],
) -> PretrainReport:
    """Read the products of a pretraining run.

    Parameters
    ----------
    metrics
        See `collect_metrics`.
    steps
        Records (``step.json``) of the steps so far.
    data
        Per head, the folder with the parts of its dataset.
    quarantines
        Per head, what its cleaning set aside.
    models
        Model folders of the committee, by member.
    parity
        Per head, the npz of parity points.
    """
    cards = {member: read_json(folder / "card.json") for member, folder in models.items()}
    first = next(iter(cards.values()))
    return PretrainReport(
        name=name,
        status="succeeded",
        config_yaml=config_yaml,
        steps=[StepRecord.from_record(read_json(path)) for path in steps.values()],
        datasets=[
            {**_dataset(data[head], quarantines[head]), "name": head, "weight": weights[head]}
            for head in data
        ],
        curves={
            f"seed {card['seed']}": read_curve(models[member] / "lcurve.out", next(iter(data)))
            for member, card in cards.items()
        },
        metrics=metrics,
        parity={head: _parity(path) for head, path in parity.items()},
        model_card={key: value for key, value in first.items() if key not in ("versions", "model")},
        versions={**first["versions"], "device": first["device"], "seed": first["seed"]},
    )


def _dataset(parts: Path, quarantine: Path) -> dict[str, Any]:
    clean = read_json(quarantine / "summary.json")
    split = read_json(parts / "summary.json")
    return {
        **read_json(parts / "train/card.json"),
        "frames": clean["frames_in"],
        "clean": {**clean, "reasons": clean["by_code"]},
        "split": {**split, "parts": split["frames"]},
    }


def _parity(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as points:
        return {quantity: points[quantity].astype(np.float64) for quantity in points.files}
