"""Contexts: which cluster and bucket to use, as kubectl has them.

They lie in the user's config folder, readable by the user alone. A context never holds a secret:
it says where one is to be found.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from lamflow.config.base import Name, StrictModel
from lamflow.config.document import parse, suggest
from lamflow.config.problems import translate
from lamflow.errors import InputError, Problem
from lamflow.secrets import find_secret

CONTEXT_VARIABLE = "LAMFLOW_CONTEXT"
"""Environment variable that names the context to use instead of the current one."""


def _harmless(text: str) -> str:
    what = find_secret(text, os.environ)
    if what:
        raise PydanticCustomError(
            "secret",
            "looks like {what}; contexts hold no secrets: name where it is instead, such as "
            "environment:NAME or file:/path",
            {"what": what},
        )
    return text


def _absolute(text: str) -> str:
    path = Path(text).expanduser()
    if not path.is_absolute():
        raise PydanticCustomError("path", "'{text}' is no absolute path", {"text": text})
    return str(path)


def _reference(text: str) -> str:
    return text if not text.startswith("file:") else f"file:{_absolute(text[5:])}"


_TOKEN = r"^(environment:[A-Z_][A-Z0-9_]{0,63}|file:.{1,300}|kubeconfig(:[\w.@:/-]{1,128})?)$"  # noqa: S105
_CREDENTIALS = r"^(environment|web-identity|profile:[\w.@-]{1,64}|secret:[a-z0-9][-.a-z0-9]{0,62})$"
_URL = r"^https?://[A-Za-z0-9.\[\]:-]+(/[\w./~-]*)?$"
_BUCKET = r"^[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]$"
_PREFIX = r"^([\w.-]+(/[\w.-]+)*)?$"

Harmless = AfterValidator(_harmless)
Url = Annotated[str, Harmless, StringConstraints(pattern=_URL, max_length=300)]
FilePath = Annotated[str, Harmless, AfterValidator(_absolute)]
TokenReference = Annotated[
    str, Harmless, StringConstraints(pattern=_TOKEN), AfterValidator(_reference)
]
CredentialsReference = Annotated[str, Harmless, StringConstraints(pattern=_CREDENTIALS)]
Region = Annotated[str, Harmless, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
Namespace = Annotated[
    str, Harmless, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
]
BucketName = Annotated[str, Harmless, StringConstraints(pattern=_BUCKET)]
Prefix = Annotated[str, Harmless, StringConstraints(pattern=_PREFIX, max_length=200)]
ContextName = Annotated[Name, Harmless]


class ArgoServer(StrictModel):
    """Where Argo Workflows answers, and who asks."""

    server: Annotated[Url, Field(examples=["https://argo.example.org"])]
    """URL of the Argo server."""
    namespace: Namespace = "default"
    """Kubernetes namespace of the workflows."""
    token: TokenReference | None = None
    """Where the token is: environment:NAME, file:/path, kubeconfig or kubeconfig:CONTEXT."""
    ca: FilePath | None = None
    """File of certificates to trust instead of the system's; TLS is always verified."""


class BucketPlace(StrictModel):
    """Where artifacts are kept."""

    bucket: Annotated[BucketName, Field(examples=["my-bucket"])]
    """Name of the bucket."""
    prefix: Prefix = ""
    """All keys are below it."""
    endpoint: Url | None = None
    """URL of the S3 server; without it, Amazon's."""
    region: Region | None = None
    """Region; without it, as the environment says."""
    ca: FilePath | None = None
    """File of certificates to trust instead of the system's."""
    credentials: CredentialsReference = "environment"
    """Where the keys are: environment, profile:NAME, web-identity, or secret:NAME (Kubernetes)."""


class Context(StrictModel):
    """One place to run in."""

    argo: ArgoServer | None = None
    """The cluster's Argo."""
    store: BucketPlace | None = None
    """The bucket for artifacts."""


class Contexts(StrictModel):
    """All contexts of a user."""

    current: ContextName | None = None
    """The one that is used if none is named."""
    contexts: dict[ContextName, Context] = Field(default_factory=dict)
    """Contexts by name."""


def contexts_file() -> Path:
    """Return the file of the contexts: ``$XDG_CONFIG_HOME/lamflow/contexts.yaml``."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "lamflow" / "contexts.yaml"


def load_contexts() -> Contexts:
    """Read the user's contexts; none if there is no file yet.

    Raises
    ------
    InputError
        If the file is wrong, or others may write to it.
    """
    file = contexts_file()
    if not file.exists():
        return Contexts()
    if file.stat().st_mode & 0o022:
        raise InputError(Problem(str(file), "", f"others may write to it; chmod 600 {file}"))
    document = parse(file.read_text(encoding="utf-8"), str(file))
    if document.problems:
        raise InputError(*document.problems)
    try:
        return Contexts.model_validate(document.data or {})
    except ValidationError as failure:
        raise InputError(*translate(failure, Contexts, document)) from None


def add_context(name: str, values: dict[str, object], *, replace: bool = False) -> Context:
    """Store a context; the first one becomes the current one.

    Parameters
    ----------
    name
        Its name.
    values
        As `Context` has them.
    replace
        Whether an older one of that name may go.

    Raises
    ------
    InputError
        If a value is wrong or looks like a secret, or the name is taken. The value is not shown.
    """
    with _changing() as change:
        if name in change.contexts and not replace:
            raise InputError(f"context '{name}' is there already; --replace changes it")
        context = _validated(name, values)
        change.contexts[name] = context
        change.current = change.current or name
    return context


def use_context(name: str) -> None:
    """Make a context the current one; InputError if there is none of that name."""
    with _changing() as change:
        _known(name, change.contexts)
        change.current = name


def remove_context(name: str) -> None:
    """Forget a context; InputError if there is none of that name."""
    with _changing() as change:
        _known(name, change.contexts)
        del change.contexts[name]
        if change.current == name:
            change.current = None


def find_context(name: str | None = None) -> tuple[str, Context]:
    """Return name and context: the one named, or of $LAMFLOW_CONTEXT, or the current one.

    Raises
    ------
    InputError
        If there is none, or none of that name.
    """
    stored = load_contexts()
    name = name or os.environ.get(CONTEXT_VARIABLE) or stored.current
    if name is None:
        raise InputError("no context is in use; `lamflow context add NAME ...` makes one")
    _known(name, stored.contexts)
    return name, stored.contexts[name]


class _Change:
    """Contexts while they are changed."""

    def __init__(self, stored: Contexts) -> None:
        self.current = stored.current
        self.contexts = dict(stored.contexts)


@contextmanager
def _changing() -> Iterator[_Change]:
    """Read the contexts, let the block change them, and write them if it succeeds."""
    from filelock import FileLock

    file = contexts_file()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(file.parent / ".contexts.lock"):
        change = _Change(load_contexts())
        yield change
        _save(Contexts(current=change.current, contexts=change.contexts), file)


def _save(contexts: Contexts, file: Path) -> None:
    """Write the file whole or not at all; nobody else may read it at any time."""
    values = contexts.model_dump(exclude_none=True)
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".contexts.")  # its mode is 600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _validated(name: str, values: dict[str, object]) -> Context:
    try:
        stored = Contexts.model_validate({"contexts": {name: values}})
    except ValidationError as failure:
        raise InputError(*_unshown(failure)) from None
    return stored.contexts[name]


_HINTS = {
    "server": "write it like https://argo.example.org (no user, no query)",
    "endpoint": "write it like https://s3.example.org (no user, no query)",
    "token": "write environment:NAME, file:/path, kubeconfig or kubeconfig:CONTEXT",
    "credentials": "write environment, profile:NAME, web-identity or secret:NAME",
    "namespace": "use lower case letters, digits and '-'",
    "bucket": "use 3 to 63 lower case letters, digits, '-' and '.'",
    "prefix": "write it like team/project",
    "region": "write it like eu-central-1",
}


def _unshown(failure: ValidationError) -> Iterator[Problem]:
    """Say what is wrong without the values: one of them may be a secret after all."""
    for error in failure.errors(include_url=False, include_input=False):
        keys = [str(key) for key in error["loc"] if key not in ("contexts", "[key]")]
        known = error["type"] in ("secret", "path", "missing", "extra_forbidden")
        what = error["msg"] if known else _HINTS.get(keys[-1], "can't be a name")
        yield Problem("context", ".".join(keys), what)


def _known(name: str, contexts: dict[str, Context]) -> None:
    if name not in contexts:
        near = suggest(name, list(contexts))
        known = f"there are {', '.join(contexts)}" if contexts else "there are none yet"
        raise InputError(f"no context is named '{name}'{near or '; ' + known}")
