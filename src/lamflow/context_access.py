"""Opening what a context names: the Argo token and the store, with secrets read at that moment."""

import base64
import os
from pathlib import Path
from typing import Any

from lamflow.context import ArgoServer, BucketPlace, Context, find_context, load_contexts
from lamflow.errors import InputError, Problem, UnreachableError
from lamflow.progress import Progress, silent
from lamflow.store.fetch import fetch
from lamflow.store.open import split_s3
from lamflow.store.protocol import Store
from lamflow.store.s3 import Credentials, S3Address, S3Store

_SECRET_KEYS = (
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("accesskey", "secretkey"),  # as Argo's documentation names them
    ("accessKey", "secretKey"),
)
_KUBERNETES_SECONDS = 20


def read_token(argo: ArgoServer) -> str | None:
    """Return the token for Argo, without "Bearer"; None if the context names none.

    Raises
    ------
    InputError
        If it is not where the context says.
    """
    if argo.token is None:
        return None
    kind, _, place = argo.token.partition(":")
    token = {"environment": _from_environment, "file": _from_file, "kubeconfig": _from_kubeconfig}[
        kind
    ](place)
    token = token.strip().removeprefix("Bearer ").strip()
    if not token:
        raise InputError(Problem("context", "argo.token", f"{argo.token} is empty"))
    return token


def _from_environment(name: str) -> str:
    if name not in os.environ:
        what = f"the environment variable {name} is not set; export it, or name another place"
        raise InputError(Problem("context", "argo.token", what))
    return os.environ[name]


def _from_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise InputError(Problem("context", "argo.token", f"can't read {path}: {why}")) from None


def _from_kubeconfig(name: str) -> str:
    """Take the token that kubectl would use; an exec entry of the kubeconfig is run for it."""
    header: str | None = _kubernetes(name).configuration.get_api_key_with_prefix("authorization")
    if header is None:
        what = "the kubeconfig has no token (client certificates can't be used for Argo's server)"
        raise InputError(Problem("context", "argo.token", what))
    return header


def _kubernetes(name: str = "") -> Any:
    """Return a Kubernetes client of the kubeconfig's context `name`, or its current one."""
    from kubernetes import config

    try:
        return config.new_client_from_config(context=name or None)
    except config.ConfigException as error:
        raise InputError(Problem("context", "kubeconfig", f"{error}")) from None


def open_context_store(context: Context) -> Store:
    """Open the bucket and prefix of a context.

    Raises
    ------
    InputError
        If the context names none, or its credentials are not where it says.
    """
    if context.store is None:
        raise InputError("the context has no bucket; `lamflow context add NAME --bucket ...`")
    return _open(context.store, context.store.bucket, context.store.prefix, context.argo)


def open_location(location: str, context: str | None = None) -> tuple[Store, str]:
    """Open the bucket of an ``s3://bucket/key`` address; return it and the key.

    Endpoint, region and credentials are those of the context; without any context, those that
    boto3 finds in the environment.

    Raises
    ------
    InputError
        If the address has no key, or the context is wrong.
    """
    bucket, key = split_s3(location)
    if not key:
        raise InputError(Problem(location, "", "is a whole bucket; write s3://bucket/prefix"))
    wanted = context or os.environ.get("LAMFLOW_CONTEXT") or load_contexts().current
    found = find_context(wanted)[1] if wanted else Context()
    if found.store is None:
        return S3Store(S3Address(bucket)), key
    return _open(found.store, bucket, "", found.argo), key


def _open(place: BucketPlace, bucket: str, prefix: str, argo: ArgoServer | None) -> Store:
    kind, _, name = place.credentials.partition(":")
    credentials = None
    if kind == "secret":
        credentials = _from_secret(name, argo.namespace if argo else "default")
    elif kind == "web-identity" and "AWS_WEB_IDENTITY_TOKEN_FILE" not in os.environ:
        what = "web-identity wants AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, as pods have them"
        raise InputError(Problem("context", "store.credentials", what))
    address = S3Address(
        bucket,
        prefix,
        place.endpoint,
        place.region,
        name if kind == "profile" else None,
        Path(place.ca) if place.ca else None,
        kind == "web-identity",
    )
    return S3Store(address, credentials)


def _from_secret(name: str, namespace: str) -> Credentials:
    """Read keys from a Kubernetes Secret, with the rights of the user's kubeconfig."""
    from kubernetes import client
    from urllib3.exceptions import HTTPError

    try:
        secret = client.CoreV1Api(_kubernetes()).read_namespaced_secret(
            name, namespace, _request_timeout=_KUBERNETES_SECONDS
        )
    except client.ApiException as error:
        what = f"reading Secret {namespace}/{name} failed: {error.status} {error.reason}"
        raise UnreachableError(f"{what}; `kubectl auth can-i get secrets -n {namespace}`") from None
    except HTTPError:
        raise UnreachableError("Kubernetes does not answer; try `kubectl version`") from None
    data = {key: base64.b64decode(value).decode() for key, value in (secret.data or {}).items()}
    for access, hidden in _SECRET_KEYS:
        if access in data and hidden in data:
            return Credentials(data[access], data[hidden], data.get("AWS_SESSION_TOKEN"))
    pairs = " or ".join(f"{access} and {hidden}" for access, hidden in _SECRET_KEYS[:2])
    what = f"Secret {namespace}/{name} lacks {pairs}"
    raise InputError(Problem("context", "store.credentials", what))


def fetch_location(
    location: str,
    *,
    context: str | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> Path:
    """Give a local copy of what lies at an ``s3://`` address (see `lamflow.store.fetch.fetch`).

    Raises
    ------
    InputError
        If nothing is there, or the context is wrong.
    UnreachableError
        If the store does not answer or refuses.
    """
    store, key = open_location(location, context)
    return fetch(store, key, cache, progress)
