"""Operators: what is trained on beside new data, so that old heads stay as they are."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from lamflow.config.base import StrictModel
from lamflow.data.card import read_card
from lamflow.engine.operator import StepIO, operator
from lamflow.train.finetuning import pseudo_replay
from lamflow.train.given import open_model
from lamflow.train.replay import replay_subset

_NUMBERS = ("frames", "shared", "total")


class ReplayParams(StrictModel):
    """What to take."""

    frames: int
    """How many frames."""
    seed: int
    """Draws the first one."""


@operator(
    params=ReplayParams,
    inputs={"data": "parts of the pretraining dataset"},
    groups={"new": "parts of each new dataset"},
    outputs={"replay": "train/: the frames to replay"},
    numbers=_NUMBERS,
)
def replay(params: ReplayParams, io: StepIO) -> Mapping[str, int]:
    """Take a diverse part of pretraining data that shares elements with the new data."""
    cards = [read_card(parts / "train") for parts in io.groups["new"].values()]
    elements = {element for card in cards for element in card.elements}
    return asdict(
        replay_subset(
            io.inputs["data"] / "train", io.outputs["replay"] / "train", elements, params.frames,
            np.random.default_rng(params.seed),
        )
    )  # fmt: skip


class PseudoReplayParams(StrictModel):
    """Whose answers."""

    head: str
    """Head of the pretrained model."""


@operator(
    params=PseudoReplayParams,
    inputs={"model": "pretrained model folder"},
    groups={"new": "parts of each new dataset"},
    outputs={"replay": "train/: new frames with the old head's answers"},
    numbers=_NUMBERS,
)
def pseudo(params: PseudoReplayParams, io: StepIO) -> Mapping[str, int]:
    """Label the new frames with what an old head says of them."""
    model = open_model(io.inputs["model"])
    return asdict(
        pseudo_replay(model, params.head, io.groups["new"], io.outputs["replay"], io.scratch)
    )
