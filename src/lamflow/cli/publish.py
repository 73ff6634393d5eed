"""Commands that put models and datasets into the registry, and let them become latest."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lamflow.cli.registry import AsJson, StoreOption, datasets, models, open_from
from lamflow.errors import InputError, Problem

if TYPE_CHECKING:
    from lamflow.registry.registry import Registry
    from lamflow.registry.release import Release

NameOption = Annotated[str, typer.Option("--name", help="Name in the registry: group/name.")]
TagOption = Annotated[str, typer.Option("--tag", help="Tag that the new version gets.")]
Limits = Annotated[
    list[str] | None, typer.Option("--limit", help="A known limit, in words; may be repeated.")
]


def push_model(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run, its downloaded result, or a folder with a model."
        ),
    ],
    name: NameOption,
    member: Annotated[
        str, typer.Option("--model", help="Which model of the run's result: model, model-2 ...")
    ] = "model",
    exam: Annotated[
        str | None,
        typer.Option("--exam", metavar="RUN", help="Run of kind: evaluate that tested it."),
    ] = None,
    parent: Annotated[
        list[str] | None,
        typer.Option("--parent", help="Registered model, name@version, that it goes on from."),
    ] = None,
    labels: Annotated[
        int | None, typer.Option("--labels", min=0, help="DFT labels bought for it.")
    ] = None,
    limit: Limits = None,
    data: Annotated[
        bool, typer.Option("--data", help="Publish its training and test frames, too, for updates.")
    ] = False,
    tag: TagOption = "latest",
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Publish a run's model as the next version of a name."""
    from lamflow.registry.models import push_model as push

    registry = open_from(store)
    folder, path = _find_model(run, member)
    if data:
        _add_data(registry, folder, path, name)
    release = push(
        registry, folder, name, run=path, exam=_find_exam(exam), parents=parent or (),
        labels_bought=labels, limits=tuple(limit or ()),
    )  # fmt: skip
    _tell_published(registry, release, tag, as_json=as_json)


def _find_exam(run: str | None) -> Path | None:
    """Return the folder of an evaluation: a run's, or a downloaded result."""
    if run is None or (Path(run) / "metrics.json").is_file():
        return Path(run) if run else None
    from lamflow.engine.records import find_run

    return find_run(run, Path.cwd()).path


def _add_data(registry: "Registry", folder: Path, run: Path | None, name: str) -> None:
    from lamflow.registry.datasets import add_data_of_run
    from lamflow.train.model_card import read_model_card

    if run is None:
        raise InputError(Problem(str(folder), "--data", "is no run: its steps have the data"))
    for release in add_data_of_run(registry, run, name, read_model_card(folder)):
        print(f"{release}  {release.size} bytes", file=sys.stderr)


def _find_model(run: str, member: str) -> tuple[Path, Path | None]:
    """Return the model's folder, and that of its run or downloaded result if it is in one."""
    from lamflow.engine.records import find_run

    given = Path(run)
    if (given / member / "card.json").is_file():
        return given / member, given
    if (given / "card.json").is_file():
        return given, None
    path = given if (given / "result").is_dir() else find_run(run, Path.cwd()).path
    folder = path / "result" / member
    if not folder.is_dir():
        what = f"there is no {member} in the run's result; lamflow status {path.name}"
        raise InputError(Problem(str(path), "", what))
    return folder, path


def add_dataset(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Dataset in any known format.")],
    name: NameOption,
    licence: Annotated[str, typer.Option(help="Licence, such as CC-BY-4.0.")] = "",
    dft: Annotated[str, typer.Option(help="Method of the labels, in words.")] = "",
    source: Annotated[str, typer.Option(help="Where the data come from.")] = "",
    limit: Limits = None,
    tag: TagOption = "latest",
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Check a dataset, write its card, and publish it as the next version of a name."""
    from lamflow.registry.datasets import add_dataset as add

    registry = open_from(store)
    release = add(
        registry, path, name, licence=licence, dft=dft, source=source, limits=tuple(limit or ())
    )
    _tell_published(registry, release, tag, as_json=as_json)


def _tell_published(registry: "Registry", release: "Release", tag: str, *, as_json: bool) -> None:
    kind = release.content.kind
    registry.move_tag(kind, release.name, tag, release.version, only_forward=True)
    if as_json:
        print(json.dumps({"release": str(release), "sha256": release.sha256, "tag": tag}))
    else:
        print(f"{release}  {len(release.content.parts)} files, {release.size} bytes  ({tag})")


def promote(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name in the registry.")],
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="Allowed relative increase of an error.")
    ] = 0.05,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Let latest mean the candidate if no test set got worse; ends with 3 if one did."""
    from lamflow.registry.gate import promote as pass_gate

    verdict = pass_gate(open_from(store), name, tolerance)
    reasons = [str(one) for one in verdict.regressions]
    if as_json:
        plain = {"release": str(verdict.candidate), "passed": verdict.passed, "worse": reasons}
        print(json.dumps(plain))
    elif verdict.passed:
        print(f"{verdict.candidate} is latest")
    else:
        print(
            "\n  ".join(
                [f"{verdict.candidate} stays candidate; against {verdict.before}:", *reasons]
            )
        )
    return 0 if verdict.passed else 3


def submit_dataset(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder of a dataset.")],
    name: Annotated[str, typer.Option("--name", help="Name in the inbox.")],
    licence: Annotated[str, typer.Option(help="Licence, such as CC-BY-4.0.")] = "",
    dft: Annotated[str, typer.Option(help="Method of the labels, in words.")] = "",
    source: Annotated[str, typer.Option(help="Where the data come from.")] = "",
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Send a dataset to the inbox, for the next update to look at; its card tells its licence."""
    from lamflow.registry.inbox import submit

    if licence or dft or source:
        from lamflow.data.card import make_card, write_card

        if (path / "card.json").exists():
            what = "is there and tells licence, method and source; leave the options out"
            raise InputError(Problem(str(path / "card.json"), "", what))
        write_card(path, make_card(path, name, licence=licence, dft=dft, source=source))
    item = submit(open_from(store).store, path, name)
    if as_json:
        print(json.dumps({"name": item.name, "new": item.is_new}))
    else:
        print(f"{item.name}: " + ("sent" if item.is_new else "is known; lamflow datasets inbox"))


def inbox(store: StoreOption = None, as_json: AsJson = False) -> None:
    """List the datasets in the inbox and what became of each."""
    from lamflow.registry.inbox import scan

    rows = []
    for item in scan(open_from(store).store):
        state = item.outcome.decision if item.outcome else "new" if item.is_new else "incomplete"
        reason = item.outcome.reason if item.outcome else item.fault
        rows.append({"name": item.name, "state": state, "reason": reason})
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['name']:<32} {row['state']:<12} {row['reason']}".rstrip())
    if not rows:
        print("empty; lamflow datasets submit PATH --name NAME")


models.command("push")(push_model)
models.command()(promote)
datasets.command("add")(add_dataset)
datasets.command("push", hidden=True)(add_dataset)
datasets.command("submit")(submit_dataset)
datasets.command()(inbox)

__all__ = ["datasets", "models"]
