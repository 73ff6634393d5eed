"""Operator: check a dataset and set bad frames aside."""

from collections.abc import Mapping

from lamflow.config.clean import CleanSettings
from lamflow.config.datasets import RawDatasetParams
from lamflow.data.card import inherit_card
from lamflow.data.clean import clean_dataset
from lamflow.data.dataset import Dataset
from lamflow.engine.operator import StepIO, operator


class CleanParams(RawDatasetParams):
    """What to clean and how."""

    settings: CleanSettings = CleanSettings()
    """What is checked and what is done about it."""


@operator(
    params=CleanParams,
    inputs={"raw": "dataset in any format"},
    outputs={
        "dataset": "good frames, deepmd/npy/mixed",
        "quarantine": "rejected frames and reasons",
    },
    numbers=("frames_in", "frames_kept", "frames_quarantined"),
)
def clean(params: CleanParams, io: StepIO) -> Mapping[str, int]:
    """Check a dataset; good frames go on, bad ones to quarantine with the reason."""
    raw = Dataset.open(io.inputs["raw"], fmt=params.format, type_map=params.type_map)
    dataset = io.outputs["dataset"]
    summary = clean_dataset(
        raw, dataset, io.outputs["quarantine"], params.settings,
        name=params.name, progress=io.progress,
    )  # fmt: skip
    inherit_card(
        dataset, io.inputs["raw"], dft=params.dft, licence=params.licence, source=params.source
    )
    return {
        "frames_in": summary.frames_in,
        "frames_kept": summary.kept,
        "frames_quarantined": summary.quarantined,
    }
