"""Commands about configuration files: init, validate, schema, presets, manifest."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lamflow.cli.submit import ConfigFile, Overrides, load_checked
from lamflow.errors import InputError, Problem

Kind = Annotated[str, typer.Argument(metavar="KIND", help="Workflow kind, such as pretrain.")]


def init(
    kind: Kind,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; default: KIND.yaml.")
    ] = None,
    demo: Annotated[bool, typer.Option(help="Copy the demonstration and its data.")] = False,
) -> None:
    """Write a short commented YAML file to start from."""
    from lamflow.config.template import template_text
    from lamflow.files import write_text

    file = output or Path(f"{kind}.yaml")
    if file.exists():
        raise InputError(Problem(str(file), "", "exists; name another with -o"))
    if demo:
        from lamflow.workflows.demo import copy_demo

        copy_demo(kind, file)
    else:
        write_text(file, template_text(kind))
    print(f"wrote {file}; edit it, then: lamflow submit {file}")


def validate(file: ConfigFile, overrides: Overrides = None) -> None:
    """Check a workflow file and the data it names, and tell all problems at once."""
    load_checked(file, overrides)
    print(f"{file}: no problem found; start it: lamflow submit {file}")


def schema(kind: Kind) -> None:
    """Print the JSON schema of a kind's YAML file, for editors."""
    from lamflow.config.schema import json_schema

    print(json.dumps(json_schema(kind), indent=1, ensure_ascii=False))


def presets(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line, for scripts.")] = False,
) -> None:
    """List the model presets: size, cutoff, cost of a training step, where they can be used."""
    from lamflow.cli.tables import print_presets
    from lamflow.train import presets as known

    found = [known.describe(name) for name in known.names()]
    if as_json:
        print(json.dumps([preset.to_json() for preset in found], ensure_ascii=False))
    else:
        print_presets(found)


def manifest(
    file: ConfigFile,
    overrides: Overrides = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write.")] = None,
) -> None:
    """Print the Argo Workflow of a workflow file, without any cluster."""
    from lamflow.engine.manifest import manifest_yaml
    from lamflow.files import write_text
    from lamflow.workflows.kinds import build_graph

    loaded = load_checked(file, overrides)
    text = manifest_yaml(build_graph(loaded.config, cluster=True, standing=True), loaded.config)
    if output:
        write_text(output, text)
    else:
        print(text, end="")
