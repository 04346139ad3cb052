from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.runtime import SIGNATURE, FakeRuntime
from tfaas_core.testing.runtimes import ModelSample, RuntimeContract
from tfaas_core.testing.storage import StorageContract


class TestFakeStorage(StorageContract):
    make_storage = FakeStorage
    crosses_processes = False
    syncs_files = False


def text(words: str) -> ModelSample:
    """A model of the fake runtime, which answers the sum of a row, or of all rows so far."""

    def make(folder: Path) -> Path:
        file = folder / "vk.pb"
        file.write_text(words)
        return file

    outputs = [[6], [21 if words == "add-up" else 15]]
    return ModelSample(
        make,
        SIGNATURE,
        [np.array([[1, 2, 3], [4, 5, 6]], np.float32)],
        [np.array(outputs, np.float32)],
        file_name="vk.pb",
    )


class TestFakeRuntime(RuntimeContract):
    make_runtime = FakeRuntime
    samples: ClassVar[list[ModelSample]] = [text("sum"), text("add-up")]
