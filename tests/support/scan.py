"""Looking for credentials in everything that a run leaves behind."""

from collections.abc import Iterator, Mapping
from pathlib import Path

CREDENTIALS = {
    "STUB_TOKEN": "hush-token-5e1f",
    "AWS_ACCESS_KEY_ID": "hush-access-9b20",
    "AWS_SECRET_ACCESS_KEY": "hush-secret-77d3",
    "AWS_SESSION_TOKEN": "hush-session-c4a8",
    "DFLOW_TOKEN": "hush-dflow-token",
    "DFLOW_S3_ACCESS_KEY": "hush-dflow-access",
    "DFLOW_S3_SECRET_KEY": "hush-dflow-secret",
    "LAMFLOW_S3_SECRET_KEY": "hush-lamflow-secret",
    "ARGO_TOKEN": "Bearer hush-argo-token",
}
"""Values of variables as a user may have them; all hold MARK."""
MARK = b"hush-"


def leaks(folder: Path, *, except_below: tuple[Path, ...] = ()) -> Iterator[str]:
    """Name the files below `folder` that hold a credential."""
    for path in sorted(folder.rglob("*")):
        if any(path.is_relative_to(other) for other in except_below):
            continue
        if path.is_file() and not path.is_symlink() and MARK in path.read_bytes():
            yield str(path.relative_to(folder))


def with_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment with all credentials set."""
    return {**environment, **CREDENTIALS}
