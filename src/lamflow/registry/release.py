"""What the registry keeps of a version: its card. Pydantic models, so there is a JSON schema."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from lamflow.config.base import PositiveInteger, StrictModel
from lamflow.data.card import DatasetCard
from lamflow.errors import InputError
from lamflow.evaluate.properties.result import PropertyValue
from lamflow.files import sha256_file, sha256_json
from lamflow.registry.names import ReleaseName
from lamflow.store.protocol import CorruptError, check_key
from lamflow.train.model_card import ModelCard

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(StrictModel):
    """One file of a version, kept under its hash."""

    sha256: Sha256
    """Hash of its bytes."""
    size: Annotated[int, Field(ge=0)]
    """Bytes."""


class Ancestor(StrictModel):
    """A dataset on the way from the source to a model, known by its hash."""

    name: str
    """What it was called where it was made."""
    sha256: Sha256
    """Hash of its files (see `lamflow.data.card.dataset_sha256`)."""
    parents: dict[str, Sha256] = Field(default={})
    """Name and hash of each dataset that it was made from."""
    frames: int | None = None
    """Frames in it, where known."""
    licence: str = ""
    """Licence of the data."""
    source: str = ""
    """Where the data come from: repository, commit, file."""


class TestResult(StrictModel):
    """Errors of one head on one test set."""

    test_set: str
    """Name of the test set."""
    head: str
    """Head of the model."""
    frames: int
    """Frames in the test set."""
    errors: dict[str, float | None]
    """Error by name, unit in the name, such as energy_rmse_meV_per_atom."""
    baseline: dict[str, float | None] = Field(default={})
    """The same errors of the mean energy per element and zero force."""
    sha256: Sha256 | None = None
    """Hash of the test set, where known."""

    __test__ = False  # pytest would take it for a test


class ModelContent(StrictModel):
    """All that makes a model's version what it is."""

    kind: Literal["model"] = "model"
    """What is registered."""
    name: ReleaseName
    """Name in the registry."""
    parts: dict[str, Part]
    """Files by POSIX path."""
    card: ModelCard
    """Elements, heads, cutoff, seed, device, versions: the card in the model's folder."""
    results: tuple[TestResult, ...] = ()
    """Errors for each head and test set."""
    properties: tuple[PropertyValue, ...] = ()
    """Properties of known systems."""
    config: str = ""
    """The run's configuration, as it was submitted."""
    parents: dict[str, Sha256] = Field(default={})
    """Reference and hash of each registered model that this one goes on from."""
    ancestors: tuple[Ancestor, ...] = ()
    """Datasets from those that were trained on back to the first."""
    gpu_hours: Annotated[float, Field(ge=0)] = 0.0
    """GPU time of the training, h."""
    labels_bought: Annotated[int, Field(ge=0)] | None = None
    """Frames that were computed with DFT for this model; null: not recorded."""
    limits: tuple[str, ...] = ()
    """Known limits, in words."""


class DatasetContent(StrictModel):
    """All that makes a dataset's version what it is."""

    kind: Literal["dataset"] = "dataset"
    """What is registered."""
    name: ReleaseName
    """Name in the registry."""
    parts: dict[str, Part]
    """Files by POSIX path."""
    card: DatasetCard
    """Frames, elements, labels, units, method, licence, source."""
    limits: tuple[str, ...] = ()
    """Known limits, in words."""


Content = Annotated[ModelContent | DatasetContent, Field(discriminator="kind")]


class Release(StrictModel):
    """A published version; it never changes."""

    version: PositiveInteger
    """Counts from 1 for each name, in the order of publishing."""
    sha256: Sha256
    """Hash of the content below, in canonical JSON."""
    published: str
    """When it was published, UTC, by the publisher's clock; nothing is ordered by it."""
    content: Content
    """What was published."""

    @property
    def name(self) -> str:
        """Name in the registry."""
        return self.content.name

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(part.size for part in self.content.parts.values())

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def content_sha256(content: StrictModel) -> str:
    """SHA-256 of a content in canonical JSON, hexadecimal."""
    return sha256_json(content.model_dump(mode="json"))


def describe_parts(files: Mapping[str, Path]) -> dict[str, Part]:
    """Hash the files that are to be published, by the path that they shall have.

    Raises
    ------
    InputError
        If a path can't be a key of a store.
    """
    return {
        check_key(name): Part(sha256=sha256_file(path), size=path.stat().st_size)
        for name, path in sorted(files.items())
    }


def release_to_bytes(release: Release) -> bytes:
    """Write a release as JSON."""
    return (
        json.dumps(release.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    ).encode()


def release_from_bytes(content: bytes, place: str) -> Release:
    """Read what `release_to_bytes` wrote.

    Raises
    ------
    CorruptError
        If it is something else, or its content is not what its hash says.
    """
    try:
        plain: Any = json.loads(content)
        release = Release.model_validate(plain)
        for name in release.content.parts:
            check_key(name)
        actual = sha256_json(plain["content"])
    except (ValueError, ValidationError, KeyError, TypeError, InputError) as error:
        raise CorruptError(
            f"{place} is no record of a version that this lamflow can read: {error}"
        ) from error
    if actual != release.sha256:
        raise CorruptError(f"{place} was changed after it was published (SHA-256 differs)")
    return release
