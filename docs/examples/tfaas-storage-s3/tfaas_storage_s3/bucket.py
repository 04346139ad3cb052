"""Bucket: the few requests that this storage makes of an S3 store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from tfaas_storage_s3.faults import Place, no_conditions, told

if TYPE_CHECKING:
    from obstore.store import S3Config

_CONNECT_S = 3.0
_RETRIES = 2
_AMAZON = "https://s3.amazonaws.com"
_NO_ETAG = '"00000000000000000000000000000000"'


class Options(msgspec.Struct, frozen=True):
    """How to reach a bucket. ``keys`` are the access key and its secret; None: obstore finds some.

    With ``retries`` 0, and a short ``timeout_s``, one knows soon that nobody answers.
    """

    bucket: str
    prefix: str
    endpoint: str = ""
    region: str = ""
    keys: tuple[str, str] | None = None
    timeout_s: float = 30.0
    retries: int = _RETRIES


class Listed(msgspec.Struct, frozen=True):
    """An object of a listing. ``changed`` is when it was put, by the store's clock."""

    key: str
    etag: str
    changed: datetime


class Object(Listed, frozen=True):
    """An object with its bytes."""

    body: bytes


class Bucket:
    """The objects below one prefix; keys are what follows it. Methods may be called anywhere.

    They raise StorageUnavailable and StorageFull, with a sentence. A process that was forked from
    one that has used a bucket can use none: the library's threads are not there.
    """

    def __init__(self, options: Options) -> None:
        self.place = Place(
            options.bucket, options.endpoint.rstrip("/") or _AMAZON, options.keys is not None
        )
        self._store = _store(options)

    def get(self, key: str) -> Object | None:
        """The object; None if there is none."""
        with suppress(FileNotFoundError), told(self.place):
            answer = obstore.get(self._store, key)
            body, meta = bytes(answer.bytes()), answer.meta
            return Object(key, str(meta["e_tag"]), meta["last_modified"], body)
        return None

    def get_piece(self, key: str) -> memoryview | None:
        """The bytes of an object, not copied; None if there is none."""
        with suppress(FileNotFoundError), told(self.place):
            return memoryview(obstore.get(self._store, key).bytes())
        return None

    def now(self, key: str) -> datetime:
        """What the store's clock says, to the second; ``key`` is for this alone."""
        self.put(key, b"")
        with told(self.place):
            return obstore.head(self._store, key)["last_modified"]

    def list(self, prefix: str) -> list[Listed]:
        """The objects whose keys begin with ``prefix``, which ends where a part of a key does."""
        with told(self.place):
            listed = obstore.list(self._store, prefix).collect()
        return [Listed(each["path"], str(each["e_tag"]), each["last_modified"]) for each in listed]

    def put(self, key: str, body: bytes | memoryview) -> None:
        """Puts an object in the place of whatever is there."""
        with told(self.place):
            obstore.put(self._store, key, body, use_multipart=False)

    def create(self, key: str, body: bytes) -> str | None:
        """Puts an object where there is none, and returns its ETag; None: there is one."""
        with suppress(AlreadyExistsError), told(self.place):
            return _etag(obstore.put(self._store, key, body, mode="create", use_multipart=False))
        return None

    def replace(self, key: str, body: bytes, etag: str) -> str | None:
        """Puts an object in the place of the one with ``etag``, and returns the new ETag.

        None: another one is there now, or none.
        """
        with suppress(PreconditionError), told(self.place):
            return _etag(
                obstore.put(self._store, key, body, mode={"e_tag": etag}, use_multipart=False)
            )
        return None

    def delete(self, keys: Sequence[str]) -> None:
        """Removes objects; those that are not there are no fault."""
        with suppress(FileNotFoundError), told(self.place):
            if keys:
                obstore.delete(self._store, keys)

    def check_conditions(self, key: str) -> None:
        """Raises StorageUnavailable if the store puts objects whatever is there already."""
        self.create(key, b"")
        if self.create(key, b"") is not None or self.replace(key, b"", _NO_ETAG) is not None:
            raise no_conditions(self.place)


def _etag(result: obstore.PutResult) -> str:
    return str(result["e_tag"])


def _store(options: Options) -> S3Store:
    config: S3Config = {
        "virtual_hosted_style_request": not options.endpoint,
        "conditional_put": "etag",
    }
    if options.keys is not None:
        config["access_key_id"], config["secret_access_key"] = options.keys
    if options.endpoint:
        config["endpoint"] = options.endpoint.rstrip("/")
    if options.region:
        config["region"] = options.region
    timeout = timedelta(seconds=options.timeout_s)
    return S3Store(
        options.bucket,
        prefix=options.prefix or None,
        config=config,
        client_options={
            "allow_http": options.endpoint.startswith("http://"),
            "connect_timeout": min(timeout, timedelta(seconds=_CONNECT_S)),
            "timeout": timeout,
        },
        retry_config={
            "max_retries": options.retries,
            "retry_timeout": timeout,
            "backoff": {
                "init_backoff": timedelta(milliseconds=50),
                "max_backoff": timedelta(seconds=1),
                "base": 2,
            },
        },
    )
