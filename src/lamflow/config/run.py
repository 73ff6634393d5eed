"""How a run goes on: limits, retries and resources. No result depends on these."""

from typing import Annotated

from pydantic import Field

from lamflow.config.base import (
    Integer,
    JsonObject,
    Name,
    PositiveInteger,
    PositiveNumber,
    StrictModel,
)

_LABEL_VALUE = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
_RESOURCE = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"


class RunSettings(StrictModel):
    """Limits of each step of the run."""

    timeout: PositiveNumber = 1440.0
    """Longest time of one attempt of a step, minutes."""
    retries: Annotated[Integer, Field(ge=0, le=20)] = 2
    """Further attempts after a fault that may pass, such as a lost connection."""
    parallel: PositiveInteger | None = None
    """Steps at the same time; without it, as many as there are processors or pods."""
    priority: Annotated[Integer, Field(ge=-1000, le=1000)] | None = None
    """Of the runs that wait on a cluster the one with the highest goes first."""


class Resources(StrictModel):
    """What a step needs where it runs on a cluster; the local engine uses timeout and retries."""

    image: str | None = None
    """Container image."""
    cpu: PositiveNumber | None = None
    """Processors."""
    memory: PositiveNumber | None = None
    """Main memory, GiB."""
    memory_after_oom: PositiveNumber | None = None
    """Main memory of the next attempt after one that ran out of it, GiB."""
    gpu: Annotated[Integer, Field(ge=0)] | None = None
    """GPUs; without it, one for each of train.processes."""
    gpu_type: Annotated[str, Field(pattern=_LABEL_VALUE)] | None = None
    """Product name of the GPUs, as NVIDIA's feature discovery labels nodes
    (nvidia.com/gpu.product), such as NVIDIA-H100-80GB-HBM3."""
    gpu_resource: Annotated[str, Field(pattern=_RESOURCE)] = "nvidia.com/gpu"
    """What Kubernetes calls the GPUs, such as amd.com/gpu or nvidia.com/mig-1g.10gb."""
    nodes: Annotated[Integer, Field(ge=1, le=64)] | None = None
    """Pods that train one model together, each with this much; see docs/operations.md."""
    shared_memory: PositiveNumber | None = None
    """Shared memory for data loaders, GiB."""
    timeout: PositiveNumber | None = None
    """Longest time of one attempt, minutes; instead of run.timeout."""
    retries: Annotated[Integer, Field(ge=0, le=20)] | None = None
    """Further attempts after a passing fault; instead of run.retries."""
    priority_class: str | None = None
    """Kubernetes PriorityClass, such as lamflow-training of k8s/base."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels that the node must have."""
    tolerations: tuple[JsonObject, ...] = ()
    """Kubernetes tolerations."""
    affinity: JsonObject = Field(default_factory=dict)
    """Kubernetes affinity."""
    volumes: dict[str, str] = Field(default_factory=dict)
    """Persistent volume claims: name of the claim to path in the container."""
    secrets: tuple[str, ...] = ()
    """Names of Kubernetes Secrets whose keys become environment variables."""


Profiles = dict[Name, Resources]
"""Resources by profile (`cpu`: the light steps, `train`), by operator (`label`) or by step."""
