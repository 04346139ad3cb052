"""What the parts of Runtime's contract have in common: samples of models, and how they are made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np
import pytest

from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Runtime, Servable
from tfaas_core.tensors import Array, Signature
from tfaas_core.testing.suites.time_limited import TimeLimited


class ModelSample(msgspec.Struct, frozen=True):
    """A model that the runtime loads, and what becomes of it."""

    make: Callable[[Path], Path]
    """Writes the model into an empty folder; returns its file, or its folder."""
    signature: Signature
    inputs: Sequence[Array]
    outputs: Sequence[Array]
    """What it answers to ``inputs``, right after it was loaded."""
    file_name: str = ""
    """What an uploader calls it; empty if that is a folder."""
    params: Params = Params()


class RuntimeCase(TimeLimited):
    """A runtime to test, with models that it loads."""

    limit_s = 600.0

    make_runtime: ClassVar[Callable[[], Runtime]]
    """It is called in other processes too: so it is a class or function that can be pickled, and
    that a module has which imports no heavy library."""

    samples: ClassVar[Sequence[ModelSample]]
    """Models, small ones; if the runtime loads any, one with a free batch axis and one that keeps
    state."""

    tolerance: ClassVar[float] = 1e-5
    """How far answers may be from those of the samples, of their size."""

    @pytest.fixture
    def runtime(self) -> Runtime:
        return type(self).make_runtime()

    @pytest.fixture
    def models(self, tmp_path: Path) -> list[Path]:
        """The artifacts of the samples."""
        made = []
        for number, sample in enumerate(self.samples):
            folder = tmp_path / f"made-{number}"
            folder.mkdir()
            made.append(sample.make(folder))
        return made

    def assert_answers(self, sample: ModelSample, got: object) -> None:
        """What a servable of the sample has answered is a list of such arrays as it should."""
        assert isinstance(got, list)
        for spec, array, expected in zip(
            sample.signature.outputs, got, sample.outputs, strict=True
        ):
            assert isinstance(array, np.ndarray)
            assert array.dtype == spec.numpy_dtype
            assert array.shape == expected.shape
            if array.dtype.kind in "fc":
                np.testing.assert_allclose(array, expected, self.tolerance, self.tolerance)
            else:
                np.testing.assert_array_equal(array, expected)


@contextmanager
def loaded(
    runtime: Runtime, model: Path, sample: ModelSample, options: LoadOptions | None = None
) -> Iterator[Servable]:
    """The sample's servable, closed at the end of the block."""
    servable = runtime.load(model, sample.params, options or LoadOptions(threads=1))
    assert isinstance(servable, Servable)
    try:
        yield servable
    finally:
        servable.close()


def copied(artifact: Path, target: Path) -> Path:
    """A copy of a model's file or folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if artifact.is_dir():
        shutil.copytree(artifact, target)
    else:
        shutil.copyfile(artifact, target)
    return target
