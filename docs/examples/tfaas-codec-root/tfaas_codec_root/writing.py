"""Outputs as a ROOT file. The same outputs are the same bytes, whenever they are written."""

from __future__ import annotations

import io
import re
import struct
import uuid
from collections.abc import Iterator
from math import prod

import msgspec
import numpy as np
import uproot

from tfaas_codec_root.damage import quoted
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, Arrays, BatchAxis

TREE = "predictions"
_BYTES_OF_A_BASKET = 1 << 20
_ODD = re.compile(r"[^A-Za-z0-9_]+")
_NO_DATE = 1 << 22 | 1 << 17
"""1995-01-01, as ROOT spells it: the first one that it can."""
_LEAST_KEY_BYTES = 18


class _Branch(msgspec.Struct, frozen=True):
    """A branch's name, and its values: axis 0 is that of the entries."""

    name: str
    values: Array


def written(outputs: Arrays, version: ModelVersion) -> bytes:
    """A TTree ``predictions`` with a branch for each output, or for each label.

    Outputs of other rows than the first, constant ones among them, are trees of their own. Raises
    DoesNotFit for text, and for outputs that have no numbers in a row.
    """
    trees: dict[str, list[_Branch]] = {}
    entries = None
    for output, branches in _branches_of(outputs, version):
        rows = len(branches[0].values)
        entries = rows if entries is None else entries
        trees.setdefault(TREE if rows == entries else output, []).extend(branches)
    buffer = io.BytesIO()
    file = uproot.recreate(buffer, compression=None, uuid_function=lambda: uuid.UUID(int=0))
    for name, branches in trees.items():
        _write_tree(file, name, branches)
    return _undated(buffer.getvalue())


def _write_tree(file: uproot.WritableDirectory, name: str, branches: list[_Branch]) -> None:
    names = _apart([branch.name for branch in branches])
    kinds = {
        name: np.dtype((branch.values.dtype, branch.values.shape[1:]))
        for name, branch in zip(names, branches, strict=True)
    }
    tree = file.mktree(name, kinds)
    rows = len(branches[0].values)
    step = max(1, _BYTES_OF_A_BASKET * rows // max(1, *(b.values.nbytes for b in branches)))
    for start in range(0, rows, step):
        parts = [branch.values[start : start + step] for branch in branches]
        tree.extend(dict(zip(names, parts, strict=True)))


def _branches_of(outputs: Arrays, version: ModelVersion) -> Iterator[tuple[str, list[_Branch]]]:
    """The name of each output, and its branches: one, or one for each label."""
    specs, labels = version.signature.outputs, version.labels
    batched = version.signature.batch is not BatchAxis.NONE
    for spec in specs:
        values = _plain(outputs[spec.name], spec.name)
        if not batched or spec.constant or not values.ndim:
            values = values.reshape(1, *values.shape)
        numbers = prod(values.shape[1:])
        if not numbers:
            raise DoesNotFit(f"output {quoted(spec.name)} has no numbers, which no branch can hold")
        name = _name(spec.name)
        if numbers == len(labels) and all(labels) and len(set(labels)) == numbers:
            flat = values.reshape(len(values), numbers)
            prefix = "" if len(specs) == 1 else f"{name}_"
            branches = [
                _Branch(prefix + _name(label), np.ascontiguousarray(flat[:, index]))
                for index, label in enumerate(labels)
            ]
            yield name, branches
        else:
            yield name, [_Branch(name, values if numbers > 1 else values.reshape(len(values)))]


def _plain(output: Array, name: str) -> Array:
    """An output in a dtype that ROOT has; a complex number is an array of two."""
    kind = output.dtype.kind
    if kind == "O":
        raise DoesNotFit(f"output {quoted(name)} is text, a branch has numbers; ask for JSON")
    if kind == "c":
        output = np.stack([output.real, output.imag], -1)
    elif kind not in "biu" and output.dtype not in (np.float32, np.float64):
        output = output.astype(np.float32)
    return np.ascontiguousarray(output).reshape(output.shape)


def _name(text: str) -> str:
    """A name that formulas of ROOT can use."""
    name = _ODD.sub("_", text)
    return f"_{name}" if not name or name[0].isdigit() else name


def _apart(names: list[str]) -> list[str]:
    """The names, numbered where they are the same."""
    if len(set(names)) == len(names):
        return names
    return [f"{name}_{number}" for number, name in enumerate(names)]


def _undated(file: bytes) -> bytes:
    """The file without the times at which it was written: of records, keys, and the directory.

    See ``TFile`` and ``TKey`` of ROOT: a file is a series of records, each of which has its key.
    One beyond 2 GB, whose fields are longer, is left as it is.
    """
    if len(file) >= 1 << 31:
        return file
    undated = bytearray(file)
    begin, end = struct.unpack_from(">ii", file, 8)
    (name_bytes,) = struct.unpack_from(">i", file, 28)
    directory = begin + name_bytes
    for at in (directory + 2, directory + 6):
        struct.pack_into(">I", undated, at, _NO_DATE)
    (keys,) = struct.unpack_from(">i", file, directory + 26)
    # A few bytes at the end may be left over of a longer list of free segments.
    while begin + _LEAST_KEY_BYTES <= end:
        (size,) = struct.unpack_from(">i", file, begin)
        if size > 0:
            struct.pack_into(">I", undated, begin + 10, _NO_DATE)
        begin += max(abs(size), 1)
    at = keys + _key_bytes(file, keys) + 4
    for _ in range(*struct.unpack_from(">i", file, at - 4)):
        struct.pack_into(">I", undated, at + 10, _NO_DATE)
        at += _key_bytes(file, at)
    return bytes(undated)


def _key_bytes(file: bytes, at: int) -> int:
    (size,) = struct.unpack_from(">h", file, at + 14)
    return int(size)
