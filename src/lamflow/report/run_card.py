"""The card of a run: which data and settings made which model, and how good it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lamflow.files import sha256_file, sha256_json
from lamflow.report.model import PretrainReport


def make_run_card(report: PretrainReport, models: Mapping[str, Path]) -> dict[str, Any]:
    """Describe a run as plain data, small enough to read.

    Parameters
    ----------
    report
        What the run's report shows.
    models
        Model folders by committee member; their cards hold the hashes of their files.
    """
    return {
        "kind": "pretrain",
        "name": report.name,
        "config_sha256": sha256_json(report.config_yaml),
        "datasets": {
            str(card["name"]): {
                "parents": card["parents"],
                "train_sha256": card["sha256"],
                "licence": card["licence"],
                "source": card["source"],
                "frames": card["split"]["parts"],
                "quarantined": card["clean"]["quarantined"],
            }
            for card in report.datasets
        },
        "models": {name: sha256_file(folder / "card.json") for name, folder in models.items()},
        "versions": dict(report.versions),
        "step_seconds": round(sum(step.seconds or 0.0 for step in report.steps), 1),
        "metrics": report.metrics["weighted"],
    }
