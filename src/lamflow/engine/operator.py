"""What an operator is: named ports around one call into science.

An operator is a function with a declaration. It reads files from its input ports, writes files
to its output ports and returns a few numbers worth showing. The same function runs in a process
of the local engine and in a pod: `lamflow.engine.step` calls it in both.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from lamflow.config.base import StrictModel
from lamflow.progress import Progress, silent

Numbers = Mapping[str, float | int | str | bool | None]


@dataclass(frozen=True)
class StepIO:
    """Where an operator finds its inputs and puts its outputs.

    Attributes
    ----------
    inputs
        File or folder of each input port; an optional port that got nothing is absent.
    groups
        Files or folders of each group port, by member name, in the order of the workflow.
    outputs
        Path to create for each output port.
    scratch
        Folder that outlives a killed attempt of the same step: checkpoints go here.
    progress
        To be called as the work goes on.
    """

    inputs: Mapping[str, Path]
    groups: Mapping[str, Mapping[str, Path]]
    outputs: Mapping[str, Path]
    scratch: Path
    progress: Progress = silent


@dataclass(frozen=True)
class Operator:
    """Declaration of an operator; see `operator`."""

    function: Callable[[Any, StepIO], Numbers]
    params: type[StrictModel]
    inputs: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    profile: str = "cpu"
    version: int = 1

    @property
    def name(self) -> str:
        """Name of the operator, as in ``ops/<name>.py``."""
        return self.function.__name__

    @property
    def path(self) -> str:
        """Where to import it from: ``module:name``."""
        return f"{self.function.__module__}:{self.function.__name__}"

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]


def operator(
    *,
    params: type[StrictModel],
    outputs: Mapping[str, str],
    inputs: Mapping[str, str] | None = None,
    groups: Mapping[str, str] | None = None,
    numbers: tuple[str, ...] = (),
    profile: str = "cpu",
    version: int = 1,
) -> Callable[[Callable[[Any, StepIO], Numbers]], Operator]:
    """Declare a function as an operator.

    Parameters
    ----------
    params
        Model of the parameters; all that the result depends on besides the input files.
    inputs, groups, outputs
        Ports and what goes through them. A group port takes one artifact for each member.
    numbers
        Names of the numbers returned; shown in `status`, output parameters on Argo.
    profile
        Resource profile: ``cpu`` takes one core, ``train`` all cores (and a GPU if there is one).
    version
        Raise it when the same inputs give another result than before: cached steps are redone.
    """
    return functools.partial(
        Operator,
        params=params,
        inputs=inputs or {},
        groups=groups or {},
        outputs=outputs,
        numbers=numbers,
        profile=profile,
        version=version,
    )


def load_operator(path: str) -> Operator:
    """Import an operator of `lamflow.ops` by its ``module:name``."""
    module, _, name = path.partition(":")
    found = getattr(import_module(module), name)
    if not isinstance(found, Operator):
        raise TypeError(f"{path} is not an operator")
    return found
