"""Datasets and models with versions that never change, and what made which.

`resolve` turns ``openlam/dpa2-small@7`` into a local folder whose files were checked.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamflow.registry.names import Kind
    from lamflow.registry.registry import Registry


def resolve(
    reference: str,
    kind: "Kind" = "model",
    *,
    registry: "Registry | None" = None,
    cache: Path | None = None,
) -> Path:
    """See `lamflow.registry.local_copy.resolve`."""
    from lamflow.registry import local_copy

    return local_copy.resolve(reference, kind, registry=registry, cache=cache)
