"""`kind: pretrain`: a multi-task model from several datasets."""

from typing import Annotated, Literal

from pydantic import Field

from lamflow.config.base import Integer, Name, StrictModel
from lamflow.config.clean import CleanSettings
from lamflow.config.datasets import TaskDatasets
from lamflow.config.model import Model
from lamflow.config.run import Profiles, RunSettings
from lamflow.config.split import SplitSettings
from lamflow.config.train import TrainSettings


class PretrainConfig(StrictModel):
    """Clean and split datasets, train one model with a head for each, evaluate and report."""

    kind: Literal["pretrain"]
    """What to do."""
    name: Annotated[Name, Field(examples=["my-model"])]
    """Name of the run and its folder: lower case letters, digits, - and _."""
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = 1
    """Seed of all randomness: split, initial weights, order of batches."""
    datasets: Annotated[TaskDatasets, Field(examples=[[{"name": "water", "path": "data/water"}]])]
    """What to train on; each dataset becomes a head of the model."""
    model: Annotated[Model, Field(examples=["dpa1-tiny"])]
    """A preset's name, or a mapping that overrides parts of one."""
    train: Annotated[TrainSettings, Field(examples=[{"steps": 2000}])]
    """How to train."""
    split: SplitSettings = SplitSettings()
    """How to hold out frames."""
    clean: CleanSettings = CleanSettings()
    """What to check before training."""
    run: RunSettings = RunSettings()
    """Time limits and retries."""
    resources: Profiles = Field(default_factory=dict)
    """Where and on what the steps run in a cluster, by profile."""
