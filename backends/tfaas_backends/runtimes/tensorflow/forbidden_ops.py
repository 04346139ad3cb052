"""Ops that no uploaded model may run: they reach for files, or for what only its maker had."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

from tfaas_backends.runtimes.tensorflow.pruning import called, node_of, reachable
from tfaas_core.errors import CannotServe

_ON_FILES = re.compile(
    r"(Read|Write|Matching)Files?|RecordInput|ImmutableConst|LoadAndRemapMatrix"
    r"|(WholeFile|TextLine|FixedLengthRecord|TFRecord|LMDB)Reader(V2)?|GenerateVocabRemapping"
    r"|(Experimental)?(TextLine|FixedLengthRecord|TFRecord|CSV|LMDB|Sql|MatchingFiles|Cache|Load"
    r"|Save|Snapshot|SnapshotChunk|ListSnapshotChunks|DataService)Dataset(V\d)?|Snapshot\w*Reader"
    r"|(Experimental)?DatasetToTFRecord|RegisterDataset(V2)?|DistributedSave|\w*RestoreV2|Restore"
    r"|RestoreSlice|Save(V2|Slices)?|MergeV2Checkpoints|InitializeTableFromTextFile(V2)?"
    r"|CreateSummary(File|Db)Writer|CalibrationStatisticsSaver|DumpTensor|Skipgram"
    r"|FileSystemSetConfiguration|Debug(Identity|NumericSummary|NanCount)(V\d)?"
)
_ON_NETWORK = re.compile(r"Rpc\w+|ConfigureDistributedTPU|ConfigureAndInitializeGlobalTPU")
_BY_HIDDEN_GRAPHS = re.compile(r"DatasetFromGraph|RemoteFusedGraphExecute|XlaCustomCall(V2)?")
_IN_PYTHON = re.compile(r"(Eager)?PyFunc(Stateless)?")
_REASONS = (
    (_ON_FILES, "which reaches for files of the server"),
    (_ON_NETWORK, "which reaches for the network"),
    (_BY_HIDDEN_GRAPHS, "which runs code that cannot be checked"),
    (_IN_PYTHON, "Python code that stayed behind where the model was made"),
)
_HARMLESS_VALUES = {
    "PrintV2": ("output_stream", re.compile(rb"(?!file:).*", re.DOTALL)),
    "DecodeProtoV2": ("descriptor_source", re.compile(rb"((local|bytes)://.*)?", re.DOTALL)),
    "EncodeProto": ("descriptor_source", re.compile(rb"((local|bytes)://.*)?", re.DOTALL)),
    "FixedUnigramCandidateSampler": ("vocab_file", re.compile(b"")),
}
"""Ops that reach for files if this attribute has any other value."""

_FILE_INPUTS = {
    "RestoreV2": 0,
    "Restore": 0,
    "RestoreSlice": 0,
    "InitializeTableFromTextFile": 1,
    "InitializeTableFromTextFileV2": 1,
}
"""Where ops that loading a model needs are told their file."""

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")

Names: TypeAlias = Collection[str]


def check_ops(graph_def: Any, roots: Names, files: Names = ()) -> None:
    """Raises CannotServe if what ``roots`` depend on uses a forbidden op.

    ``roots`` are names of nodes. ``files``: the nodes whose values are names of files that may be
    read, as checkpoints and vocabularies.
    """
    _Check(graph_def).graph(roots, files)


def check_all_ops(graph_def: Any) -> None:
    """Raises CannotServe if any part of the graph, needed or not, uses a forbidden op."""
    _Check(graph_def).all()


class _Check:
    def __init__(self, graph_def: Any) -> None:
        self._nodes = {node.name: node for node in graph_def.node}
        self._functions = {f.signature.name: f for f in graph_def.library.function}
        self._checked: set[tuple[str, frozenset[str]]] = set()
        self._waiting: list[tuple[str, frozenset[str]]] = []

    def graph(self, roots: Names, files: Names) -> None:
        references = {f"{name}{output}" for name in files for output in ("", ":0")}
        self._body(reachable(self._nodes, roots), _Files(self._nodes.values(), references))
        self._called_functions()

    def all(self) -> None:
        for name in self._functions:
            self._call(name, frozenset())
        self.graph(self._nodes, ())

    def _called_functions(self) -> None:
        while self._waiting:
            name, arguments = self._waiting.pop()
            body = self._functions[name].node_def
            # In a body, a reference without a colon is an argument, never a node.
            self._body(body, _Files(body, arguments))

    def _body(self, nodes: Collection[Any], files: _Files) -> None:
        for node in nodes:
            _check_node(node, files)
            for name in called(node):
                if name in self._functions:
                    self._call(name, self._file_arguments(node, name, files))

    def _call(self, name: str, arguments: frozenset[str]) -> None:
        if (name, arguments) not in self._checked:
            self._checked.add((name, arguments))
            self._waiting.append((name, arguments))

    def _file_arguments(self, node: Any, function: str, files: _Files) -> frozenset[str]:
        """The arguments that are files if ``node`` calls ``function``."""
        arguments = self._functions[function].signature.input_arg
        inputs = [reference for reference in node.input if not reference.startswith("^")]
        if node.op not in (*_CALLS, function) or len(arguments) != len(inputs):
            return frozenset()
        return frozenset(a.name for a, i in zip(arguments, inputs, strict=True) if files.has(i))


class _Files:
    """Which values in a graph, or in the body of a function, are files that may be read."""

    def __init__(self, nodes: Iterable[Any], references: Names) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._references = references

    def has(self, reference: str) -> bool:
        seen = set()
        while reference not in self._references:
            node = self._nodes.get(node_of(reference))
            if node is None or node.op != "Identity" or node.name in seen:
                return False
            seen.add(node.name)
            reference = node.input[0]
        return True


def _check_node(node: Any, files: _Files) -> None:
    index = _FILE_INPUTS.get(node.op)
    if index is not None and index < len(node.input) and files.has(node.input[index]):
        return
    for ops, reason in _REASONS:
        if ops.fullmatch(node.op):
            raise _forbidden(node, reason)
    if node.op in _HARMLESS_VALUES:
        attribute, harmless = _HARMLESS_VALUES[node.op]
        if attribute in node.attr and not harmless.fullmatch(node.attr[attribute].s):
            raise _forbidden(node, f"whose {attribute} is a file")


def _forbidden(node: Any, reason: str) -> CannotServe:
    return CannotServe(f"node {node.name!r} uses {node.op!r}, {reason}", op=node.op)
