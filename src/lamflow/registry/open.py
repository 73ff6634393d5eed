"""Where the registry is."""

import os
from pathlib import Path

from lamflow.registry.registry import Registry
from lamflow.store.open import open_store, split_s3
from lamflow.store.protocol import Store

VARIABLE = "LAMFLOW_REGISTRY"
"""Environment variable with the registry's path or ``s3://`` address."""
FOLDER = "lamflow-registry"
"""Folder of the working directory, and prefix in a context's bucket."""


def open_registry(location: str | None = None) -> Registry:
    """Open the registry; nothing is sent or written yet.

    It is the first of: `location`; ``$LAMFLOW_REGISTRY``; ``lamflow-registry/`` below the bucket
    and prefix of the context in use; the folder ``lamflow-registry`` here.

    Parameters
    ----------
    location
        Path or ``s3://bucket/prefix``; endpoint and credentials are those of the context in use.

    Raises
    ------
    InputError
        The address or the context is wrong.
    """
    location = location or os.environ.get(VARIABLE)
    if location and not location.startswith("s3://"):
        return Registry(open_store(location))
    return Registry(_in_context(location) or open_store(location or str(Path.cwd() / FOLDER)))


def _in_context(location: str | None) -> Store | None:
    """Open a bucket with what the context in use says; None if none names a bucket."""
    from lamflow.context import CONTEXT_VARIABLE, find_context, load_contexts
    from lamflow.context_access import open_context_store

    if not os.environ.get(CONTEXT_VARIABLE) and not load_contexts().current:
        return None
    context = find_context()[1]
    if context.store is None:
        return None
    if location:
        bucket, prefix = split_s3(location)
    else:
        bucket = context.store.bucket
        prefix = "/".join(filter(None, (context.store.prefix, FOLDER)))
    place = context.store.model_copy(update={"bucket": bucket, "prefix": prefix})
    return open_context_store(context.model_copy(update={"store": place}))
