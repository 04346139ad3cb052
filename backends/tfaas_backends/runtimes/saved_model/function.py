"""A SavedModel's signature, run as a function: the way for models that no session can restore."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from tfaas_backends.runtimes.saved_model.folder import HeldFolder, damaged
from tfaas_backends.runtimes.saved_model.inputs import Asked
from tfaas_backends.runtimes.tensorflow.errors import run_error
from tfaas_backends.runtimes.tensorflow.nodes import dtype_of
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.errors import CannotServe
from tfaas_core.tensors import NUMPY_DTYPES, Array


class SignatureFunctions:
    """Computes signatures' outputs from their inputs; ``run`` and ``close`` as in GraphSession.

    For a model that only tf.saved_model.load can give its variables and tables: one with a table,
    say, that was saved without a saver in its graph. A run takes ten times as long as in a
    session. Making it raises CannotServe if the ends are no signature's, BadBody if the
    variables' files are damaged, and whatever else tf.saved_model.load raises.
    """

    executor = ""

    def __init__(
        self, meta_graph: Any, all_asked: Sequence[Asked], held: HeldFolder, threads: int
    ) -> None:
        for asked in all_asked:
            ends = asked.ends
            if not all(end.key for end in (*ends.inputs, *ends.outputs)):
                raise CannotServe(
                    "the SavedModel's graph does not tell how its variables get their values:"
                    f" params can name only keys of its signature {ends.signature!r}"
                )
        with suppress(RuntimeError):  # the process computes already: it keeps the threads it has
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        # The functions alone do not keep their variables alive.
        self._loaded = _loaded(held.path, list(meta_graph.meta_info_def.tags))
        self._functions = [_Function(self._loaded, asked) for asked in all_asked]

    def run(self, inputs: Sequence[Array], place: int = 0) -> list[Array]:
        """The outputs of the signature at ``place``, C-contiguous, as GraphSession gives them."""
        return self._functions[place](inputs)

    def close(self) -> None:
        """Gives up the variables."""
        self._loaded, self._functions = None, []


class _Function:
    def __init__(self, loaded: Any, asked: Asked) -> None:
        self._inputs = [end.key for end in asked.ends.inputs]
        self._outputs = [end.key for end in asked.ends.outputs]
        self._function = loaded.signatures[asked.ends.signature]
        arguments = self._function.structured_input_signature[1]
        self._dtypes = {key: tensor.dtype for key, tensor in arguments.items()}
        self._fixed = {
            each.end.key: tf.constant(tf.make_ndarray(each.value)) for each in asked.fixed
        }

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        try:
            fed = {
                key: tf.cast(array, self._dtypes[key])
                for key, array in zip(self._inputs, inputs, strict=True)
            }
            outputs = self._function(**self._fixed, **fed)
            return [self._array(outputs[key]) for key in self._outputs]
        except Exception as error:  # besides its own errors, TensorFlow raises any built-in one
            raise run_error(error) from None

    def _array(self, output: Any) -> Array:
        return np.asarray(output.numpy(), NUMPY_DTYPES[dtype_of(output)])


def _loaded(folder: Path, tags: list[str]) -> Any:
    try:
        return tf.saved_model.load(str(folder), tags)
    except tf.errors.NotFoundError:  # of an op, say
        raise
    except (tf.errors.OpError, IndexError) as error:  # what reading a checkpoint raises
        raise damaged(error, folder) from None
