"""Commands about registered models and datasets: list, show, push, pull, diff, tag, verify ..."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lamflow.errors import InputError, Problem

if TYPE_CHECKING:
    from lamflow.registry.names import Kind
    from lamflow.registry.registry import Registry
    from lamflow.registry.release import Release

models = typer.Typer(help="Registered models: versions that never change.", no_args_is_help=True)
datasets = typer.Typer(
    help="Registered datasets: versions that never change.", no_args_is_help=True
)

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="Path or s3://bucket/prefix of the registry; default: $LAMFLOW_REGISTRY, the bucket "
        "of the context in use, or ./lamflow-registry.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
ReferenceArgument = Annotated[
    str, typer.Argument(metavar="NAME@VERSION", help="A version or tag; without: latest.")
]
NameOption = Annotated[str, typer.Option("--name", help="Name in the registry: group/name.")]
TagOption = Annotated[str, typer.Option("--tag", help="Tag that the new version gets.")]
Limits = Annotated[
    list[str] | None, typer.Option("--limit", help="A known limit, in words; may be repeated.")
]


def _kind(context: typer.Context) -> "Kind":
    """Return what the command is about, by the group that it was called from."""
    parent = context.parent
    return "dataset" if parent is not None and parent.info_name == "datasets" else "model"


def _open(store: str | None) -> "Registry":
    from lamflow.registry.open import open_registry

    return open_registry(store)


def list_releases(
    context: typer.Context, store: StoreOption = None, as_json: AsJson = False
) -> None:
    """List all names with their versions and tags."""
    kind, registry = _kind(context), _open(store)
    found = [
        {
            "name": name,
            "versions": registry.versions(kind, name),
            "tags": registry.tags(kind, name),
        }
        for name in registry.names(kind)
    ]
    if as_json:
        print(json.dumps(found))
        return
    for one in found:
        versions: Any = one["versions"]
        tags: Any = one["tags"]
        words = ", ".join(f"{tag} → {version}" for tag, version in tags.items())
        count = f"{len(versions)} version{'s' if len(versions) > 1 else ''}"
        print(f"{one['name']!s:<32} {count:<12} {words}")
    if not found:
        verb = "add PATH" if kind == "dataset" else "push RUN"
        print(f"none in {registry.store.url} yet; lamflow {kind}s {verb} --name GROUP/NAME")


def show(
    context: typer.Context,
    reference: ReferenceArgument,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Print the card of a version."""
    from lamflow.report.text import flatten

    release = _open(store).release(_kind(context), reference)
    plain = release.model_dump(mode="json")
    if as_json:
        print(json.dumps(plain))
        return
    content = plain.pop("content")
    parts = content.pop("parts")
    config = content.pop("config", "")
    for key, value in flatten({**plain, **content}):
        print(f"{key:<36} {value}")
    print(f"{'files':<36} {len(parts)}, {release.size} bytes")
    if config:
        print(f"\n{config.rstrip()}")


def pull(
    context: typer.Context,
    reference: ReferenceArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="New folder; default: the name's last part."),
    ] = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Fetch a version's files; each is compared with its hash."""
    registry = _open(store)
    release = registry.release(_kind(context), reference)
    folder = output or Path(release.name.rpartition("/")[2])
    registry.pull(release, folder)
    print(json.dumps({"release": str(release), "path": str(folder)}) if as_json else folder)


def push_model(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Name of a run, or a folder with a model.")
    ],
    name: NameOption,
    member: Annotated[
        str, typer.Option("--model", help="Which model of the run's result: model, model-2 ...")
    ] = "model",
    parent: Annotated[
        list[str] | None,
        typer.Option("--parent", help="Registered model, name@version, that it goes on from."),
    ] = None,
    labels: Annotated[
        int | None, typer.Option("--labels", min=0, help="DFT labels bought for it.")
    ] = None,
    limit: Limits = None,
    tag: TagOption = "latest",
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Publish a run's model as the next version of a name."""
    from lamflow.registry.models import push_model as push

    registry = _open(store)
    folder, path = _find_model(run, member)
    release = push(
        registry, folder, name, run=path, parents=parent or (), labels_bought=labels,
        limits=tuple(limit or ()),
    )  # fmt: skip
    _tell_published(registry, release, tag, as_json=as_json)


def _find_model(run: str, member: str) -> tuple[Path, Path | None]:
    """Return the model's folder and that of its run, if it is in one."""
    from lamflow.engine.records import find_run

    given = Path(run)
    if (given / "card.json").is_file() and not (given / member).is_dir():
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

    registry = _open(store)
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


def diff(
    context: typer.Context,
    old: ReferenceArgument,
    new: ReferenceArgument,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Tell what differs between two versions: card, files, errors."""
    from lamflow.registry.diff import diff_releases

    registry, kind = _open(store), _kind(context)
    found = diff_releases(registry.release(kind, old), registry.release(kind, new))
    if as_json:
        print(json.dumps([vars(one) for one in found]))
        return
    from lamflow.report.text import plain

    for one in found:
        print(f"{one.key:<44} {plain(one.old)} → {plain(one.new)}")
    if not found:
        print("no difference")


def tag(
    context: typer.Context,
    reference: ReferenceArgument,
    name: Annotated[str, typer.Argument(metavar="TAG", help="Such as production.")],
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Let a tag mean this version from now on."""
    registry, kind = _open(store), _kind(context)
    release = registry.release(kind, reference)
    before = registry.move_tag(kind, release.name, name, release.version)
    if as_json:
        print(json.dumps({"release": str(release), "tag": name, "before": before}))
    else:
        print(f"{release.name}@{name} → {release.version}" + (f", was {before}" * bool(before)))


def verify(
    context: typer.Context,
    reference: Annotated[
        str | None, typer.Argument(metavar="[NAME[@VERSION]]", help="Default: all versions.")
    ] = None,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> int:
    """Compute every hash again; ends with 3 if one is wrong."""
    from lamflow.registry.verify import verify_all

    faults: dict[str, list[str]] = {}
    for version, found in verify_all(_open(store), _kind(context), reference):
        faults[version] = found
        if not as_json:
            print("\n  ".join([f"{version}  {'DAMAGED' if found else 'good'}", *found]))
    if as_json:
        print(json.dumps(faults))
    return 3 if any(faults.values()) else 0


def lineage(
    context: typer.Context,
    reference: ReferenceArgument,
    svg: Annotated[Path | None, typer.Option("--svg", help="Draw it into this file.")] = None,
    every_file: Annotated[bool, typer.Option("--files", help="Show every source file.")] = False,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Show what a version was made from, down to the source files."""
    from lamflow.registry.lineage import FEW_FILES, node_to_json, tree_lines
    from lamflow.registry.lineage import lineage as trace

    registry, kind, every = _open(store), _kind(context), 10**9
    node = trace(registry, kind, reference, every if every_file else FEW_FILES)
    if svg is not None:
        from lamflow.files import write_text
        from lamflow.report.lineage_svg import lineage_svg

        picture = trace(registry, kind, reference, every if every_file else 0)
        write_text(svg, lineage_svg(picture))
    print(json.dumps(node_to_json(node)) if as_json else "\n".join(tree_lines(node)))


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

    verdict = pass_gate(_open(store), name, tolerance)
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
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Send a dataset to the inbox, for the next update to look at."""
    from lamflow.registry.inbox import submit

    item = submit(_open(store).store, path, name)
    if as_json:
        print(json.dumps({"name": item.name, "new": item.is_new}))
    else:
        print(f"{item.name}: " + ("sent" if item.is_new else "is known; lamflow datasets inbox"))


def inbox(store: StoreOption = None, as_json: AsJson = False) -> None:
    """List the datasets in the inbox and what became of each."""
    from lamflow.registry.inbox import scan

    rows = []
    for item in scan(_open(store).store):
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


for _app in (models, datasets):
    _app.command("list")(list_releases)
    for _command in (show, pull, diff, tag, verify, lineage):
        _app.command()(_command)
models.command("push")(push_model)
models.command()(promote)
datasets.command("submit")(submit_dataset)
datasets.command()(inbox)
datasets.command("add")(add_dataset)
datasets.command("push", hidden=True)(add_dataset)
