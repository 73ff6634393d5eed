"""Operator: clean a dataset by rules and a committee of models."""

from collections.abc import Mapping

from lamflow.config.datasets import RawDatasetParams
from lamflow.data.card import inherit_card
from lamflow.data.checks.settings import CheckSettings
from lamflow.data.curate import curate_dataset
from lamflow.engine.operator import StepIO, operator


class CurateParams(RawDatasetParams):
    """What to clean and how."""

    settings: CheckSettings = CheckSettings()
    """What to do about each fault."""
    seed: int
    """Deals frames into the folds of the committee."""


@operator(
    params=CurateParams,
    inputs={"raw": "dataset in any format"},
    outputs={
        "dataset": "kept and repaired frames, deepmd/npy/mixed",
        "quarantine": "rejected frames, flags and reasons",
    },
    numbers=("frames_in", "frames_kept", "frames_repaired", "frames_quarantined", "system_faults"),
)
def curate(params: CurateParams, io: StepIO) -> Mapping[str, int]:
    """Check a dataset; good frames go on, wrong ones to quarantine with the reason."""
    done = curate_dataset(
        io.inputs["raw"], io.outputs["dataset"], io.outputs["quarantine"], params.settings,
        params.seed, fmt=params.format, type_map=params.type_map, name=params.name,
        progress=io.progress,
    )  # fmt: skip
    inherit_card(
        io.outputs["dataset"], io.inputs["raw"], dft=params.dft, licence=params.licence,
        source=params.source,
    )  # fmt: skip
    return {
        "frames_in": done.frames_in,
        "frames_kept": done.kept,
        "frames_repaired": done.repaired,
        "frames_quarantined": done.quarantined,
        "system_faults": len(done.faults) + len(done.unreadable),
    }
