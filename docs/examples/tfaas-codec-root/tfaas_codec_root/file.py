"""The ROOT file that a body is. The classes that it brings are left alone: it runs no code."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uproot
from uproot.model import DispatchByVersion, unknown_class
from uproot.reading import ReadOnlyDirectory, ReadOnlyFile, ReadOnlyKey
from uproot.source.cursor import Cursor

from tfaas_codec_root.budget import Budget, check_metadata
from tfaas_codec_root.chunks import CountedChunk
from tfaas_codec_root.damage import listed, quoted, reading
from tfaas_codec_root.ntuple import NTuple
from tfaas_codec_root.table import Table
from tfaas_codec_root.tree import Tree
from tfaas_core.errors import BadBody, DoesNotFit, TooLarge

MAGIC = b"root"
_SHORTEST = 64
"""The bytes of a header."""

_MOST_KEYS = 10_000

_TREES = {"TTree": Tree, "ROOT::RNTuple": NTuple}
_CLASSES = {
    *("TTree", "ROOT::RNTuple", "TBranch", "TBranchElement", "ROOT::TIOFeatures", "TBasket"),
    *("TLeaf", "TLeafO", "TLeafB", "TLeafS", "TLeafI", "TLeafL", "TLeafF", "TLeafD", "TLeafC"),
    *("TLeafElement", "TObject", "TObjArray", "TNamed", "TString", "TList", "TObjString"),
}
_LOOKS = {"TAttLine", "TAttFill", "TAttMarker"}
"""How a tree is drawn: nobody needs it, and it has a new version now and then."""

_KNOWN = _CLASSES | _LOOKS

_UNKNOWN = unknown_class("another class")


def check_length(body: bytes) -> None:
    """Raises BadBody if this is no ROOT file, or not the whole of one: it says how long it is."""
    if not body:
        raise BadBody("the body is empty, send a ROOT file")
    if not body.startswith(MAGIC):
        raise BadBody("the body is not a ROOT file: it does not begin with 'root'")
    is_long = len(body) >= _SHORTEST and int.from_bytes(body[4:8], "big") >= 1_000_000
    end = int.from_bytes(body[12:20] if is_long else body[12:16], "big")
    if len(body) < max(end, _SHORTEST):
        raise BadBody(
            f"the body is cut: it has {len(body)} bytes, the ROOT file has {max(end, _SHORTEST)}"
        )


@contextmanager
def table_in(body: bytes, wanted: str, budget: Budget) -> Iterator[Table]:
    """The tree that is wanted, or the only one; raises DoesNotFit with the names that there are.

    uproot reads in this thread, and of these bytes alone. Afterwards the tree cannot be read.
    """
    with reading():
        file = _File(
            io.BytesIO(body),
            object_cache=None,
            array_cache=None,
            use_threads=False,
            minimal_ttree_metadata=True,
        )
    try:
        with reading():
            table = _table_of(file, wanted, budget)
        yield table
    finally:
        file.close()


def _table_of(file: _File, wanted: str, budget: Budget) -> Table:
    keys = _trees_in(file)
    key = keys.get(wanted) if wanted else next(iter(keys.values()), None)
    if key is None or (not wanted and len(keys) > 1):
        raise _unclear(wanted, list(keys))
    check_metadata(key.data_uncompressed_bytes)
    chunk, cursor = key.get_uncompressed_chunk_cursor()
    context = {"breadcrumbs": (), "TKey": key}
    kind = file.class_named(key.fClassName)
    model = kind.read(CountedChunk(chunk), cursor, context, file, file, key)
    return _TREES[key.fClassName](key.fName, model, budget)


class _File(ReadOnlyFile):  # type: ignore[misc]
    """uproot would make Python code of the TStreamerInfo in a file, for classes it does not know.

    There is none for it here, so that it knows those that it comes with.
    """

    @property
    def streamers(self) -> dict[str, dict[int, Any]]:
        return {}

    def streamer_named(self, classname: str, version: int | str = "max") -> Any:
        """Asked for a class, or a version of it, that uproot does not know."""
        raise BadBody(
            f"the ROOT file has a version of class {quoted(str(classname))} that cannot be read: "
            f"{quoted(str(version))}; write it with a current version of ROOT or uproot"
        )

    def class_named(self, classname: str, version: int | None = None) -> Any:
        """A class that trees are made of; of all others the same, which is skipped."""
        if classname not in _KNOWN:
            return _UNKNOWN
        known = uproot.classes[classname]
        if version is None or not issubclass(known, DispatchByVersion):
            return known
        found = known.class_of_version(version)
        if found is None and classname in _LOOKS:
            return _UNKNOWN
        return found or self.streamer_named(classname, version)


class _Directory(ReadOnlyDirectory):  # type: ignore[misc]
    def hook_before_keys(self, *, num_keys: int, **_: Any) -> None:
        if num_keys > _MOST_KEYS:
            raise TooLarge(
                f"a directory of the ROOT file has {num_keys} keys, the limit is {_MOST_KEYS}; "
                "send a file with the tree alone",
                expected=_MOST_KEYS,
                got=num_keys,
            )


def _trees_in(file: _File) -> dict[str, ReadOnlyKey]:
    """The keys of all trees, by their paths: of those of one name, the one of the last cycle."""
    found: dict[str, ReadOnlyKey] = {}
    for path, key in _keys_in(file):
        if key.fClassName in _TREES and (
            path not in found or abs(found[path].fCycle) < abs(key.fCycle)
        ):
            found[path] = key
    return found


def _keys_in(file: _File) -> Iterator[tuple[str, ReadOnlyKey]]:
    top = _Directory((), Cursor(file.fBEGIN + file.fNbytesName), {}, file, file)
    directories, seen, count = [top], {top.cursor.index}, 0
    while directories:
        directory = directories.pop()
        for key in directory._keys:
            count += 1
            if count > _MOST_KEYS:
                directory.hook_before_keys(num_keys=count)
            path = (*directory.path, key.fName)
            at = key.data_cursor.index
            if key.fClassName not in ("TDirectory", "TDirectoryFile"):
                yield "/".join(path), key
            elif at not in seen:  # a directory may be said to be in itself
                seen.add(at)
                directories.append(_Directory(path, key.data_cursor, {}, file, key))


def _unclear(wanted: str, names: list[str]) -> DoesNotFit:
    if not names:
        return DoesNotFit("the ROOT file has no TTree and no RNTuple")
    if wanted:
        return DoesNotFit(
            f"the ROOT file has no tree {quoted(wanted)}, it has {listed(names)}", field="tree"
        )
    return DoesNotFit(
        f"the ROOT file has {len(names)} trees: {listed(names)}; choose one by ?tree=NAME, or by "
        '"root": {"tree": NAME} in the params',
        field="tree",
    )
