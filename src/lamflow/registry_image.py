"""Asking a registry whether it would give an image to anybody (OCI distribution, pull only)."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

_SECONDS = 10.0
_TYPES = (
    "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)  # fmt: skip
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class ImageError(Exception):
    """The image can't be pulled; says why."""


@dataclass(frozen=True)
class ImageName:
    """Parts of an image's name; `reference` is a tag or a digest."""

    registry: str
    repository: str
    reference: str

    @property
    def url(self) -> str:
        """Address of its manifest; a registry on this machine speaks plain HTTP."""
        here = self.registry.partition(":")[0] in ("localhost", "127.0.0.1")
        scheme = "http" if here else "https"
        return f"{scheme}://{self.registry}/v2/{self.repository}/manifests/{self.reference}"


def parse_image(image: str) -> ImageName:
    """Take a name apart as docker does: ``python`` is ``docker.io/library/python:latest``."""
    name, _, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", name if slash else f"library/{name}"
    repository, _, tag = rest.partition(":")
    registry = "registry-1.docker.io" if first == "docker.io" else first
    return ImageName(registry, repository, digest or tag or "latest")


def look_up_image(image: str) -> str:
    """Say that the registry gives the image to anybody.

    Raises
    ------
    ImageError
        It does not, or can't be asked.
    """
    from urllib3 import PoolManager
    from urllib3.exceptions import HTTPError

    name = parse_image(image)
    pool = PoolManager(retries=1, timeout=_SECONDS)
    headers = {"Accept": ", ".join(_TYPES)}
    try:
        answer = pool.request("HEAD", name.url, headers=headers)
        if answer.status == 401:
            token = _anonymous_token(pool, answer.headers.get("WWW-Authenticate", ""))
            headers["Authorization"] = f"Bearer {token}"
            answer = pool.request("HEAD", name.url, headers=headers)
    except HTTPError as error:
        raise ImageError(f"{name.registry} does not answer ({type(error).__name__})") from None
    if answer.status == 404:
        raise ImageError(f"{name.registry} has no such image")
    if answer.status in (401, 403):
        raise ImageError("wants a log-in, or is not there; give the pods' account a pull secret")
    if answer.status != 200:
        raise ImageError(f"{name.registry} answers {answer.status}")
    return "can be pulled by anybody"


def _anonymous_token(pool: Any, challenge: str) -> str:
    """Ask for the token that registries give to anybody for reading."""
    fields = dict(_CHALLENGE.findall(challenge))
    realm = fields.pop("realm", "")
    if not realm.startswith("https://"):
        return ""
    try:
        answer = json.loads(pool.request("GET", f"{realm}?{urlencode(fields)}").data)
    except ValueError:
        return ""
    return str(answer.get("token") or answer.get("access_token") or "")
