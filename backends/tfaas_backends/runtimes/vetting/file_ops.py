"""The ops by which a SavedModel reads its own files, told from those that read any other.

A saver restores variables from the file that the graph's ``saver_def`` names, and saves them
there; an initialiser fills a table from an asset. Both may be in the graph itself, or in a
function that gets the file's name as an argument, called by the graph and by nothing else. A graph
of TensorFlow 1 may have further savers, from its training, which nothing runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tfaas_backends.runtimes.tensorflow.pruning import node_of, reachable
from tfaas_backends.runtimes.vetting.ops import refused
from tfaas_backends.runtimes.vetting.place import Place

ASSET, RESTORE, SAVE, IDLE = "asset", "restore", "save", "idle"

FILE_OPS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "InitializeTableFromTextFile": (ASSET, (1,)),
    "InitializeTableFromTextFileV2": (ASSET, (1,)),
    "Restore": (RESTORE, (0,)),
    "RestoreSlice": (RESTORE, (0,)),
    "RestoreV2": (RESTORE, (0,)),
    "Save": (SAVE, (0,)),
    "SaveSlices": (SAVE, (0,)),
    "SaveV2": (SAVE, (0,)),
    "MergeV2Checkpoints": (SAVE, (0, 1)),
}
"""What each of them does, and which of its inputs are names of files."""

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_PASSING = {ASSET: {"Identity"}, RESTORE: {"Identity"}}
_PASSING[SAVE] = {"Identity", "Pack", "ShardedFilename", "StringJoin"}
"""Ops whose value is, or begins with, that of their first input."""

_MAX_PASSED = 32
"""Of these, one behind the other."""

_NAMES = ("Const", "Placeholder", "PlaceholderWithDefault")
"""What tells a saver of TensorFlow 1 its file."""

_ELSEWHERE = ("api_implements", "_implements", "forward_function_name", "backward_function_name")
"""Attributes of a function that make TensorFlow run it where another one is called."""


class Sources(msgspec.Struct, frozen=True):
    """The nodes of a graph whose values are names of the model's own files."""

    assets: Collection[str] = ()
    saver: Collection[str] = ()

    def of(self, kind: str) -> Collection[str]:
        """Those that an op of this kind may be told."""
        return self.assets if kind == ASSET else self.saver


class Call(msgspec.Struct, frozen=True):
    """A node that names a function, in the attributes that lead there; in none, if as its op."""

    node: Any
    callee: str
    attributes: tuple[str, ...]


class Body:
    """The nodes of the graph, or of ``function``, a FunctionDef.

    ``name`` is the function's, and so are ``arguments`` and ``results``, by which place each has;
    empty for the graph.
    """

    def __init__(self, nodes: dict[str, Any], function: Any = None) -> None:
        self.nodes = nodes
        self.function = function
        self.name = "" if function is None else str(function.signature.name)
        given = () if function is None else function.signature.input_arg
        self.arguments = {argument.name: place for place, argument in enumerate(given)}
        gives = () if function is None else function.signature.output_arg
        self.results = {result.name: place for place, result in enumerate(gives)}

    @property
    def runs_elsewhere(self) -> bool:
        """Whether TensorFlow may run it where another one is called."""
        function = self.function
        return function is not None and any(name in function.attr for name in _ELSEWHERE)

    def source(self, reference: str, kind: str, own: Collection[str]) -> str | None:
        """Which of ``own`` a file's name is: nodes of the graph, or arguments of the function."""
        return next((plain for plain in self._passed(reference, kind) if plain in own), None)

    def is_idle(self, reference: str, kind: str) -> bool:
        """Whether a file's name comes from where a saver of TensorFlow 1 has it from."""
        if self.function is not None or kind == ASSET:
            return False
        *_, last = self._passed(reference, kind)
        return last in self.nodes and self.nodes[last].op in _NAMES

    def _passed(self, reference: str, kind: str) -> Iterator[str]:
        """The value's reference, and those of the values that it is, or begins with."""
        for _ in range(_MAX_PASSED):
            # In a function, a reference without a colon is an argument, never a node.
            is_argument = self.function is not None and ":" not in reference
            yield reference if self.function is not None else reference.removesuffix(":0")
            name = node_of(reference)
            node = None if is_argument else self.nodes.get(name)
            if node is None or node.op not in _PASSING[kind]:
                return
            reference = next(iter(node.input), "")


class FileUses:
    """Which nodes of a graph reach for files, and how.

    ``found``: for each body, callees before their callers, its nodes of ``FILE_OPS``. ``called``:
    for each body, its nodes that name functions, with these. Raises CannotServe if one of them
    could be told any other file than the ``sources``.
    """

    def __init__(
        self,
        bodies: Iterable[Body],
        found: Mapping[str, list[Any]],
        called: Mapping[str, list[Call]],
        sources: Sources,
    ) -> None:
        self.nodes: dict[str, tuple[set[str], str]] = {}
        self._sources = sources
        self._needs: dict[str, set[tuple[str, str]]] = {}
        self._ops: dict[str, tuple[str, Place]] = {}
        self._arguments: dict[str, Mapping[str, int]] = {}
        for body in bodies:
            self._read(body, found.get(body.name, []), called.get(body.name, []))

    def of_function(self, name: str) -> tuple[str, Place] | None:
        """An op of the function, or of what it calls, that reaches for files; None: none does."""
        return self._ops.get(name)

    def check_none(self) -> None:
        """Raises CannotServe if anything at all reaches for files."""
        for op, place in self._ops.values():
            raise refused(op, place)

    def check_run(self, graph_def: Any, roots: Iterable[str], kinds: Collection[str]) -> None:
        """Raises CannotServe if a run for ``roots`` reaches for files otherwise than by ``kinds``.

        ``graph_def``: the graph, or a part of it.
        """
        if not self.nodes:
            return
        for node in reachable({node.name: node for node in graph_def.node}, roots):
            uses, op = self.nodes.get(node.name, (set(), ""))
            if not uses.issubset(kinds):
                raise refused(op, Place(node.name))

    def _read(self, body: Body, found: list[Any], called: list[Call]) -> None:
        needs: set[tuple[str, str]] = set()
        for node in found:
            needs |= self._of_op(body, node)
        for call in called:
            if call.callee in self._ops:
                needs |= self._of_call(body, call)
        if needs and body.function is not None:
            self._check_function(body)
            self._needs[body.name] = needs
            self._arguments[body.name] = body.arguments

    def _of_op(self, body: Body, node: Any) -> set[tuple[str, str]]:
        kind, indices = FILE_OPS[node.op]
        place = Place(node.name, body.name)
        if max(indices) >= len(node.input):
            raise refused(node.op, place)
        files = [node.input[index] for index in indices]
        if all(body.is_idle(file, kind) for file in files) and not self._are_own(body, files, kind):
            self._note(body, node, {IDLE}, node.op, place)
            return set()
        self._note(body, node, {kind}, node.op, place)
        return {self._need(body, file, kind, node.op, place) for file in files}

    def _are_own(self, body: Body, files: Iterable[str], kind: str) -> bool:
        own = self._sources.of(kind)
        return all(body.source(file, kind, own) is not None for file in files)

    def _of_call(self, body: Body, call: Call) -> set[tuple[str, str]]:
        node, callee = call.node, call.callee
        op, _ = self._ops[callee]
        place = Place(node.name, body.name)
        inputs = [reference for reference in node.input if not reference.startswith("^")]
        arguments = self._arguments[callee]
        by_attribute = call.attributes == ("f",) and node.op in _CALLS
        if not (by_attribute or call.attributes == ()) or len(inputs) != len(arguments):
            raise refused(op, place)
        self._note(body, node, {kind for _, kind in self._needs[callee]}, op, place)
        return {
            self._need(body, inputs[arguments[argument]], kind, op, place)
            for argument, kind in self._needs[callee]
        }

    def _need(
        self, body: Body, reference: str, kind: str, op: str, place: Place
    ) -> tuple[str, str]:
        own = self._sources.of(kind) if body.function is None else body.arguments
        source = body.source(reference, kind, own)
        if source is None:
            raise refused(op, place)
        return source, kind

    def _note(self, body: Body, node: Any, kinds: set[str], op: str, place: Place) -> None:
        self._ops.setdefault(body.name, (op, place))
        if body.function is None:
            known, _ = self.nodes.get(node.name, (set(), ""))
            self.nodes[node.name] = (known | kinds, op)

    def _check_function(self, body: Body) -> None:
        """Raises CannotServe if a call does not tell which of its inputs is which argument."""
        arguments = body.function.signature.input_arg
        lists = any(argument.number_attr or argument.type_list_attr for argument in arguments)
        ambiguous = lists or len(body.arguments) < len(arguments)
        if ambiguous or body.runs_elsewhere:
            raise refused(*self._ops[body.name])
