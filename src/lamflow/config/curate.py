"""`kind: clean`: check datasets like an expert, set wrong frames aside, split what is left."""

from typing import Annotated, Literal

from pydantic import Field

from lamflow.config.base import Integer, Name, StrictModel
from lamflow.config.datasets import Datasets
from lamflow.config.run import Profiles, RunSettings
from lamflow.config.split import SplitSettings
from lamflow.data.checks.settings import CheckSettings


class CleanConfig(StrictModel):
    """Check each dataset by rules and models; keep, repair or quarantine each frame; split."""

    kind: Literal["clean"]
    """What to do."""
    name: Annotated[Name, Field(examples=["my-clean-data"])]
    """Name of the run and its folder: lower case letters, digits, - and _."""
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = 1
    """Seed of all randomness: folds of the committee and the split."""
    datasets: Annotated[Datasets, Field(examples=[[{"name": "water", "path": "data/water"}]])]
    """What to clean; all of them side by side."""
    checks: CheckSettings = CheckSettings()
    """What to do about each fault."""
    split: SplitSettings = SplitSettings()
    """How to hold out frames of what is kept."""
    run: RunSettings = RunSettings()
    """Time limits and retries."""
    resources: Profiles = Field(default_factory=dict)
    """Where and on what the steps run in a cluster, by profile."""
