"""The user's files as inputs of a graph."""

from pathlib import Path

from lamflow.config.location import is_remote
from lamflow.engine.graph import Source


def source_of(location: str) -> Source:
    """Take a file or folder by its content; one in S3 is fetched into the user's cache first."""
    return Source.local(_fetch(location) if is_remote(location) else Path(location))


def model_source_of(reference: str) -> Source:
    """Take a trained model (`lamflow.config.model_ref.ModelRef`) as a model folder, by content.

    A registered version is fetched into the user's cache and its hashes compared with its card; a
    single file is put into a model folder there, with a card that says what is known of it. So an
    operator always gets a folder, to be opened with `lamflow.train.given.open_model`.

    Raises
    ------
    InputError
        There is no such model, or it is not what its card says.
    """
    from lamflow.train.given import find_model

    return Source.local(find_model(reference, _fetch))


def _fetch(location: str) -> Path:
    from lamflow.context_access import fetch_location

    return fetch_location(location)
