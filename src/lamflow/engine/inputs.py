"""The user's files as inputs of a graph."""

from pathlib import Path

from lamflow.config.location import is_remote
from lamflow.engine.graph import Source


def source_of(location: str) -> Source:
    """Take a file or folder by its content; one in S3 is fetched into the user's cache first."""
    if is_remote(location):
        from lamflow.context_access import fetch_location

        return Source.local(fetch_location(location))
    return Source.local(Path(location))
