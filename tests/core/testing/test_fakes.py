from __future__ import annotations

from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.storage import StorageContract


class TestFakeStorage(StorageContract):
    make_storage = FakeStorage
    crosses_processes = False
