"""A file expands to no more than is allowed, is read to an end, and runs no code."""

from __future__ import annotations

import io
import lzma
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import awkward as ak
import cramjam
import numpy as np
import pytest
import uproot
import xxhash
from files import LIMIT, NAMED, VERSION, branches, features, file, ntuple, read
from tfaas_codec_root import tree
from tfaas_codec_root.blocks import bounded_by
from tfaas_codec_root.budget import Budget, check_metadata
from tfaas_codec_root.chunks import CountedChunk
from uproot.compression import decompress
from uproot.source.chunk import Chunk
from uproot.source.cursor import Cursor

from tfaas_core.errors import BadBody, DoesNotFit, TfaasError, TooLarge
from tfaas_core.tensors import TensorSpec
from tfaas_core.testing.models import model_version

ZEROS = branches(a=np.zeros(400_000), b=np.zeros(400_000))
NUMBERS = branches(pt=[1.0, 3], eta=[2.0, 4])
BOMB_BYTES = 100_000_000
EXPANDED = {
    b"ZL": lambda zeros: zlib.compress(zeros, 1),
    b"XZ": lambda zeros: lzma.compress(zeros, preset=0),
    b"ZS": cramjam.zstd.compress,
    b"L4": lambda zeros: cramjam.lz4.compress_block(zeros, store_size=False),
}


@pytest.mark.parametrize("write", [lambda values, how: file(how, Events=values), ntuple])
@pytest.mark.parametrize(
    "compression", [uproot.ZLIB(1), uproot.LZMA(1), uproot.LZ4(1), uproot.ZSTD(1)]
)
def test_a_small_body_of_many_rows_is_refused(write: Any, compression: Any) -> None:
    body = write(ZEROS, compression)
    assert len(body) < LIMIT // 10
    with pytest.raises(TooLarge, match=r"the limit is 1000000 \(server.max_body_bytes\)"):
        read(body)


@pytest.mark.parametrize("name", EXPANDED)
def test_a_block_that_lies_of_its_size_is_not_expanded(name: bytes) -> None:
    packed = bytes(EXPANDED[name](bytes(BOMB_BYTES)))
    checksum = xxhash.xxh64(packed).digest() if name == b"L4" else b""
    sizes = [(len(checksum + packed)).to_bytes(3, "little"), (1000).to_bytes(3, "little")]
    block = name + b"\x01" + b"".join(sizes) + checksum + packed
    chunk = Chunk.wrap(None, np.frombuffer(block, np.uint8))
    with (
        peak_growth() as grown_bytes,
        pytest.raises((ValueError, cramjam.DecompressionError)),
        bounded_by(Budget(LIMIT)),
    ):
        decompress(chunk, Cursor(0), {}, len(block), 1000)
    assert grown_bytes() < BOMB_BYTES // 3


def test_what_others_read_with_uproot_is_not_bounded() -> None:
    read(file(Events=branches(a=[1], b=[2])))
    tree = uproot.open(io.BytesIO(file(uproot.ZSTD(1), Events=ZEROS)))["Events"]
    assert len(tree["a"].array(library="np")) == 400_000


def test_what_is_filled_up_is_counted() -> None:
    version = model_version(
        [TensorSpec("pt", "float32", (None, None))],
        params={"root": {"pad": {"pt": {"length": 10_000}}}},
    )
    body = file(Events=branches(pt=ak.Array([[1.0]] * 100)))
    assert read(body, version, limit=10_000_000).arrays["pt"].shape == (100, 10_000)
    with peak_growth() as grown_bytes, pytest.raises(TooLarge):
        read(body, version)
    assert grown_bytes() < 5_000_000


def test_what_is_not_compressed_is_counted_too() -> None:
    with pytest.raises(TooLarge):
        read(file(Events=ZEROS), limit=4_000_000)


def test_the_parts_of_a_description_cannot_be_in_each_other() -> None:
    chunk = CountedChunk(Chunk.wrap(None, np.zeros(4000, np.uint8)))
    for _ in range(2000):
        chunk.get(0, 4000, Cursor(0), {})
    with pytest.raises(ValueError, match="its parts are in each other"):
        chunk.get(0, 4000, Cursor(0), {})


def test_a_description_of_a_tree_has_a_limit() -> None:
    with pytest.raises(TooLarge, match="the description of a tree takes 8000001 bytes"):
        check_metadata(8_000_001)


def test_baskets_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_MOST_BASKETS", 5)
    body = file(Events=NUMBERS, extend=3)
    assert read(body, features("pt")).rows == 6
    with pytest.raises(TooLarge, match="have 6 baskets or more, the limit is 5"):
        read(body, NAMED)


def test_a_class_that_the_file_brings_is_not_made() -> None:
    # With it, its TStreamerInfo has the name. uproot alone would make Python code of that.
    body = file(Events=NUMBERS).replace(b"TLeafD", b"TLeafX")
    before = set(vars(uproot.dynamic)), set(uproot.classes), set(uproot.unknown_classes)
    with pytest.raises(DoesNotFit, match="branch 'pt' of TTree 'Events' is of class"):
        read(body, NAMED)
    assert before == (set(vars(uproot.dynamic)), set(uproot.classes), set(uproot.unknown_classes))


def test_a_version_of_a_class_that_the_file_brings_is_not_made() -> None:
    body = file(Events=NUMBERS)
    (at,) = [each.start() for each in re.finditer(rb"@[^@]{3}\x00\x14@", body, re.DOTALL)]
    with pytest.raises(BadBody, match="a version of class 'TTree' that cannot be read: '77'"):
        read(put(body, at + 4, ">H", 77), NAMED)


def test_a_directory_may_be_in_itself() -> None:
    body = file(**{"d/e/Events": NUMBERS})
    outer, inner = (
        [at.start() - 26 for at in re.finditer(rb"\x0aTDirectory\x01" + name, body)]
        for name in (b"d", b"e")
    )
    (seek,) = struct.unpack_from(">i", body, outer[0] + 18)
    for at in inner:
        body = put(body, at + 18, ">i", seek)
    with pytest.raises(DoesNotFit, match="has no TTree and no RNTuple"):
        read(body)


def test_keys_have_a_limit() -> None:
    body = file(Events=NUMBERS)
    begin, name_bytes = struct.unpack_from(">i", body, 8)[0], struct.unpack_from(">i", body, 28)[0]
    (keys,) = struct.unpack_from(">i", body, begin + name_bytes + 26)
    (key_bytes,) = struct.unpack_from(">h", body, keys + 14)
    with pytest.raises(TooLarge, match="has 1000000 keys, the limit is 10000"):
        read(put(body, keys + key_bytes, ">i", 1_000_000))


def test_branches_have_the_entries_of_their_tree() -> None:
    body = file(Events=branches(pt=np.zeros(12345), eta=np.zeros(12345)))
    for entries in (-1, 0, 12344, 10**18):
        at = body.index(struct.pack(">q", 12345))
        with pytest.raises((BadBody, TooLarge)):
            read(put(body, at, ">q", entries), NAMED)


def test_fields_that_are_in_each_other_are_told() -> None:
    def circle(header: bytes) -> bytes:
        one, other = (header.index(b"\x01\x00\x00\x00" + name) - 8 for name in (b"a", b"b"))
        return put(put(header, one, "<I", 1), other, "<I", 0)

    with pytest.raises(BadBody, match="the fields of the RNTuple are in a circle"):
        read(with_header(ntuple(branches(a=[1], b=[2])), circle))


def test_frames_of_no_bytes_are_not_read_forever() -> None:
    def endless(header: bytes) -> bytes:
        frame = header.index(b"\x01\x00\x00\x00a") - 24
        return put(put(header, frame, "<q", 0), frame - 4, "<I", 2**31 - 1)

    with pytest.raises(BadBody, match="its parts are in each other"):
        read(with_header(ntuple(branches(a=[1], b=[2])), endless))


def test_names_that_are_no_text_are_told_in_one_line() -> None:
    body = file(Events=branches(pt=[1.0], eta=[2.0])).replace(b"eta", b"\xff\n\x00")
    with pytest.raises(TfaasError) as error:
        read(body, NAMED)
    assert error.value.message.isprintable()
    assert error.value.message.isascii()
    with pytest.raises(TfaasError) as error:
        read(body, VERSION, tree="\u2028\ud800")
    assert error.value.message.isprintable()


def put(body: bytes, at: int, form: str, number: int) -> bytes:
    changed = bytearray(body)
    struct.pack_into(form, changed, at, number)
    return bytes(changed)


def with_header(body: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The file of an RNTuple with another header, which its checksums fit."""
    model = uproot.open(io.BytesIO(body))["Events"]
    seek, size = model.member("fSeekHeader"), model.member("fNBytesHeader")
    old = body[seek : seek + size]
    new = change(old)[:-8]
    new += struct.pack("<Q", xxhash.xxh3_64_intdigest(new))
    body = body.replace(old, new)
    seek, size = model.member("fSeekFooter"), model.member("fNBytesFooter")
    footer = body[seek : seek + size]
    changed = footer[:-8].replace(old[-8:], new[-8:])
    changed += struct.pack("<Q", xxhash.xxh3_64_intdigest(changed))
    return body.replace(footer, changed)


@contextmanager
def peak_growth() -> Iterator[Callable[[], int]]:
    """By how many bytes this process has grown at most."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak_bytes()
    yield lambda: _peak_bytes() - before


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
