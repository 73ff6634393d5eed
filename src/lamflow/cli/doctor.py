"""The command that looks at this machine: doctor."""

import json
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="Check this cluster and bucket instead.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="With --context: the image that the pods are to use.")
    ] = None,
) -> int:
    """Check what lamflow needs and what it could use on this machine, or of a context."""
    if context is None:
        from lamflow.doctor import examine

        checks = examine()
    else:
        from lamflow.doctor_context import examine_context

        checks = examine_context(context, image)
    if as_json:
        print(json.dumps([check.as_dict() for check in checks]))
    else:
        for check in checks:
            mark = "✓" if check.ok else ("✗" if check.needed else "–")
            print(f"{mark} {check.name:<12} {check.what}")
    return 0 if all(check.ok for check in checks if check.needed) else 3
