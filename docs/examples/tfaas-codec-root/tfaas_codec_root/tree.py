"""TTree: its branches, and the baskets of those that are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import uproot.const as const

from tfaas_codec_root.budget import Budget
from tfaas_codec_root.damage import quoted
from tfaas_codec_root.table import Column, Table
from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.tensors import Array

_LEAVES = {
    **{"TLeafO": "?", "TLeafB": "i1", "TLeafS": "i2", "TLeafI": "i4", "TLeafL": "i8"},
    **{"TLeafF": "f4", "TLeafD": "f8"},
}
# The types of elements, as TStreamerInfo numbers them.
_TYPES = {
    **{const.kBool: "?", const.kChar: "i1", const.kUChar: "u1", const.kShort: "i2"},
    **{const.kUShort: "u2", const.kInt: "i4", const.kUInt: "u4", const.kCounter: "u4"},
    **{const.kLong: "i8", const.kULong: "u8", const.kLong64: "i8", const.kULong64: "u8"},
    **{const.kFloat: "f4", const.kDouble: "f8"},
}
_VECTOR = re.compile(r"(?:std::)?vector<\s*([A-Za-z0-9_ ]+?)\s*>")
_VECTORS = {
    **{"bool": "?", "char": "i1", "signed char": "i1", "unsigned char": "u1", "short": "i2"},
    **{"unsigned short": "u2", "int": "i4", "unsigned int": "u4", "unsigned": "u4", "long": "i8"},
    **{"unsigned long": "u8", "long long": "i8", "unsigned long long": "u8", "float": "f4"},
    **{"double": "f8", "Bool_t": "?", "Char_t": "i1", "UChar_t": "u1", "Short_t": "i2"},
    **{"UShort_t": "u2", "Int_t": "i4", "UInt_t": "u4", "Long64_t": "i8", "ULong64_t": "u8"},
    **{"Float_t": "f4", "Double_t": "f8"},
}
_VECTOR_HEADER_BYTES = 10
"""Before the elements of a vector: the number of bytes, a version, and their number."""

_BYTES_OF_A_COUNT = 8
_MOST_BASKETS = 20_000
"""Of one request: each takes a while, however few entries it has."""


class Tree(Table):
    """A TTree. ``model`` is what uproot has read of it; a branch in others has its own name."""

    kind = "TTree"

    def __init__(self, name: str, model: Any, budget: Budget) -> None:
        self.name = name
        self.rows = int(model.num_entries)
        if self.rows < 0:
            raise BadBody(f"TTree {quoted(name)} has {self.rows} entries")
        self.names: dict[str, Any] = {}
        self._budget = budget
        self._baskets = 0
        for branch in _branches_in(model):
            self.names.setdefault(branch.name, branch)

    @property
    def counters(self) -> set[str]:
        counts = (branch.count_branch for branch in self.names.values())
        return {count.name for count in counts if count is not None}

    def read(self, name: str) -> Column:
        branch = self.names[name]
        leaves = branch.member("fLeaves")
        if len(leaves) > 1:
            raise self.unread(name, f"a list of {len(leaves)} leaves")
        kind = _kind_of(leaves[0]) if len(leaves) else None
        if kind is None:
            return self._read_vectors(name, branch)
        width = int(leaves[0].member("fLen"))
        if width < 1:
            raise ValueError("an array in it has no elements")
        if leaves[0].member("fLeafCount") is None:
            return Column(self._elements(name, branch, kind, width, self.rows))
        return self._read_lists(name, branch, kind, width)

    def _read_lists(self, name: str, branch: Any, kind: np.dtype[Any], width: int) -> Column:
        """An array for each entry, as long as the basket says, or else another branch."""
        self._budget.take(_BYTES_OF_A_COUNT * self.rows)
        parts, counts = [np.empty(0, np.uint8)], [np.empty(0, np.int64)]
        for basket in self._baskets_of(name, branch):
            parts.append(np.asarray(basket.data))
            if basket.byte_offsets is None:
                return self._read_counted(name, branch, kind, width)
            counts.append(_lengths(basket, width * kind.itemsize, 0))
        return Column(
            _numbers(np.concatenate(parts), kind).reshape(-1, width), np.concatenate(counts)
        )

    def _read_counted(self, name: str, branch: Any, kind: np.dtype[Any], width: int) -> Column:
        counter = branch.count_branch
        kind_of_counts = _kind_of(counter.member("fLeaves")[0])
        if kind_of_counts is None or kind_of_counts.kind not in "iu":
            raise self.unread(name, "an array whose lengths are no integers")
        numbers = self._elements(counter.name, counter, kind_of_counts, 1, self.rows)
        counts = numbers[:, 0].astype(np.int64)
        return Column(self._elements(name, branch, kind, width, int(counts.sum())), counts)

    def _elements(
        self, name: str, branch: Any, kind: np.dtype[Any], width: int, elements: int
    ) -> Array:
        """So many elements, of so many numbers each; raises BadBody if there are others."""
        parts = [np.asarray(basket.data) for basket in self._baskets_of(name, branch)]
        data = np.concatenate(parts) if parts else np.empty(0, np.uint8)
        if data.nbytes != elements * width * kind.itemsize:
            raise BadBody(
                f"branch {quoted(name)} has {data.nbytes} bytes, {elements} elements of {width} "
                f"times {kind.itemsize} bytes are said to be in it"
            )
        return _numbers(data, kind).reshape(elements, width)

    def _read_vectors(self, name: str, branch: Any) -> Column:
        """A ``std::vector`` for each entry: a header, then its elements."""
        said = str(branch.member("fClassName", none_if_missing=True) or "")
        vector = _VECTOR.fullmatch(said)
        letters = _VECTORS.get(vector[1]) if vector else None
        if letters is None:
            leaves = [str(leaf.classname) for leaf in branch.member("fLeaves")]
            raise self.unread(name, f"of class {quoted(said or ''.join(leaves) or 'unknown')}")
        self._budget.take(_BYTES_OF_A_COUNT * self.rows)
        kind = np.dtype(letters)
        numbers, counts = [np.empty(0, kind)], [np.empty(0, np.int64)]
        for basket in self._baskets_of(name, branch):
            counts.append(_lengths(basket, kind.itemsize, _VECTOR_HEADER_BYTES))
            numbers.append(_numbers(_without_headers(basket), kind))
        return Column(np.concatenate(numbers)[:, None], np.concatenate(counts))

    def _baskets_of(self, name: str, branch: Any) -> Iterator[Any]:
        """All baskets; raises BadBody if they have not the entries of the tree."""
        self._baskets += branch.num_baskets
        if self._baskets > _MOST_BASKETS:
            raise TooLarge(
                f"the branches that are needed have {self._baskets} baskets or more, the limit is "
                f"{_MOST_BASKETS}; write larger baskets, or send fewer rows",
                expected=_MOST_BASKETS,
                got=self._baskets,
            )
        entries = 0
        for number in range(branch.num_baskets):
            basket = branch.basket(number)
            if basket.block_compression_info is None:
                self._budget.take(basket.data.nbytes)  # else it is taken already
            entries += basket.num_entries
            yield basket
        if entries != self.rows:
            raise BadBody(
                f"branch {quoted(name)} has {entries} entries, TTree {quoted(self.name)} has "
                f"{self.rows}"
            )


def _branches_in(model: Any) -> Iterator[Any]:
    """The innermost branches, each once: a file may say that they are in each other."""
    waiting, seen = list(reversed(list(model.branches))), set()
    while waiting:
        branch = waiting.pop()
        if id(branch) not in seen:
            seen.add(id(branch))
            inner = list(branch.branches)
            waiting.extend(reversed(inner))
            if not inner:
                yield branch


def _kind_of(leaf: Any) -> np.dtype[Any] | None:
    """The dtype of a leaf's numbers, as it is in the file; None: they are not that simple."""
    if leaf.classname == "TLeafElement":
        number = int(leaf.member("fType"))
        is_array = const.kOffsetL < number < const.kOffsetP
        letters = _TYPES.get(number - const.kOffsetL if is_array else number)
    else:
        letters = _LEAVES.get(leaf.classname)
    if letters is None:
        return None
    if letters[0] == "i" and leaf.member("fIsUnsigned"):
        letters = letters.replace("i", "u")
    return np.dtype(letters)


def _numbers(data: Array, kind: np.dtype[Any]) -> Array:
    """Bytes, which have the most significant one first, as numbers of this machine."""
    if kind.kind == "b":
        return data != 0
    return data.view(kind.newbyteorder(">")).astype(kind)


def _lengths(basket: Any, element_bytes: int, header_bytes: int) -> Array:
    """How many elements each entry of a basket has; raises ValueError if they are not whole."""
    starts = np.asarray(basket.byte_offsets, np.int64)
    sizes = np.diff(starts) - header_bytes
    are_whole = (sizes >= 0).all() and not (sizes % element_bytes).any()
    ends = (starts[0], starts[-1], len(sizes))
    if not are_whole or ends != (0, len(basket.data), basket.num_entries):
        raise ValueError("the entries of a basket are not where it says")
    return sizes // element_bytes


def _without_headers(basket: Any) -> Array:
    """The bytes of the elements of vectors, whose lengths are known to be right."""
    data = np.asarray(basket.data)
    starts = np.asarray(basket.byte_offsets, np.int64)[:-1]
    keeps = np.ones(len(data), bool)
    for at in range(_VECTOR_HEADER_BYTES):
        keeps[starts + at] = False
    return data[keeps]
