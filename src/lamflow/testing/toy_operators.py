"""Operators that cost nothing: for tests of engines and for measuring an engine's own cost."""

import os
import signal
import time
from collections.abc import Mapping

from lamflow.config.base import StrictModel
from lamflow.engine.operator import StepIO, operator
from lamflow.errors import InputError, TransientError
from lamflow.files import write_text


class WriteParams(StrictModel):
    """Parameters of `write`."""

    text: str
    """What to write."""


class AppendParams(StrictModel):
    """Parameters of `append`."""

    text: str = ""
    """What to append."""
    seconds: float = 0.0
    """How long to pretend to work, s."""


class FailParams(StrictModel):
    """Parameters of `fail`."""

    how: str
    """input, transient-once, bug, segfault, edit-input, hang or silent."""


@operator(params=WriteParams, outputs={"text": "a file"}, numbers=("length",))
def write(params: WriteParams, io: StepIO) -> Mapping[str, int]:
    """Write a text file."""
    io.outputs["text"].write_text(params.text, encoding="utf-8")
    return {"length": len(params.text)}


@operator(
    params=AppendParams,
    inputs={"first": "a file"},
    groups={"more": "files"},
    outputs={"text": "a file"},
    numbers=("length", "resumed_at"),
)
def append(params: AppendParams, io: StepIO) -> Mapping[str, int]:
    """Put the inputs and a text behind each other; keep count in the scratch folder."""
    count = io.scratch / "count"
    done = resumed_at = int(count.read_text()) if count.exists() else 0
    while done < params.seconds * 10:
        time.sleep(0.1)
        done += 1
        write_text(count, str(done))
        io.progress(done, params.seconds * 10, {"done": done})
    paths = [*io.inputs.values(), *io.groups.get("more", {}).values()]
    text = "".join(path.read_text() for path in paths) + params.text
    io.outputs["text"].write_text(text, encoding="utf-8")
    return {"length": len(text), "resumed_at": resumed_at}


@operator(params=FailParams, inputs={"first": "a file"}, outputs={"text": "a file"})
def fail(params: FailParams, io: StepIO) -> Mapping[str, int]:
    """Go wrong in the way that was asked for."""
    tries = io.scratch / "tries"
    tries.write_text("x" + (tries.read_text() if tries.exists() else ""))
    match params.how:
        case "input":
            raise InputError("the frames are bad")
        case "transient-once" if len(tries.read_text()) == 1:
            raise TransientError("the network blinked")
        case "bug":
            raise ZeroDivisionError("a bug")
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            time.sleep(3600)
        case "edit-input":
            with io.inputs["first"].open("a") as file:
                file.write("edited")
        case "silent":
            return {}
    io.outputs["text"].write_text(params.how)
    return {}
