"""Lease: the right to change a name, as an object in the bucket that its holder renews."""

from __future__ import annotations

import logging
import threading
import time

import msgspec

from tfaas_core import Busy, StorageUnavailable, TfaasError
from tfaas_storage_s3 import keys
from tfaas_storage_s3.bucket import Bucket, Object

RESOLUTION_S = 1.0
"""The store's clock tells no more than seconds."""

RENEWALS = 4
"""In the time that a lease lasts."""

_TRIES = 5

_log = logging.getLogger(__name__)


class _Holder(msgspec.Struct, frozen=True):
    """The content of the object. ``turn`` makes each renewal another one."""

    token: str
    lease_s: float
    turn: int = 0


class Lease:
    """The lease of one name. What is changed under it is guarded by conditional writes besides.

    So a holder that was stopped, and goes on when another has the lease, breaks nothing.
    """

    def __init__(self, bucket: Bucket, quick: Bucket, name: str, lease_s: float) -> None:
        """``quick`` is the same bucket, but answers, or does not, before the lease has ended."""
        self._bucket = bucket
        self._quick = quick
        self._name = name
        self._key = keys.of_claim(name)
        self._holder = _Holder(keys.new_token(), lease_s)
        self._etag = ""
        self._ends_s = 0.0
        self._ended = threading.Event()

    def take(self) -> bool:
        """Takes it, for as long as it is renewed; whether from one that let it expire.

        Raises Busy.
        """
        for _ in range(_TRIES):
            start_s = time.monotonic()
            if etag := self._bucket.create(self._key, self._body()):
                self._begin(etag, start_s)
                return False
            there = self._bucket.get(self._key)
            if there is None:
                continue  # its holder gave it up just now
            if self._is_mine(there):  # the answer to an earlier try got lost
                self._begin(there.etag, start_s)
                return False
            if not self._has_expired(there):
                break
            start_s = time.monotonic()
            if etag := self._bucket.replace(self._key, self._body(), there.etag):
                _log.warning("model %r was left claimed by a server that is gone", self._name)
                self._begin(etag, start_s)
                return True
        raise Busy(
            f"model {self._name!r} is being uploaded or deleted by another request; try again "
            "later",
            model=self._name,
        )

    def check(self) -> None:
        """Raises Busy if the lease was not renewed in time: somebody else may have it."""
        if time.monotonic() >= self._ends_s:
            raise Busy(
                f"the claim of model {self._name!r} was lost, since the S3 store could not be "
                "reached in time; try again",
                model=self._name,
            )

    def give_up(self) -> None:
        """Ends it, if it has not ended; then the name is free."""
        if self._ended.is_set():
            return
        self._ended.set()
        if time.monotonic() < self._ends_s - self._holder.lease_s / RENEWALS:
            try:
                self._bucket.delete([self._key])
            except TfaasError as error:
                _log.warning("the claim of model %r ends by itself: %s", self._name, error.message)

    def _begin(self, etag: str, start_s: float) -> None:
        self._renewed(etag, start_s)
        threading.Thread(target=self._renew_until_ended, daemon=True).start()

    def _renewed(self, etag: str, start_s: float) -> None:
        self._etag = etag
        self._ends_s = start_s + self._holder.lease_s

    def _renew_until_ended(self) -> None:
        while not self._ended.wait(self._holder.lease_s / RENEWALS):
            try:
                if not self._renew():
                    return
            except TfaasError as error:
                _log.info("the claim of model %r was not renewed: %s", self._name, error.message)

    def _renew(self) -> bool:
        """Whether it is still ours."""
        start_s = time.monotonic()
        etag = self._put_again()
        if etag is None:
            there = self._quick.get(self._key)
            if there is None or not self._is_mine(there):
                self._ends_s = 0.0
                return False
            # Of a renewal whose answer got lost; when it came there, nobody knows.
            self._etag = there.etag
            etag = self._put_again()
        if etag is not None:
            self._renewed(etag, start_s)
        return True

    def _put_again(self) -> str | None:
        self._holder = msgspec.structs.replace(self._holder, turn=self._holder.turn + 1)
        return self._quick.replace(self._key, self._body(), self._etag)

    def _body(self) -> bytes:
        return msgspec.json.encode(self._holder)

    def _is_mine(self, there: Object) -> bool:
        return _holder_of(there).token == self._holder.token

    def _has_expired(self, there: Object) -> bool:
        age_s = (self._bucket.now(keys.CLOCK) - there.changed).total_seconds()
        return age_s >= _holder_of(there).lease_s + RESOLUTION_S


def _holder_of(there: Object) -> _Holder:
    try:
        return msgspec.json.decode(there.body, type=_Holder)
    except msgspec.DecodeError:
        raise StorageUnavailable(f"{there.key} in the bucket is no claim; remove it") from None
