"""The user's files as inputs of a graph."""

from pathlib import Path

from lamflow.config.base import JsonObject
from lamflow.config.location import is_remote
from lamflow.config.model_ref import is_stage
from lamflow.engine.graph import Source
from lamflow.errors import InputError, Problem


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

    if is_stage(reference):
        return Source(reference, reference)  # `workflows/pipeline.py` puts the output in its place
    return Source.local(find_model(reference, _fetch))


def network_of(model: Source) -> JsonObject:
    """Return DeePMD-kit's model section of a trained model, to train the same from scratch.

    Raises
    ------
    InputError
        The model is that of a stage of a pipeline, which is not there before the run.
    """
    from lamflow.train.given import open_model

    if is_stage(model.location):
        what = (
            "needs to know the network before the run, and the model comes from another stage; "
            "set: {compare_scratch: false} in this stage"
        )
        raise InputError(Problem(model.location, "compare_scratch", what))
    return open_model(Path(model.location)).card.model


def _fetch(location: str) -> Path:
    from lamflow.context_access import fetch_location

    return fetch_location(location)
