"""A workflow as a graph of steps, before any engine sees it.

The graph is plain data: the local engine and the Argo engine both translate it
(`lamflow.engine.dflow_graph`), `plan` and `status` read it as it is.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lamflow.config.base import StrictModel
from lamflow.engine.operator import Operator, load_operator
from lamflow.errors import InputError, Problem
from lamflow.files import sha256_json, sha256_tree

_KEY_DIGITS = 12


@dataclass(frozen=True)
class Source:
    """A file or folder of the user's; `digest` is the SHA-256 of its content."""

    location: str
    digest: str

    @classmethod
    def local(cls, path: Path) -> "Source":
        """Take a local file or folder, by content."""
        return cls(str(path.resolve()), sha256_tree(path))

    @property
    def identity(self) -> str:
        """What a step's key sees of this input."""
        return self.digest


@dataclass(frozen=True)
class Output:
    """An output port of an earlier step."""

    step: "Step"
    port: str

    @property
    def identity(self) -> str:
        """What a step's key sees of this input."""
        return f"{self.step.key}/{self.port}"


Origin = Source | Output
RECORD_PORT = "step"  # every step has this output: step.json, the record of how it ran


@dataclass(frozen=True, eq=False)
class Step:
    """One node: an operator with its parameters and where its inputs come from."""

    name: str
    operator: Operator
    params: StrictModel
    inputs: Mapping[str, Origin]
    groups: Mapping[str, Mapping[str, Origin]]

    @cached_property  # each step asks those before it: without a cache, exponential in depth
    def key(self) -> str:
        """Name and hash of everything that the result depends on.

        Inputs from earlier steps count by those steps' keys, so that all keys of a graph are
        known before anything has run.
        """
        content = {
            "operator": self.operator.path,
            "version": self.operator.version,
            "params": self.params.model_dump(mode="json"),
            "inputs": {port: origin.identity for port, origin in self.inputs.items()},
            "groups": {
                port: [[name, origin.identity] for name, origin in members.items()]
                for port, members in self.groups.items()
            },
        }
        return f"{self.name}-{sha256_json(content)[:_KEY_DIGITS]}"

    def origins(self) -> Iterator[tuple[str, str | None, Origin]]:
        """All inputs as (port, member of the group or None, where it comes from)."""
        for port, origin in self.inputs.items():
            yield port, None, origin
        for port, members in self.groups.items():
            for member, origin in members.items():
                yield port, member, origin

    @property
    def needs(self) -> tuple["Step", ...]:
        """Steps whose outputs this one reads, each once."""
        found = {o.step.name: o.step for _, _, o in self.origins() if isinstance(o, Output)}
        return tuple(found.values())

    def __getitem__(self, port: str) -> Output:
        """Return an output port of this step."""
        if port != RECORD_PORT and port not in self.operator.outputs:
            raise KeyError(f"step {self.name} has no output {port!r}")
        return Output(self, port)


@dataclass
class Graph:
    """Steps in an order in which they can run, and what the run's result is made of.

    `results` maps a path below ``result/`` to the output that is put there.
    """

    kind: str
    name: str
    steps: list[Step] = field(default_factory=list)
    results: dict[str, Output] = field(default_factory=dict)

    def add(
        self,
        name: str,
        operator: Operator,
        params: StrictModel,
        inputs: Mapping[str, Origin] | None = None,
        groups: Mapping[str, Mapping[str, Origin]] | None = None,
    ) -> Step:
        """Add a step; its inputs must come from steps that are already in the graph."""
        name = name.replace("_", "-").lower()
        if any(step.name == name for step in self.steps):
            raise ValueError(f"two steps are called {name!r}")
        step = Step(name, operator, params, dict(inputs or {}), dict(groups or {}))
        _check_ports(step)
        self.steps.append(step)
        return step

    def records(self) -> dict[str, Origin]:
        """Records of all steps so far, as members of a group port (for reports)."""
        return {step.name: step[RECORD_PORT] for step in self.steps}

    def dependents(self, names: Collection[str]) -> list[Step]:
        """Steps of these names and all that need them.

        Raises
        ------
        InputError
            There is no step of one of the names.
        """
        known = [step.name for step in self.steps]
        if unknown := sorted(set(names) - set(known)):
            what = f"no such step; steps: {', '.join(known)}"
            raise InputError(*(Problem("", name, what) for name in unknown))
        found: dict[str, Step] = {}
        for step in self.steps:
            if step.name in names or any(other.name in found for other in step.needs):
                found[step.name] = step
        return list(found.values())

    def summary(self) -> list[dict[str, Any]]:
        """Steps as plain data: name, operator, key, needs, profile."""
        return [
            {
                "name": step.name,
                "operator": step.operator.name,
                "key": step.key,
                "needs": [other.name for other in step.needs],
                "profile": step.operator.profile,
            }
            for step in self.steps
        ]


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """Write a graph as plain data, from which `graph_from_json` makes it again."""

    def plain(origin: Origin) -> dict[str, str]:
        if isinstance(origin, Source):
            return {"location": origin.location, "digest": origin.digest}
        return {"step": origin.step.name, "port": origin.port}

    return {
        "kind": graph.kind,
        "name": graph.name,
        "results": {path: plain(output) for path, output in graph.results.items()},
        "steps": [
            {
                "name": step.name,
                "key": step.key,
                "operator": step.operator.path,
                "params": step.params.model_dump(mode="json"),
                "inputs": {port: plain(origin) for port, origin in step.inputs.items()},
                "groups": {
                    port: {name: plain(origin) for name, origin in members.items()}
                    for port, members in step.groups.items()
                },
            }
            for step in graph.steps
        ],
    }


def graph_from_json(data: Mapping[str, Any]) -> Graph:
    """Make a graph of what `graph_to_json` wrote."""
    graph = Graph(data["kind"], data["name"])
    by_name: dict[str, Step] = {}

    def origin(plain: Mapping[str, str]) -> Origin:
        if "step" in plain:
            return by_name[plain["step"]][plain["port"]]
        return Source(plain["location"], plain["digest"])

    for item in data["steps"]:
        operator = load_operator(item["operator"])
        by_name[item["name"]] = graph.add(
            item["name"],
            operator,
            operator.params.model_validate(item["params"]),
            {port: origin(plain) for port, plain in item["inputs"].items()},
            {
                port: {name: origin(plain) for name, plain in members.items()}
                for port, members in item["groups"].items()
            },
        )
    for path, plain in data["results"].items():
        graph.results[path] = by_name[plain["step"]][plain["port"]]
    return graph


def _check_ports(step: Step) -> None:
    unknown = set(step.inputs) - set(step.operator.inputs)
    unknown |= set(step.groups) - set(step.operator.groups)
    if unknown:
        raise ValueError(f"step {step.name}: no such input port: {', '.join(sorted(unknown))}")
