"""The command that looks at this machine: doctor."""

import json
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> int:
    """Check what lamflow needs and what it could use on this machine."""
    from lamflow.doctor import examine

    checks = examine()
    if as_json:
        print(json.dumps([check.as_dict() for check in checks]))
    else:
        for check in checks:
            mark = "✓" if check.ok else ("✗" if check.needed else "–")
            print(f"{mark} {check.name:<12} {check.what}")
    return 0 if all(check.ok for check in checks if check.needed) else 3
