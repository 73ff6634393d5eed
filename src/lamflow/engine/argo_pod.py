"""What a step asks of a cluster: its pod's resources, volumes, security and retries."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from lamflow.config.document import suggest
from lamflow.config.run import Resources
from lamflow.engine.graph import Step
from lamflow.engine.step import SCRATCH
from lamflow.errors import InputError, Problem

Given = Mapping[str, Resources]
"""Resources by profile, operator or step, as the user gives them."""

_SCRATCH_VOLUME = "/scratch"
# Kubernetes' "restricted" pod standard, plus a root file system that can't be written.
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
# Argo's own containers beside the step's meet the standard, too, whatever the cluster's defaults.
_ARGO_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
POD_PATCH = {
    "initContainers": [{"name": "init", "securityContext": _ARGO_SECURITY}],
    "containers": [{"name": "wait", "securityContext": _ARGO_SECURITY}],
}
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "fsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_DEFAULTS = {
    "cpu": Resources(cpu=1, memory=4),
    "train": Resources(cpu=4, memory=16, gpu=1, shared_memory=4),
}
_GPU_PRODUCT = "nvidia.com/gpu.product"


def resources_of(step: Step, given: Given) -> Resources:
    """Merge what the profile and the user's entries ask for; the narrowest entry wins."""
    chosen = _DEFAULTS.get(step.operator.profile, Resources()).model_dump()
    if chosen["gpu"]:
        chosen["gpu"] = _processes(step)
    for name in _names(step):
        if name in given:
            chosen |= given[name].model_dump(exclude_defaults=True)
    return Resources.model_validate(chosen)


def _processes(step: Step) -> int:
    """Processes that train together: what operators that train have among their settings."""
    settings = getattr(step.params, "settings", None)
    return int(settings.get("processes", 1)) if isinstance(settings, Mapping) else 1


def _names(step: Step) -> tuple[str, ...]:
    """Names under which a user may give resources to a step, the narrowest last."""
    return step.operator.profile, step.operator.name, step.name


def check_resources(steps: Collection[Step], given: Given) -> None:
    """Refuse resources that no step would get, such as those under a misspelt name.

    Raises
    ------
    InputError
        With a problem for each such name.
    """
    known = sorted({name for step in steps for name in _names(step)} | set(_DEFAULTS))
    problems = [
        Problem(
            f"resources.{name}",
            "",
            f"no profile, operator or step is called so{suggest(name, known)}; "
            f"there are {', '.join(known)}",
        )
        for name in given
        if name not in known
    ]
    training = {name for step in steps if step.operator.profile == "train" for name in _names(step)}
    problems += [
        Problem(f"resources.{name}.nodes", "", "only steps that train can have several pods")
        for name, wanted in given.items()
        if (wanted.nodes or 1) > 1 and name in known and name not in training
    ]
    if problems:
        raise InputError(*problems)


def finish_pod(
    template: dict[str, Any],
    step: Step,
    wanted: Resources,
    *,
    timeout_s: float | None,
    retries: int,
    knows_last_retry: bool,
) -> None:
    """Put into a step's template what dflow leaves out; `wanted` goes before time and retries."""
    script = template["script"]
    script["securityContext"] = _CONTAINER_SECURITY
    script["resources"] = _kubernetes_resources(wanted)
    script["env"] = _environment(step, wanted)
    script["envFrom"] = [{"secretRef": {"name": name}} for name in wanted.secrets]
    volumes = _volumes(wanted)
    script["volumeMounts"] = [{"name": v["name"], "mountPath": path} for v, path in volumes]
    timeout = wanted.timeout * 60 if wanted.timeout else timeout_s
    template |= {
        "volumes": [volume for volume, _ in volumes],
        "nodeSelector": wanted.node_selector
        | ({_GPU_PRODUCT: wanted.gpu_type} if wanted.gpu_type else {}),
        "tolerations": list(wanted.tolerations),
        "affinity": wanted.affinity,
        "priorityClassName": wanted.priority_class,
        "podSpecPatch": _memory_patch(wanted, knows_last_retry=knows_last_retry),
        "timeout": f"{timeout:.0f}s" if timeout else None,
        "retryStrategy": _retry(retries if wanted.retries is None else wanted.retries),
    }


def _environment(step: Step, wanted: Resources) -> list[dict[str, str]]:
    threads = str(max(1, int(wanted.cpu or 1)))
    values = {
        "HOME": "/tmp",  # noqa: S108
        "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
    }
    if _SCRATCH_VOLUME in wanted.volumes.values():  # checkpoints outlive the pod there
        values[SCRATCH] = f"{_SCRATCH_VOLUME}/{step.key}"
    return [{"name": name, "value": value} for name, value in values.items()]


def _volumes(wanted: Resources) -> list[tuple[dict[str, Any], str]]:
    """Volumes and where they are mounted."""
    volumes: list[tuple[dict[str, Any], str]] = [({"name": "tmp", "emptyDir": {}}, "/tmp")]  # noqa: S108
    if wanted.shared_memory:
        memory = {"medium": "Memory", "sizeLimit": f"{wanted.shared_memory:g}Gi"}
        volumes.append(({"name": "shm", "emptyDir": memory}, "/dev/shm"))  # noqa: S108
    for number, (claim, path) in enumerate(wanted.volumes.items()):
        source = {"persistentVolumeClaim": {"claimName": claim}}
        volumes.append(({"name": f"claim-{number}", **source}, path))
    return volumes


def _kubernetes_resources(wanted: Resources) -> dict[str, dict[str, str]]:
    requests = {}
    if wanted.cpu:
        requests["cpu"] = f"{wanted.cpu:g}"
    if wanted.memory:
        requests["memory"] = f"{wanted.memory:g}Gi"
    limits = {key: value for key, value in requests.items() if key == "memory"}
    if wanted.gpu:
        limits[wanted.gpu_resource] = str(wanted.gpu)
    return {"requests": requests, "limits": limits}


def _memory_patch(wanted: Resources, *, knows_last_retry: bool) -> str | None:
    """More memory for the attempt that follows one which was killed (exit code 137).

    Before Argo 3.7 a patch knows only how many attempts there were: each further one gets more.
    """
    if not wanted.memory_after_oom or not wanted.memory:
        return None
    usual, more = (f"'{size:g}Gi'" for size in (wanted.memory, wanted.memory_after_oom))
    again = "lastRetry.exitCode == '137'" if knows_last_retry else "sprig.int(retries) > 0"
    size = {"memory": f"{{{{={again} ? {more} : {usual}}}}}"}
    main = {"name": "main", "resources": {"requests": size, "limits": size}}
    return json.dumps({**POD_PATCH, "containers": [*POD_PATCH["containers"], main]})


def _retry(limit: int) -> dict[str, Any]:
    """Try again what may pass: exit code 75, a lost node, too little memory, a crash, time-out.

    Argo gives the exit code as text, "-1" if there was none. 2 is bad input and 3 a failed step;
    1 is a Python that could not even load lamflow: none of these gets better.
    """
    return {
        "limit": str(limit),
        "retryPolicy": "Always",
        "expression": "lastRetry.exitCode not in ['1', '2', '3']",
        # No maxDuration: Argo counts it from the first start and kills what runs longer.
        "backoff": {"duration": "30s", "factor": "2"},
    }
