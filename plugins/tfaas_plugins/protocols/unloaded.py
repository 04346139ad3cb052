"""Models that somebody unloaded by a protocol, and that it does not serve until they are loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from tfaas_core.errors import StorageUnavailable, Unavailable, UnknownModel
from tfaas_core.events import ModelSwitched
from tfaas_core.host import Host
from tfaas_core.observer import Observer
from tfaas_core.predict.catalog import Catalog
from tfaas_core.shared_memory import LockHeld, SharedMemory
from tfaas_plugins.protocols.oip.models.sizes import DIGEST_BYTES, UNLOADED_BYTES, UNLOADED_SLOTS

_FREE = bytes(UNLOADED_BYTES)
_END = UNLOADED_SLOTS * UNLOADED_BYTES
_LOCK = 0


class UnloadedModels:
    """Which they are, as all HTTP workers know it. It lasts as long as the server runs.

    What another version makes live loads the model: an upload, a roll-back. So a slot holds the
    model's name and its live version, and of a model with another one, it means nothing.
    """

    KEY = "protocols.unloaded"
    """Where a host's ``shared`` has it, if there is any."""

    def __init__(self, memory: SharedMemory, catalog: Catalog) -> None:
        self._memory = memory
        self._catalog = catalog

    @classmethod
    def of(cls, host: Host, memory: SharedMemory) -> UnloadedModels:
        """The one of ``host``, for all protocols."""
        found: UnloadedModels = host.shared.setdefault(cls.KEY, cls(memory, host.catalog))
        return found

    def holds(self, name: str) -> bool:
        """Whether the model ``name`` is unloaded."""
        table = self._memory.bytes
        # Nearly always there is none.
        if table[:UNLOADED_BYTES] == _FREE:
            return False
        place = self._place(_digest(name))
        return place is not None and self._is_live(name, place)

    def check(self, name: str) -> None:
        """Raises Unavailable if the model ``name`` is unloaded."""
        if self.holds(name):
            raise Unavailable(f"model {name!r} is not ready: it was unloaded; load it first")

    def add(self, name: str) -> None:
        """The model ``name`` is unloaded.

        Raises UnknownModel, and Unavailable if too many are, or nobody can take note of it.
        """
        slot = _slot(name, self._catalog.model(name).live.key)
        with self._locked():
            self._drop(_digest(name))
            if self._end() == _END:
                self._drop_former()
            end = self._end()
            if end == _END:
                raise Unavailable(f"{UNLOADED_SLOTS} models are unloaded, which is the most")
            self._memory.bytes[end : end + UNLOADED_BYTES] = slot

    def remove(self, name: str) -> None:
        """The model ``name`` is loaded again. Raises Unavailable if nobody can take note of it."""
        if self._place(_digest(name)) is not None:
            with self._locked():
                self._drop(_digest(name))

    def switched(self, name: str, number: int | None) -> None:
        """The version ``number`` of the model went live, some time ago; None: it was deleted."""
        place = self._place(_digest(name))
        if place is None:
            return
        try:
            is_of_now = self._catalog.model(name).live.version == number
        except UnknownModel:
            is_of_now = False
        # It may have been unloaded since then.
        if not (is_of_now and self._is_live(name, place)):
            self.remove(name)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._memory.lock(_LOCK)
        except LockHeld as error:
            raise Unavailable(f"which models are unloaded cannot be changed now: {error}") from None
        try:
            yield
        finally:
            self._memory.unlock(_LOCK)

    def _is_live(self, name: str, place: int) -> bool:
        """Whether the slot is of the model as it is now."""
        try:
            live = self._catalog.model(name).live
        except UnknownModel:
            return False
        except StorageUnavailable:  # then it is not served either
            return True
        return self._memory.bytes[place : place + UNLOADED_BYTES] == _slot(name, live.key)

    def _place(self, digest: bytes) -> int | None:
        table = self._memory.bytes
        for at in range(0, _END, UNLOADED_BYTES):
            found = table[at : at + DIGEST_BYTES]
            if found == digest:
                return at
            if found == _FREE[:DIGEST_BYTES]:
                return None
        return None

    def _end(self) -> int:
        """Where the first free slot is, or the table ends."""
        place = self._place(_FREE[:DIGEST_BYTES])
        return _END if place is None else place

    def _drop(self, digest: bytes) -> None:
        """The last one moves up, so that no slot amid others is free.

        A process that was killed amid that has left one twice.
        """
        table = self._memory.bytes
        while (place := self._place(digest)) is not None:
            end = self._end()
            last = end - UNLOADED_BYTES
            table[place : place + UNLOADED_BYTES] = table[last:end]
            table[last:end] = _FREE

    def _drop_former(self) -> None:
        """Slots of models that are not there any more, or have another live version."""
        live = {_slot(model.name, model.live.key) for model in self._catalog.list()}
        table = self._memory.bytes
        slots = [table[at : at + UNLOADED_BYTES] for at in range(0, _END, UNLOADED_BYTES)]
        for slot in slots:
            if slot not in live:
                self._drop(slot[:DIGEST_BYTES])


class SwitchesObserver(Observer):
    """Has models served again of which another version went live."""

    def __init__(self, unloaded: UnloadedModels) -> None:
        self._unloaded = unloaded

    def switched(self, event: ModelSwitched) -> None:
        if not event.label:
            self._unloaded.switched(event.model, event.version)


def _slot(name: str, key: str) -> bytes:
    return _digest(name) + _digest(key)


def _digest(text: str) -> bytes:
    return sha256(text.encode(errors="replace")).digest()[:DIGEST_BYTES]
