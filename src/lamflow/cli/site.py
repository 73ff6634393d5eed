"""The command that writes the registry's site."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lamflow.cli.registry import AsJson, StoreOption


def site(
    build_dir: Annotated[Path, typer.Argument(metavar="BUILD_DIR", help="Folder to write.")],
    maps: Annotated[
        bool, typer.Option(help="Map each model's type embedding; loads the models.")
    ] = True,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Write the registry as a static site: open BUILD_DIR/index.html, or put it on any server."""
    from lamflow.registry.open import open_registry
    from lamflow.report.site import build_site, fetch_embedding_map

    pages = build_site(open_registry(store), build_dir, fetch_embedding_map if maps else None)
    print(json.dumps({"pages": [str(page) for page in pages]}) if as_json else pages[0])
