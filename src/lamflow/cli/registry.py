"""Commands that models and datasets share: list, show, pull, diff, tag, verify, lineage."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lamflow.registry.names import Kind
    from lamflow.registry.registry import Registry

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


def _kind(context: typer.Context) -> "Kind":
    """Return what the command is about, by the group that it was called from."""
    parent = context.parent
    return "dataset" if parent is not None and parent.info_name == "datasets" else "model"


def open_from(store: str | None) -> "Registry":
    """Open the registry that ``--store`` names, or the one of this place."""
    from lamflow.registry.open import open_registry

    return open_registry(store)


def list_releases(
    context: typer.Context, store: StoreOption = None, as_json: AsJson = False
) -> None:
    """List all names with their versions and tags."""
    kind, registry = _kind(context), open_from(store)
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

    release = open_from(store).release(_kind(context), reference)
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
    registry = open_from(store)
    release = registry.release(_kind(context), reference)
    folder = output or Path(release.name.rpartition("/")[2])
    registry.pull(release, folder)
    print(json.dumps({"release": str(release), "path": str(folder)}) if as_json else folder)


def diff(
    context: typer.Context,
    old: ReferenceArgument,
    new: ReferenceArgument,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Tell what differs between two versions: card, files, errors."""
    from lamflow.registry.diff import diff_releases

    registry, kind = open_from(store), _kind(context)
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
    registry, kind = open_from(store), _kind(context)
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
    for version, found in verify_all(open_from(store), _kind(context), reference):
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

    registry, kind, every = open_from(store), _kind(context), 10**9
    node = trace(registry, kind, reference, every if every_file else FEW_FILES)
    if svg is not None:
        from lamflow.files import write_text
        from lamflow.report.lineage_svg import lineage_svg

        picture = trace(registry, kind, reference, every if every_file else 0)
        write_text(svg, lineage_svg(picture))
    print(json.dumps(node_to_json(node)) if as_json else "\n".join(tree_lines(node)))


for _app in (models, datasets):
    _app.command("list")(list_releases)
    for _command in (show, pull, diff, tag, verify, lineage):
        _app.command()(_command)
