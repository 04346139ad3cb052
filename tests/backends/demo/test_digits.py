"""The demo model ``digits``: its bundle, its pictures, and how they are made."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tfaas_backends import demo
from tfaas_backends.demo.train_digits import answers, pack
from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime

from tfaas_core.models.params import Params
from tfaas_core.uploads.bundle import BundleLimits, unpack
from tfaas_core.uploads.contents import contents_of
from tfaas_core.uploads.runtime_choice import RuntimeChoice

FOLDER = Path(demo.__file__).parent
BUNDLE = FOLDER / "digits.tar.gz"
PICTURES = sorted((FOLDER / "pictures").glob("*.png"))
LIMITS = BundleLimits(max_unpacked_bytes=1_000_000, max_bundle_files=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model's folder, as it was before it was packed."""
    with tarfile.open(BUNDLE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "digits"


def test_the_bundle_is_small() -> None:
    assert BUNDLE.stat().st_size < 300_000


def test_the_bundle_says_what_it_is(tmp_path: Path) -> None:
    unpack(BUNDLE, tmp_path / "unpacked", LIMITS)
    runtimes = RuntimeChoice({"saved_model": SavedModelRuntime()})
    bundle = contents_of(tmp_path / "unpacked", runtimes)
    assert bundle.params is not None
    assert bundle.labels is not None
    params = Params.parse(bundle.params.read_bytes())
    assert bundle.name == params.name == "digits"
    assert params.description
    assert bundle.labels.read_text().split() == list("0123456789")


def test_tensorflow_reads_the_digit_of_every_picture() -> None:
    grey = np.stack([np.asarray(Image.open(file)) for file in PICTURES])
    probabilities = answers(BUNDLE.read_bytes(), grey)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    names = [f"digit-{digit}" for digit in probabilities.argmax(axis=1)]
    assert names == [file.stem.rpartition("-")[0] for file in PICTURES]


def test_the_pictures_are_small_and_grey_and_of_different_digits() -> None:
    assert len({file.stem.split("-")[1] for file in PICTURES}) == len(PICTURES) >= 4
    for file in PICTURES:
        with Image.open(file) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (8, 8))
        assert file.stat().st_size < 1000


def test_the_same_files_are_packed_into_the_same_bytes(folder: Path) -> None:
    first = pack(folder)
    for file in folder.rglob("*"):
        os.utime(file, (1, 1))
        file.chmod(0o700)
    (folder / "empty").mkdir()
    assert pack(folder) == first


def test_the_bundle_is_what_the_script_packs(folder: Path) -> None:
    # Another zlib compresses it to other bytes.
    assert gzip.decompress(pack(folder)) == gzip.decompress(BUNDLE.read_bytes())


def test_the_bundle_tells_nothing_of_who_packed_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(BUNDLE.read_bytes())) as archive:
        members = archive.getmembers()
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
        (0, 0, 0, "", "", 0o644)
    }
