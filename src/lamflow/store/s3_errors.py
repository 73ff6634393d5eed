"""Saying what went wrong with S3, without a word of the credentials."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lamflow.errors import LamflowError, UnreachableError
from lamflow.store.protocol import ExistsError, NotFoundError, UnsupportedError

_MISSING = {"404", "NoSuchKey", "NotFound"}
_REFUSED = {
    "403": "the credentials are not allowed to do this",
    "AccessDenied": "the credentials are not allowed to do this",
    "InvalidAccessKeyId": "the access key is unknown there",
    "SignatureDoesNotMatch": "the secret key does not fit the access key",
    "ExpiredToken": "the session has expired; log in again",
    "InvalidToken": "the session token is not valid",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it",
}
_CONFLICT = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}
_LACKING = {"501", "NotImplemented", "MethodNotAllowed", "405"}


@contextmanager
def translated(bucket: str, endpoint: str | None, key: str) -> Iterator[None]:
    """Raise lamflow's errors instead of boto3's.

    Raises
    ------
    NotFoundError, ExistsError, UnsupportedError
        As the server answers.
    UnreachableError
        The server does not answer, fails, or refuses the credentials; or there are none.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    place = f"s3://{bucket}/{key}".rstrip("/") + (f" at {endpoint}" if endpoint else "")
    try:
        yield
    except ClientError as error:
        raise _answer(error, bucket, place) from error
    except Boto3Error as error:  # upload_file hides the answer in one of these
        if isinstance(error.__context__, ClientError):
            raise _answer(error.__context__, bucket, place) from error
        raise UnreachableError(f"{place}: {error}") from error
    except BotoCoreError as error:
        raise UnreachableError(f"{place}: {_silence(error)}") from error


def _answer(error: Any, bucket: str, place: str) -> LamflowError:
    """Translate what the server answered."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    if code == "NoSuchBucket":
        return UnreachableError(f"{place}: there is no bucket '{bucket}'; create it first")
    if code in _MISSING:
        return NotFoundError(f"there is no {place}")
    if code in _REFUSED or status == "403":
        why = _REFUSED.get(code, _REFUSED["403"])
        return UnreachableError(f"{place}: refused ({code or status}): {why}")
    if code in _CONFLICT or status == "412":
        return ExistsError(f"{place} is there already, or was changed meanwhile; read it again")
    if code in _LACKING:
        return UnsupportedError(f"{place}: the server lacks {error.operation_name}")
    return UnreachableError(
        f"{place}: {error.operation_name} failed with {code or status} after all attempts; "
        "try again later"
    )


def _silence(error: Exception) -> str:
    """Say why there was no answer."""
    from botocore import exceptions as botocore

    if isinstance(error, (botocore.NoCredentialsError, botocore.PartialCredentialsError)):
        return (
            "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or name a profile of ~/.aws"
        )
    if isinstance(error, botocore.ProfileNotFound):
        return f"{error}; `aws configure list-profiles` shows those that there are"
    if isinstance(error, botocore.SSLError):
        return "the server's certificate is not trusted; name its CA file in the context"
    if isinstance(error, (botocore.ConnectionError, botocore.HTTPClientError)):
        return "the server does not answer; check the endpoint and the network"
    return f"{type(error).__name__}; check endpoint, region and credentials"
