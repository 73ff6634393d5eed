"""The command that turns other programs' input files into workflow files."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from lamflow.errors import InputError, Problem


def import_(
    program: Annotated[str, typer.Argument(metavar="FORMAT", help="dpgen2 or pfd.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Its input file (JSON).")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; default: print it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Turn an input file of dpgen2 or PFD-kit into a workflow file, and say what is lost."""
    from lamflow.files import write_text
    from lamflow.importers.write import import_file, to_yaml

    if output is not None and output.exists():
        raise InputError(Problem(str(output), "", "exists; name another with -o"))
    found = import_file(program, file, (output or Path("x")).absolute().parent)
    text = to_yaml(found, program, file)
    if output is not None:
        write_text(output, text)
    if as_json:
        written = str(output) if output else None
        brief = {"file": written, "config": found.config, "warnings": found.warnings}
        print(json.dumps(brief, ensure_ascii=False))
        return
    for warning in found.warnings:
        print(f"{file}: {warning}", file=sys.stderr)
    if output is None:
        print(text, end="")
    else:
        print(f"wrote {output}; check it: lamflow validate {output}")
