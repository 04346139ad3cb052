"""What TensorFlow complains about, as errors that help the person who uploads or predicts."""

from __future__ import annotations

import re
from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.errors import CannotServe, DoesNotFit, TfaasError, Unavailable

_MAX_CHARS = 300
_ROOT_ERROR = re.compile(r"\(\d+\) (?:[A-Z][A-Z_ ]+: )?(.*)")
_TRACE = "<stack traces unavailable>"
"""The last line before the error itself, in what a function raises."""
_PLACE = re.compile(r"\s*\[\[.*?\]\]")
_NODE = re.compile(r"\{\{(?:function_node [^}]*\}\}\s*|node ([^}]*)\}\})")
_UNKNOWN_OP = re.compile(r"Op type not registered '([^']*)'")
_NO_KERNEL = re.compile(
    r"No OpKernel was registered to support Op '([^']*)'|No registered '([^']*)' OpKernel"
)
_NO_CONSTANT = "Cannot parse tensor from proto"
_NEVER = re.compile(
    r"XlaCallModule|platforms required by the module|only supports N[DHWC]+|the NHWC tensor format"
)
"""What kernels say of their attributes if it is no matter of values."""


def one_line(error: BaseException) -> str:
    """What ``error`` says, in one line of 300 characters at most, without TensorFlow's markup."""
    lines = [line.strip() for line in _text(error).splitlines() if line.strip()]
    line = lines[0] if lines else type(error).__name__
    if _TRACE in lines[:-1]:
        line = lines[lines.index(_TRACE) + 1]
    if "root error(s) found" in line:
        line = next((match[1] for match in map(_ROOT_ERROR.match, lines) if match), line)
    line = _NODE.sub(r"\1", _PLACE.sub("", line)).strip().rstrip(".:")
    return line if len(line) <= _MAX_CHARS else line[: _MAX_CHARS - 1] + "…"


def load_error(error: Exception, graph_def: Any = None, memory_bytes: int = 0) -> TfaasError:
    """The answer to an upload that TensorFlow does not load; ``graph_def`` helps to name nodes.

    ``memory_bytes``: see LoadOptions.
    """
    if lacks_memory(error):
        return _no_memory(memory_bytes)
    if _NO_CONSTANT in _text(error):
        return CannotServe(
            "TensorFlow cannot make a constant of the graph, or one that it computes beforehand: it"
            " is damaged, or takes more memory than the model may take"
        )
    unknown = _UNKNOWN_OP.search(_text(error))
    if unknown is not None:
        op = unknown[1]
        return CannotServe(
            f"{_users(graph_def, op)} {op!r}, an op that TensorFlow {tf.__version__} does not know",
            op=op,
        )
    return _missing_kernel(error) or CannotServe(f"TensorFlow refuses the graph: {one_line(error)}")


def lacks_memory(error: Exception) -> bool:
    """Whether that is all that is wrong."""
    return isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)


def _no_memory(memory_bytes: int) -> TfaasError:
    if not memory_bytes:
        return Unavailable("there is not enough memory to load the model")
    return CannotServe(
        f"the model takes more memory to load than a model may take, {memory_bytes} bytes: make it"
        " smaller, or have the server's operator raise engine.max_model_memory_bytes, or take a"
        " larger machine"
    )


def run_error(error: Exception) -> TfaasError:
    """The answer to a request whose run failed."""
    if lacks_memory(error):
        return Unavailable(f"there is not enough memory for this run: {one_line(error)}")
    if isinstance(error, tf.errors.FailedPreconditionError):
        return CannotServe(
            "the graph is not frozen, or not whole: it reads what nothing initialises:"
            f" {one_line(error)}"
        )
    if isinstance(error, tf.errors.UnimplementedError) or _NEVER.search(_text(error)):
        return CannotServe(f"this machine cannot run the model: {one_line(error)}")
    return _missing_kernel(error) or DoesNotFit(
        f"the model cannot run on these values: {one_line(error)}"
    )


def _missing_kernel(error: Exception) -> CannotServe | None:
    text = _text(error)
    missing = _NO_KERNEL.search(text)
    if missing is None:
        return None
    op, node = missing[1] or missing[2], _NODE.search(text, missing.end())
    where = f"node {node[1]!r} uses" if node and node[1] else "the graph uses"
    return CannotServe(
        f"{where} {op!r}, an op that TensorFlow cannot run on this machine with these attributes",
        op=op,
    )


def _users(graph_def: Any, op: str) -> str:
    nodes = [] if graph_def is None else graph_def.node
    name = next((node.name for node in nodes if node.op == op), None)
    return "the graph uses" if name is None else f"node {name!r} uses"


def _text(error: BaseException) -> str:
    return str(getattr(error, "message", None) or error)
