"""Tarballs: refused, or all that they hold is in the folder, as files and folders, and no more."""

from __future__ import annotations

import gzip
from pathlib import Path

from tests.fuzz.dice import Dice
from tests.fuzz.rooms import room
from tfaas_core.errors import TfaasError
from tfaas_core.testing.suites.codec.case import assert_clients_error
from tfaas_core.uploads.bundle import BundleLimits, is_bundle, unpack
from tfaas_core.uploads.companions import Companions, read_labels, read_params, read_warmup

_LIMITS = BundleLimits(max_unpacked_bytes=1 << 16, max_bundle_files=20)


def check(data: bytes) -> None:
    dice = Dice(data)
    is_packed = dice.one_of((False, True))
    content = dice.rest()
    with room() as place:
        tarball, folder = place / "tarball", place / "folder"
        tarball.write_bytes(gzip.compress(content, 1) if is_packed else content)
        try:
            is_bundle(tarball)
            unpack(tarball, folder, _LIMITS)
            _read_companions(folder)
        except TfaasError as error:
            assert_clients_error(error, repr(data[:200]))
        finally:
            _check_place(place)


def _read_companions(folder: Path) -> None:
    beside = Companions.at(folder, folder)
    if beside.params is not None:
        read_params(beside.params)
    if beside.labels is not None:
        read_labels(beside.labels, beside.labels.name)
    if beside.warmup is not None:
        read_warmup(beside.warmup)


def _check_place(place: Path) -> None:
    assert {path.name for path in place.iterdir()} == {"tarball", "folder"}
    found = list((place / "folder").rglob("*"))
    files = [path for path in found if not path.is_dir()]
    assert all(path.is_file() and not path.is_symlink() for path in files)
    assert all(path.stat().st_nlink == 1 for path in files)
    assert len(files) <= _LIMITS.max_bundle_files
    assert sum(path.stat().st_size for path in files) <= _LIMITS.max_unpacked_bytes
