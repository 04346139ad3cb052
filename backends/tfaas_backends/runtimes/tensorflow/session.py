"""A TensorFlow session that computes some tensors of a graph from others, again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np

from tfaas_backends.runtimes.tensorflow.errors import lacks_memory, load_error, run_error
from tfaas_backends.runtimes.tensorflow.executor import DEFAULT, SINGLE_THREADED
from tfaas_backends.runtimes.tensorflow.nodes import dtype_of
from tfaas_backends.runtimes.tensorflow.private import callable_of, config_pb2
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.errors import TfaasError
from tfaas_core.tensors import NUMPY_DTYPES, Array


class Feeds(msgspec.Struct, frozen=True):
    """Tensors of a graph to feed, and those to fetch then."""

    inputs: Sequence[Any]
    outputs: Sequence[Any]


class GraphSession:
    """Computes tensors of ``graph`` from others: for each of ``feeds``, outputs from inputs.

    With one thread, ops run in the thread that calls, with no hand-over. With more, the session
    has so many of its own, and they end with it. ``initialise`` is called with the new session: a
    tf.compat.v1.Session, which shares no variables and tables with others. ``plain``: whether its
    ops may be run in a row, if there is one thread; see ``is_plain``. ``memory_bytes``: see
    LoadOptions. Making it raises CannotServe if the graph cannot be run at all, or takes more
    memory than that, and else Unavailable.
    """

    executor = DEFAULT
    """As TensorFlow calls what has the ops run."""

    def __init__(
        self,
        graph: Any,
        feeds: Sequence[Feeds],
        threads: int,
        initialise: Callable[[Any], None] = lambda session: None,
        plain: bool = False,
        memory_bytes: int = 0,
    ) -> None:
        self.feeds = feeds
        try:
            if plain and threads == 1:
                # What TensorFlow makes of the graph may hold what that executor refuses.
                with suppress(TfaasError):
                    self._open(graph, _in_a_row(_config(threads)), initialise)
                    self.executor = SINGLE_THREADED
                    return
            self._open(graph, _config(threads), initialise)
        except Exception as error:
            if lacks_memory(error):
                raise load_error(error, memory_bytes=memory_bytes) from None
            raise

    def _open(self, graph: Any, config: Any, initialise: Callable[[Any], None]) -> None:
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            initialise(self._session)
            # Session.make_callable looks up every name in every run: three times as slow for a
            # small network.
            self._calls = [_Call(self._session, each) for each in self.feeds]
        except Exception as error:
            self._session.close()
            if isinstance(error, TfaasError) or lacks_memory(error):
                raise
            raise load_error(error) from None

    def run(self, inputs: Sequence[Array], place: int = 0) -> list[Array]:
        """The outputs of the feeds at ``place``, C-contiguous. Raises what Servable.run does."""
        return self._calls[place](inputs)

    @property
    def opened(self) -> Any:
        """TensorFlow's own session; None once it is closed."""
        return self._session

    def close(self) -> None:
        """Ends the session's threads and frees its memory."""
        self._calls = []
        session, self._session = self._session, None  # variables go only with the object
        if session is not None:
            session.close()


class _Call:
    def __init__(self, session: Any, feeds: Feeds) -> None:
        inputs, outputs = feeds.inputs, feeds.outputs
        self._casts = [t.dtype.as_numpy_dtype if _is_bfloat16(t) else None for t in inputs]
        self._has_casts = any(self._casts)
        self._dtypes = [NUMPY_DTYPES[dtype_of(tensor)] for tensor in outputs]
        self._call = callable_of(session, _options(inputs, outputs))

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        if self._has_casts:
            inputs = [
                array if cast is None else array.astype(cast)
                for array, cast in zip(inputs, self._casts, strict=True)
            ]
        try:
            outputs = self._call(*inputs)
        except Exception as error:  # besides its own errors, TensorFlow raises any built-in one
            raise run_error(error) from None
        return [
            np.asarray(output, dtype) for output, dtype in zip(outputs, self._dtypes, strict=True)
        ]


def _is_bfloat16(tensor: Any) -> bool:
    return bool(tensor.dtype.base_dtype == tf.bfloat16)


def _config(threads: int) -> Any:
    config = tf.compat.v1.ConfigProto(
        device_count={"GPU": 0},
        intra_op_parallelism_threads=threads,
        inter_op_parallelism_threads=threads if threads > 1 else -1,
        # With threads of its own, a session never runs in the thread that calls.
        use_per_session_threads=threads > 1,
    )
    # The graph is whole: the session need not keep the parts that it would take to extend it.
    config.experimental.optimize_for_static_graph = True
    config.experimental.disable_output_partition_graphs = True
    return config


def _in_a_row(config: Any) -> Any:
    """It has no queue of ops that are ready, nor locks: a fifth less for a small network."""
    config.experimental.executor_type = SINGLE_THREADED
    return config


def _options(inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    return config_pb2.CallableOptions(
        feed=[tensor.name for tensor in inputs], fetch=[tensor.name for tensor in outputs]
    )
