"""Commands about contexts: which cluster and bucket to use."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Which cluster and bucket to use, as kubectl has it.", no_args_is_help=True)

ContextName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the context.")]


@app.command()
def add(
    name: ContextName,
    server: Annotated[str | None, typer.Option(help="URL of the Argo server.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Namespace of the workflows.")] = None,
    token: Annotated[
        str | None,
        typer.Option(
            help="Where the token is: environment:NAME, file:/path, kubeconfig[:CONTEXT]."
        ),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="Certificates to trust for the Argo server.")
    ] = None,
    bucket: Annotated[str | None, typer.Option(help="Bucket for artifacts.")] = None,
    prefix: Annotated[str | None, typer.Option(help="All keys are below it.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="URL of the S3 server.")] = None,
    region: Annotated[str | None, typer.Option(help="Region of the bucket.")] = None,
    store_ca: Annotated[
        Path | None, typer.Option(help="Certificates to trust for the S3 server.")
    ] = None,
    credentials: Annotated[
        str | None,
        typer.Option(
            help="Where the keys are: environment, profile:NAME, web-identity, secret:NAME."
        ),
    ] = None,
    replace: Annotated[bool, typer.Option(help="Replace one of that name.")] = False,
) -> None:
    """Add a context; secrets are given by reference, never by value."""
    from lamflow.context import add_context, contexts_file

    argo = {"server": server, "namespace": namespace, "token": token, "ca": _absolute(ca)}
    store = {
        "bucket": bucket, "prefix": prefix, "endpoint": endpoint, "region": region,
        "ca": _absolute(store_ca), "credentials": credentials,
    }  # fmt: skip
    given = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in (("argo", argo), ("store", store))
    }
    add_context(
        name, {section: values for section, values in given.items() if values}, replace=replace
    )
    print(f"{name}: written to {contexts_file()}; use it: lamflow context use {name}")


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.expanduser().absolute())


@app.command()
def use(name: ContextName) -> None:
    """Make a context the current one."""
    from lamflow.context import use_context

    use_context(name)
    print(f"now in use: {name}")


@app.command("list")
def list_contexts(
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """List the contexts; the current one has a star."""
    from lamflow.context import load_contexts

    stored = load_contexts()
    if as_json:
        print(json.dumps({"current": stored.current, "contexts": list(stored.contexts)}))
        return
    for name, context in stored.contexts.items():
        argo = f"{context.argo.server} ({context.argo.namespace})" if context.argo else "no Argo"
        store = (
            f"s3://{context.store.bucket}/{context.store.prefix}" if context.store else "no bucket"
        )
        print(f"{'*' if name == stored.current else ' '} {name:<20} {argo}  {store}")
    if not stored.contexts:
        print("none yet; lamflow context add NAME --server URL --bucket NAME")


@app.command()
def show(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Default: the current.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> None:
    """Print one context."""
    import yaml

    from lamflow.context import find_context

    found, context = find_context(name)
    values = {"name": found, **context.model_dump(exclude_none=True)}
    print(
        json.dumps(values) if as_json else yaml.safe_dump(values, sort_keys=False),
        end="\n" * as_json,
    )


@app.command()
def remove(name: ContextName) -> None:
    """Forget a context; nothing in the cluster or the bucket is changed."""
    from lamflow.context import remove_context

    remove_context(name)
    print(f"forgotten: {name}")
