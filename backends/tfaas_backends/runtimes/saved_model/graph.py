"""A SavedModel's graph, imported as far as predictions need it, and made ready in a session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tfaas_backends.runtimes.independence.prover import Prover
from tfaas_backends.runtimes.saved_model.assets import assets
from tfaas_backends.runtimes.saved_model.folder import (
    HeldFolder,
    checkpoint,
    damaged,
    init_nodes,
    without_place,
)
from tfaas_backends.runtimes.saved_model.freezing import VariableUses, gather_from_values
from tfaas_backends.runtimes.saved_model.inputs import Asked, fix
from tfaas_backends.runtimes.saved_model.objects import has_objects, object_variables
from tfaas_backends.runtimes.saved_model.restoring import Restoring
from tfaas_backends.runtimes.saved_model.signature import End, Ends
from tfaas_backends.runtimes.saved_model.variables import (
    Stored,
    assigned_in,
    small_values,
    stored_variables,
    variables_in,
)
from tfaas_backends.runtimes.tensorflow.device_ops import check_devices
from tfaas_backends.runtimes.tensorflow.errors import lacks_memory, one_line
from tfaas_backends.runtimes.tensorflow.executor import is_plain
from tfaas_backends.runtimes.tensorflow.graph_file import prepare
from tfaas_backends.runtimes.tensorflow.nodes import GraphNodes
from tfaas_backends.runtimes.tensorflow.private import callable_of, config_pb2
from tfaas_backends.runtimes.tensorflow.pruning import node_of, pruned
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.state import is_stateful, stateful_functions
from tfaas_backends.runtimes.vetting.file_ops import ASSET, RESTORE, FileUses
from tfaas_core.errors import CannotServe


class Span(msgspec.Struct, frozen=True):
    """What lies between the ends of one signature: ``inputs`` and ``outputs`` are tensors.

    ``prover`` proves what becomes of rows between them; ``stateful`` as in Servable.
    """

    ends: Ends
    inputs: list[Any]
    outputs: list[Any]
    prover: Prover
    stateful: bool


class SavedGraph:
    """The part of a SavedModel's graph that the ends asked for need, imported.

    ``graph`` is a tf.Graph, ``spans`` are one for each signature. ``restorable`` is False if none
    tells how its variables get their values. ``plain``: as GraphSession has it. ``uses``: how the
    graph uses files, None if nobody asks. Making it raises CannotServe, BadBody if files are
    missing or damaged, and whatever TensorFlow raises on importing.
    """

    def __init__(
        self,
        meta_graph: Any,
        all_asked: Sequence[Asked],
        held: HeldFolder,
        uses: FileUses | None,
    ) -> None:
        self._held = held
        folder = held.path
        all_ends = [asked.ends for asked in all_asked]
        paths = assets(meta_graph, folder)
        needed = Needed(meta_graph, all_ends, folder)
        for asked in all_asked:
            fix(needed.graph_def, asked.fixed)
        needed.check(uses)
        self.restorable = needed.restorable
        if needed.stored:
            self._freeze(needed)
        self.graph = _imported(meta_graph, needed.graph_def, all_ends)
        functions = stateful_functions(needed.graph_def)
        self.spans = [self._span(needed.graph_def, ends, functions) for ends in all_ends]
        names = {node.name for node in needed.graph_def.node}
        self._paths = {f"{node}:0": path for node, path in paths.items() if node in names}
        self._init = [self.graph.get_operation_by_name(name) for name in needed.init]
        stateful = any(span.stateful for span in self.spans)
        self._restore = self._restoring(needed, unchanged=not stateful)
        self._doubtful = self._add_checks(needed)
        self.plain = not (stateful or self.needs_files) and is_plain(needed.graph_def)

    @property
    def needs_files(self) -> bool:
        """Whether ``initialise`` may read what is beside the graph."""
        return bool(not self.restorable or self._restore or self._init)

    def initialise(self, session: Any) -> None:
        """Gives variables and tables their values in a new session of the graph.

        Raises BadBody if the files are damaged, CannotServe if they do not fit the graph, or
        do not give each of its variables a value.
        """
        for restore in self._restore:
            try:
                restore(session)
            except Exception as error:
                raise _restoring_error(error, self._held.path) from None
        if self._doubtful:
            self._check_values(session)
        if self._init:
            try:
                _run(session, self._init, self._paths)
            except Exception as error:
                raise _cannot_prepare(error, self._held.path) from None

    def _check_values(self, session: Any) -> None:
        for name, has_value in session.run(self._doubtful).items():
            if not has_value:
                raise CannotServe(
                    f"nothing in the SavedModel tells the value of its variable {name!r}: save it"
                    " anew, as Keras' model.export(folder) does"
                )

    def _span(self, graph_def: Any, ends: Ends, functions: frozenset[str]) -> Span:
        inputs, outputs = self._tensors(ends.inputs), self._tensors(ends.outputs)
        prover = Prover(graph_def, [t.name for t in inputs], [t.name for t in outputs])
        nodes = GraphNodes(self.graph)
        nodes.check_covered(outputs, inputs)
        stateful = is_stateful(nodes.ancestors(outputs, inputs), functions)
        return Span(ends, inputs, outputs, prover, stateful)

    def _freeze(self, needed: Needed) -> None:
        gather_from_values(needed.graph_def, needed.stored)
        uses = VariableUses(needed.graph_def, needed.stored)
        candidates = {name: needed.stored[name] for name in sorted(uses.only_read)}
        try:
            values = small_values(needed.prefix, candidates)
        except Exception as error:
            raise damaged(error, self._held.path) from None
        uses.freeze(values)
        for name in values:
            del needed.stored[name]

    def _restoring(self, needed: Needed, unchanged: bool) -> list[Callable[[Any], None]]:
        """What has to be done with a new session, so that its variables have values."""
        steps: list[Callable[[Any], None]] = []
        if needed.restore_node:
            operation = self.graph.get_operation_by_name(needed.restore_node)
            fed = {f"{needed.file_node}:0": needed.prefix}
            steps.append(partial(_run, operations=[operation], fed=fed))
        if needed.stored:
            steps.append(Restoring(self.graph, needed.prefix, needed.stored, unchanged).run)
        return steps

    def _add_checks(self, needed: Needed) -> dict[str, Any]:
        """Tensors that tell whether the variables of which this is not known have values."""
        variables = {name: self.graph.get_tensor_by_name(f"{name}:0") for name in needed.doubtful}
        with self.graph.as_default():
            return {
                name: tf.raw_ops.VarIsInitializedOp(resource=variable)
                for name, variable in variables.items()
            }

    def _tensors(self, ends: Sequence[End]) -> list[Any]:
        return [self._tensor(end.tensor) for end in ends]

    def _tensor(self, name: str) -> Any:
        try:
            return self.graph.get_tensor_by_name(name)
        except (KeyError, ValueError):
            raise CannotServe(f"the SavedModel's graph has no tensor {name!r}") from None


class Needed:
    """What of a SavedModel's graph predictions need, of one signature or of several.

    ``variables`` get their values from the checkpoint ``prefix``, if ``stored`` tells all of
    them. If it does not, ``restore_node`` has to be run, with the checkpoint fed to
    ``file_node``; ``doubtful`` are variables of TensorFlow 2 that may have no value even then.
    """

    def __init__(self, meta_graph: Any, all_ends: Sequence[Ends], folder: Path) -> None:
        whole, saver = meta_graph.graph_def, meta_graph.saver_def
        self.init = init_nodes(meta_graph)
        self._sides = [
            (
                [node_of(end.tensor) for end in ends.outputs],
                [node_of(e.tensor) for e in ends.inputs],
            )
            for ends in all_ends
        ]
        self._outputs = [name for outputs, _fed in self._sides for name in outputs]
        self._fed = [name for _outputs, fed in self._sides for name in fed]
        roots = [*self.init, *self._outputs, *self._fed]
        self.graph_def = pruned(whole, roots)
        self.variables = variables_in(self.graph_def) - assigned_in(self.graph_def, self.init)
        self.restore_node = node_of(saver.restore_op_name)
        self.file_node = node_of(saver.filename_tensor_name)
        self.prefix = checkpoint(folder) if self.variables else ""
        self.stored = self._stored(meta_graph, folder)
        missing = sorted(self.variables - self.stored.keys())
        self.restorable = bool(self.restore_node or not missing)
        self.doubtful = self._resources(missing) if has_objects(meta_graph) else []
        if not missing:
            self.restore_node = ""  # it would restore what only training uses, too
        else:
            self.graph_def = pruned(whole, [*roots, self.restore_node, self.file_node])

    def _stored(self, meta_graph: Any, folder: Path) -> dict[str, Stored]:
        found = stored_variables(meta_graph.graph_def, self.restore_node)
        missing = self.variables - found.keys()
        if missing and has_objects(meta_graph):
            try:
                found |= object_variables(meta_graph, self.prefix, missing)
            except Exception as error:
                raise damaged(error, folder) from None
        return {name: found[name] for name in sorted(self.variables & found.keys())}

    def _resources(self, names: Collection[str]) -> list[str]:
        return [n.name for n in self.graph_def.node if n.op == "VarHandleOp" and n.name in names]

    def check(self, uses: FileUses | None) -> None:
        """Raises CannotServe if a run would reach for files, or does what no CPU can.

        A prediction must not reach for any; and each preparation for its own alone.
        """
        if uses is not None:
            uses.check_run(self.graph_def, self._outputs, ())
            uses.check_run(self.graph_def, self.init, (ASSET,))
            uses.check_run(self.graph_def, [self.restore_node], (RESTORE,))
        for outputs, fed in self._sides:
            check_devices(self.graph_def, [*outputs, *self.init], fed)


def _imported(meta_graph: Any, graph_def: Any, all_ends: Sequence[Ends]) -> Any:
    prepare(graph_def, {node_of(end.tensor) for ends in all_ends for end in ends.inputs})
    graph = tf.Graph()
    with graph.as_default():
        # Names ops whose attributes were left out if they have their default value.
        stripped = meta_graph.meta_info_def.stripped_op_list
        tf.import_graph_def(graph_def, name="", producer_op_list=stripped)
    return graph


def _run(session: Any, operations: Sequence[Any], fed: Mapping[str, str]) -> None:
    """Runs operations with strings fed to tensors, by name."""
    options = config_pb2.CallableOptions(feed=fed, target=[op.name for op in operations])
    call = callable_of(session, options)
    call(*(np.array(value.encode(), object) for value in fed.values()))


def _restoring_error(error: Exception, folder: Path) -> Exception:
    if isinstance(error, tf.errors.DataLossError | tf.errors.OutOfRangeError):
        return damaged(error, folder)
    return _cannot_prepare(error, folder)


def _cannot_prepare(error: Exception, folder: Path) -> Exception:
    if lacks_memory(error):
        return error
    what = without_place(one_line(error), folder)
    return CannotServe(f"the SavedModel's files do not fit its graph: {what}")
