"""Which graphs TensorFlow's single-threaded executor runs: those that are a plain row of ops."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

SINGLE_THREADED, DEFAULT = "SINGLE_THREADED_EXECUTOR", "DEFAULT"
"""As tf.compat.v1.ConfigProto calls them."""

_BRANCHES = re.compile(
    r"(Ref)?(Switch|Merge|Enter|Exit|NextIteration)|_Switch\w*|LoopCond|ControlTrigger"
    r"|(Stateless)?(If|While|Case)|_?(If|While)|For|RemoteCall|_?(Host)?(Send|Recv)\w*"
    r"|RefSelect|Variable(V2)?"
)
"""What it refuses; and loops of TensorFlow 2, which it computes with other last bits."""


def is_plain(graph_def: Any) -> bool:
    """Whether it computes the same there, to the last bit, in a shorter time.

    It knows no branches and loops of TensorFlow 1, nor references to variables.
    """
    functions = (function.node_def for function in graph_def.library.function)
    ops = {node.op for node in chain(graph_def.node, *functions)}
    return not any(map(_BRANCHES.fullmatch, ops))
