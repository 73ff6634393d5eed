"""Where things lie in the bucket: inputs by content, outputs by step's key and attempt.

::

    <prefix>/inputs/<sha256>            a file or folder of the user's
    <prefix>/inputs/<sha256>.json       the list of its files; written last
    <prefix>/steps/<step key>/<pod>/    outputs of one attempt of a step; step.json is its record

Each attempt of a step writes to a folder of its own, so nothing is ever overwritten, and a later
run takes the outputs of an attempt that is whole.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

from lamflow.engine.graph import RECORD_PORT, Graph, Source, Step

OutputKeys = Mapping[str, str]
"""Key of each output of a step, by port; the record's is there, too."""


def below(prefix: str, *parts: str) -> str:
    """Join a prefix, which may be empty, and what lies below it."""
    return "/".join(part for part in (prefix, *parts) if part)


def input_key(prefix: str, source: Source) -> str:
    """Key of a file or folder of the user's."""
    return below(prefix, "inputs", source.digest)


def step_prefix(prefix: str, step_key: str) -> str:
    """Key below which the attempts of a step lie."""
    return below(prefix, "steps", step_key)


def artifact_file(graph: Graph, step: Step, port: str) -> str:
    """Name of an output in the folder of its attempt: the port's, and the ending of the result's.

    Argo's web page opens ``report.html`` in the browser, but not ``report``.
    """
    if port == RECORD_PORT:
        return "step.json"
    for path, output in graph.results.items():
        if output.step is step and output.port == port:
            return port + PurePosixPath(path).suffix
    return port
