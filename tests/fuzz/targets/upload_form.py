"""Forms of uploads: refused, or their files are on the disk as they are told."""

from __future__ import annotations

import asyncio
import hashlib

from tests.core.uploads.forms import Reader
from tests.fuzz.dice import Dice, pieces
from tests.fuzz.rooms import room
from tfaas_core.errors import TfaasError
from tfaas_core.testing.suites.codec.case import assert_clients_error

_SIZES = (1 << 20, 64, 7)


def check(data: bytes) -> None:
    dice = Dice(data)
    size = dice.one_of(_SIZES)
    with room() as folder, asyncio.Runner() as runner:
        try:
            form = Reader(folder, runner)(*pieces(dice.rest(), size))
        except TfaasError as error:
            assert_clients_error(error, repr(data[:200]))
            return
        found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found.keys() == form.files.keys()
    for name, file in form.files.items():
        assert file.size_bytes == len(found[name])
        assert file.sha256 == hashlib.sha256(found[name]).hexdigest()
