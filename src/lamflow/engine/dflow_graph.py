"""Translate a graph of steps into dflow: the same templates and tasks for every engine.

A step becomes a dflow script template of three lines that calls `lamflow.engine.step`. Its
parameters travel as a raw artifact (``task.json``), never pasted into code.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from lamflow.engine.graph import RECORD_PORT, Origin, Output, Step

Resolve = Callable[[Origin], Any]
TemplateOptions = Callable[[Step], Mapping[str, Any]]

SCRIPT = """\
from lamflow.engine.step import main

raise SystemExit(main("/tmp"))
"""


def to_dag(
    name: str,
    steps: Iterable[Step],
    resolve: Resolve,
    template_options: TemplateOptions,
    *,
    keep_going: bool = False,
) -> Any:
    """Build a dflow DAG of the steps.

    Parameters
    ----------
    name
        Name of the DAG's template.
    steps
        Steps to run, in an order in which they can run.
    resolve
        Gives the dflow artifact for a source, or for an output of a step that is not in `steps`.
    template_options
        Options of a step's script template: command, image, resources.
    keep_going
        Whether steps that do not depend on a failed one still run.
    """
    dag = _dag_class()(name)
    tasks: dict[str, Any] = {}

    def artifact(origin: Origin) -> Any:
        if isinstance(origin, Output) and origin.step.name in tasks:
            return tasks[origin.step.name].outputs.artifacts[origin.port]
        return resolve(origin)

    for step in steps:
        tasks[step.name] = _task(step, artifact, template_options(step), keep_going)
        dag.add(tasks[step.name])
    return dag


class _Scope(list[Any]):
    """Finished tasks, as dflow's workers look them up."""


def _paths(task: Any) -> dict[str, Any]:
    from dflow import LocalArtifact

    artifacts = task.outputs.artifacts.items()
    return {n: LocalArtifact(a.local_path) for n, a in artifacts if hasattr(a, "local_path")}


def _dag_class() -> Any:
    from dflow import DAG

    class SharedDag(DAG):  # type: ignore[misc]
        """A DAG that debug mode neither copies nor sends to its workers as a whole.

        dflow deep-copies the DAG each time a task ends (14 CPU s for 100 tasks), so that workers
        can look up outputs of finished tasks by name. They get a table of just those.
        """

        def __deepcopy__(self, memo: dict[int, Any]) -> "SharedDag":
            return self

        def __reduce__(self) -> tuple[Any, ...]:
            finished = [
                SimpleNamespace(name=task.name, outputs=SimpleNamespace(artifacts=_paths(task)))
                for task in self.finished
            ]
            kept = {"workflow_id": self.workflow_id, "stepdir": self.stepdir}
            return _Scope, (finished,), kept

    return SharedDag


def port_name(port: str, member: str | None) -> str:
    """Name of the dflow artifact for a port or a member of a group port."""
    return port if member is None else f"{port}-{member}"


def task_json(step: Step) -> str:
    """What `lamflow.engine.step` reads; braces in text are escaped so that nothing expands them."""
    task = {
        "name": step.name,
        "key": step.key,
        "operator": step.operator.path,
        "needs": [other.name for other in step.needs],
        "params": step.params.model_dump(mode="json"),
        "inputs": list(step.inputs),
        "groups": {port: list(members) for port, members in step.groups.items()},
    }
    plain = json.dumps(task, ensure_ascii=True)
    # Argo and dflow expand {{...}} wherever it stands. In JSON two opening braces can only meet
    # inside of a string, where the second may be written as an escape.
    return plain.replace("{{", "{\\u007b")


def _task(step: Step, artifact: Resolve, options: Mapping[str, Any], keep_going: bool) -> Any:
    from dflow import InputArtifact, Inputs, OutputArtifact, OutputParameter, Outputs, Task
    from dflow.op_template import ScriptOPTemplate

    inputs = Inputs(artifacts={"task": InputArtifact(path="/tmp/inputs/task.json")})  # noqa: S108
    sources: dict[str, Any] = {"task": task_json(step)}
    for port, member, origin in step.origins():
        name = port_name(port, member)
        path = f"/tmp/inputs/{port}" if member is None else f"/tmp/inputs/{port}/{member}"  # noqa: S108
        inputs.artifacts[name] = InputArtifact(path=path, archive=None)
        sources[name] = artifact(origin)
    outputs = Outputs(
        artifacts={
            port: OutputArtifact(path=f"/tmp/outputs/{port}", archive=None)  # noqa: S108
            for port in step.operator.outputs
        },
        parameters={
            number: OutputParameter(value_from_path=f"/tmp/outputs/numbers/{number}", default="")  # noqa: S108
            for number in step.operator.numbers
        },
    )
    outputs.artifacts[RECORD_PORT] = OutputArtifact(path="/tmp/outputs/step.json", archive=None)  # noqa: S108
    template = ScriptOPTemplate(
        name=step.name, inputs=inputs, outputs=outputs, script=SCRIPT, **options
    )
    return Task(step.name, template, artifacts=sources, key=step.key, continue_on_failed=keep_going)
