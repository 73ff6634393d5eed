"""The `lamflow` command: parse, call, print. Heavy imports wait until a command needs them."""

import sys
from typing import Annotated

import typer

from lamflow import __version__
from lamflow.cli import (
    configs,
    context,
    doctor,
    importer,
    publish,
    runs,
    schedule,
    site,
    submit,
)
from lamflow.descriptors import open_missing_descriptors
from lamflow.errors import LamflowError

app = typer.Typer(
    name="lamflow",
    help="From DFT datasets to Large Atomic Models and on to their use, one YAML file a workflow.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lamflow {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for _command in (
    submit.submit, submit.retry, submit.plan,
    runs.runs, runs.status, runs.watch, runs.logs, runs.stop,
    runs.terminate, runs.suspend, runs.resume, runs.download, runs.report,
    configs.init, configs.validate, configs.schema, configs.presets, configs.manifest,
    doctor.doctor, site.site,
):  # fmt: skip
    app.command()(_command)
app.command("import")(importer.import_)
app.add_typer(context.app, name="context")
app.add_typer(schedule.app, name="schedule")
app.add_typer(publish.models, name="models")
app.add_typer(publish.datasets, name="datasets")


def main() -> None:
    """Run the command; exit with 0, 2 (input), 3 (run failed) or 4 (unreachable)."""
    open_missing_descriptors()
    try:
        status = app(standalone_mode=False)
    except LamflowError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        # Usage errors of typer: message, then where to look.
        print(f"lamflow: {error.format_message()}\ntry: lamflow --help", file=sys.stderr)
        sys.exit(2)
    sys.exit(status if isinstance(status, int) else 0)
