"""A frozen graph, loaded: what the ``graph`` runtime's models run in. Imports TensorFlow."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tfaas_backends.runtimes.graph.tuning import tuned
from tfaas_backends.runtimes.independence.prover import Prover
from tfaas_backends.runtimes.tensorflow.chosen_names import with_chosen
from tfaas_backends.runtimes.tensorflow.device_ops import check_devices
from tfaas_backends.runtimes.tensorflow.errors import load_error
from tfaas_backends.runtimes.tensorflow.executor import is_plain
from tfaas_backends.runtimes.tensorflow.graph_file import prepare, read_graph
from tfaas_backends.runtimes.tensorflow.input_defaults import constant_default
from tfaas_backends.runtimes.tensorflow.nodes import GraphNodes, dtype_of, is_readable, name_of
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.rows import GraphRows
from tfaas_backends.runtimes.tensorflow.session import Feeds, GraphSession
from tfaas_backends.runtimes.tensorflow.signature import first_names, signature_of, spec_of
from tfaas_backends.runtimes.tensorflow.state import is_stateful, stateful_functions
from tfaas_backends.runtimes.vetting.graph_vetting import vet_graph
from tfaas_core.errors import TfaasError
from tfaas_core.models.params import Params
from tfaas_core.runtime import Independence, LoadOptions, Servable, Shapes
from tfaas_core.tensors import Array, Signature, TensorSpec


class GraphServable(Servable):
    """Runs one session, with one thread unless more were asked for or proved faster.

    ``open_session(threads)`` makes sessions that compute the signature's outputs; ``session`` is
    one of them, of so many ``threads``. ``rows``: what is proven of the graph that they run.
    ``needs_files``: whether sessions are made of more than the graph.
    """

    takes_any_shape = True

    def __init__(
        self,
        open_session: Callable[[int], GraphSession],
        session: GraphSession,
        signature: Signature,
        stateful: bool,
        tunable: bool,
        threads: int = 1,
        rows: GraphRows | None = None,
        needs_files: bool = False,
    ) -> None:
        self.signature = signature
        self.stateful = stateful
        self._rows = rows
        self._needs_files = needs_files
        self._open_session = open_session
        self._session = session
        self._tunable = tunable
        self.threads, self.executor = threads, session.executor

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return self._session.run(inputs)

    @property
    def session(self) -> GraphSession:
        """What runs it, or something that acts like it if TensorFlow restores the model."""
        return self._session

    def run_at(self, place: int, inputs: Sequence[Array]) -> list[Array]:
        """Runs what the session has at another place than the first: another signature."""
        return self._session.run(inputs, place)

    def independence(self, shapes: Shapes | None = None) -> Independence:
        if self._rows is None:
            return super().independence(shapes)
        return self._rows.independence(self.signature, shapes)

    def tune(self, inputs: Sequence[Array]) -> None:
        """Takes as many threads as run these inputs fastest; see ``tuned``."""
        if self._tunable:
            open_session, signature = self._open_session, self.signature
            self._session, self.threads = tuned(self._session, open_session, inputs, signature)
            self.executor = self._session.executor
            return_free_memory()

    def reset(self) -> None:
        """Takes a new session: variables, tables, queues and generators are in it alone.

        Raises what loading raises; then nothing is left that could run.
        """
        self._session.close()  # before, not after: only one of them need fit into the memory
        self._session = self._open_session(self.threads)
        return_free_memory()

    def rest(self) -> bool:
        """Closes the session, if another one needs no files."""
        if self._needs_files:
            return False
        self._session.close()
        return_free_memory()
        return True

    def close(self) -> None:
        self._session.close()


class SiblingServable(Servable):
    """A further signature of ``owner``, at ``place`` of its session; the rest is as there."""

    takes_any_shape = True

    def __init__(
        self,
        owner: GraphServable,
        place: int,
        signature: Signature,
        stateful: bool,
        rows: GraphRows,
    ) -> None:
        self.signature = signature
        self.stateful = stateful
        self._owner = owner
        self._place = place
        self._rows = rows

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return self._owner.run_at(self._place, inputs)

    def independence(self, shapes: Shapes | None = None) -> Independence:
        return self._rows.independence(self.signature, shapes)

    def reset(self) -> None:
        self._owner.reset()

    def close(self) -> None:
        """Its owner is closed, not it."""


def load_graph(artifact: Path, params: Params, options: LoadOptions) -> GraphServable:
    """The graph in the file ``artifact``, as Runtime.load gives it."""
    graph_def = read_graph(artifact)
    try:
        if options.policy != "off":
            file_bytes = artifact.stat().st_size
            vet_graph(graph_def, options.allow_ops, file_bytes).check_none()
        return _load(graph_def, params, options.threads, options.memory_bytes)
    except TfaasError:
        raise
    except Exception as error:  # of a broken graph, TensorFlow raises nearly anything
        raise load_error(error, graph_def, options.memory_bytes) from None
    finally:
        del graph_def
        return_free_memory()


class _Ends(msgspec.Struct, frozen=True):
    """The tensors to feed and to fetch, and those that are neither, as in Signature."""

    inputs: list[Any]
    outputs: list[Any]
    unused: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def _load(graph_def: Any, params: Params, threads: int, memory_bytes: int) -> GraphServable:
    params = _with_nodes(params, graph_def)
    graph = _imported(graph_def, params)
    ends = _ends(graph, params)
    inputs, outputs = ends.inputs, ends.outputs
    ends_in, fed = ({tensor.op.name for tensor in side} for side in (outputs, inputs))
    check_devices(graph_def, ends_in, fed)
    stateful = is_stateful(
        GraphNodes(graph, fed).ancestors(outputs, inputs),
        stateful_functions(graph_def),
    )
    input_specs = [_input_spec(tensor) for tensor in inputs]
    output_specs = [spec_of(tensor, "outputNode") for tensor in outputs]
    feeds = [Feeds(inputs, apart_from(inputs, outputs, graph))]
    plain = not stateful and is_plain(graph_def)

    def open_session(threads: int) -> GraphSession:
        return GraphSession(graph, feeds, threads, plain=plain, memory_bytes=memory_bytes)

    prover = Prover(graph_def, [t.name for t in inputs], [t.name for t in outputs])
    rows, axis = GraphRows(prover, input_specs), params.batch.axis
    signature = signature_of(input_specs, rows.found(output_specs), axis, first_names(inputs))
    signature = rows.settled(signature, is_given=axis is not None)
    session = open_session(threads or 1)
    signature = replace(signature, unused=ends.unused, left_out=ends.left_out)
    return GraphServable(
        open_session, session, signature, stateful, threads == 0, threads or 1, rows
    )


def _with_nodes(params: Params, graph_def: Any) -> Params:
    """``params`` that name nodes of the graph, if they name any in either way."""
    nodes = {node.name for node in graph_def.node}

    def is_node(name: str) -> bool:
        return name.partition(":")[0] in nodes

    return with_chosen(params, is_node, is_node)


def _imported(graph_def: Any, params: Params) -> Any:
    prepare(graph_def, {name.strip().partition(":")[0] for name in params.input_nodes})
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return graph


def _ends(graph: Any, params: Params) -> _Ends:
    """The ends that ``params`` name, or else found."""
    nodes = GraphNodes(graph, {name.strip().partition(":")[0] for name in params.input_nodes})
    named = nodes.named(params.input_nodes, "inputNode")
    outputs = nodes.named(params.output_nodes, "outputNode") or nodes.last_outputs(named)
    left_out = []
    if not params.output_nodes and any(map(is_readable, outputs)):
        left_out = [tensor for tensor in outputs if not is_readable(tensor)]
        outputs = list(filter(is_readable, outputs))
    if named:
        nodes.check_covered(outputs, named)
    found = named or nodes.inputs_of(outputs)
    unneeded = nodes.unneeded(outputs, found)
    ignored = set(map(name_of, unneeded))
    # Where the outputs need nothing at all, what is named is asked for all the same.
    inputs = [tensor for tensor in found if name_of(tensor) not in ignored] or found
    return _Ends(
        inputs,
        outputs,
        tuple(sorted(ignored.difference(map(name_of, inputs)))),
        tuple(f"{name_of(tensor)} ({dtype_of(tensor)})" for tensor in left_out),
    )


def _input_spec(tensor: Any) -> TensorSpec:
    return replace(spec_of(tensor, "inputNode"), default=constant_default(tensor))


def apart_from(inputs: Sequence[Any], outputs: Sequence[Any], graph: Any) -> list[Any]:
    """The outputs, through an Identity if they are inputs: no session fetches what it is fed."""
    fed = {tensor.name for tensor in inputs}
    with graph.as_default():
        return [tf.identity(t) if t.name in fed else t for t in outputs]


def return_free_memory() -> None:
    """Gives what was freed back to the system, for other processes."""
    # Loading takes several times the memory of the weights, and glibc would keep all of it.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
