"""Faults: what the store's refusals mean, in one sentence each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from tfaas_core import StorageFull, StorageUnavailable, TfaasError

_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_METADATA = "169.254."
"""Where a machine at Amazon asks for the keys of its role."""

_WRONG_KEYS = {
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId", "InvalidToken"),
    *("ExpiredToken", "TokenRefreshRequired", "AuthFailure"),
}
_ELSEWHERE = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"}
_FULL = {"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "EntityTooLarge"}
_SKEWED = {"RequestTimeTooSkewed"}


class Place(msgspec.Struct, frozen=True):
    """The bucket, as messages call it. ``configured``: the configuration has the keys."""

    bucket: str
    endpoint: str
    configured: bool


@contextmanager
def told(place: Place) -> Iterator[None]:
    """Makes what the block's request came to StorageUnavailable or StorageFull.

    What the block asks for goes through: that an object is not there, or another one than it was
    to be.
    """
    try:
        yield
    except (FileNotFoundError, AlreadyExistsError, PreconditionError) as error:
        if "NoSuchBucket" in str(error):
            raise meant(error, place) from error
        raise
    except (BaseError, OSError, ValueError) as error:
        raise meant(error, place) from error


def meant(error: Exception, place: Place) -> TfaasError:
    """What an error of obstore's is for users; where the bucket is, clients are not told."""
    fault = _meant(error, place)
    is_full = isinstance(fault, StorageFull)
    what = "the storage is full" if is_full else "the storage cannot be used at the moment"
    fault.for_clients = f"{what}; the server's log says why"
    return fault


def _meant(error: Exception, place: Place) -> TfaasError:
    text = str(error).partition("\n\nDebug source")[0]
    code = (_CODE.findall(text) or [""])[0]
    status = (_STATUS.findall(text) or [""])[0]
    if _METADATA in text:
        return StorageUnavailable(
            "there are no keys for S3: set storage.access_key and storage.secret_key, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
        )
    if not status:
        return StorageUnavailable(
            f"the S3 store {place.endpoint} does not answer; see that it runs, and that "
            "storage.endpoint is its URL"
        )
    if code in _FULL or status == "507":
        return StorageFull(f"bucket {place.bucket!r} is full, {place.endpoint} says; make room")
    return StorageUnavailable(_refusal(error, place, code, status))


def no_conditions(place: Place) -> StorageUnavailable:
    """The error of a store on which servers would be in each other's way."""
    return StorageUnavailable(
        f"the S3 store {place.endpoint} has no conditional writes, If-None-Match and If-Match, so "
        "servers would overwrite each other's models; take one that has"
    )


def _refusal(error: Exception, place: Place, code: str, status: str) -> str:
    where = f"bucket {place.bucket!r} of {place.endpoint}"
    if code == "NoSuchBucket":
        return f"there is no {where}; make it, or correct storage.bucket"
    if code in _WRONG_KEYS or isinstance(error, UnauthenticatedError):
        keys = "storage.access_key and storage.secret_key"
        return (
            f"the S3 store {place.endpoint} does not accept the keys; correct "
            f"{keys if place.configured else 'those of the environment, or set ' + keys}"
        )
    if code in _SKEWED:
        return f"the S3 store {place.endpoint} has another time than this machine; set the clocks"
    if code == "AccessDenied" or isinstance(error, PermissionDeniedError):
        return (
            f"the keys may not use {where} so; give them the rights s3:ListBucket, "
            "s3:GetObject, s3:PutObject and s3:DeleteObject"
        )
    if code in _ELSEWHERE or status == "301":
        return f"{where} is in another region; correct storage.region"
    if status == "501":
        return no_conditions(place).message
    return f"{where} cannot be used now: the store answered {status} {code}".rstrip()
