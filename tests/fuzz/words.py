"""Words that mean something in a graph, for those who make graphs at random."""

from __future__ import annotations

from tfaas_backends.runtimes.vetting.file_ops import FILE_OPS
from tfaas_backends.runtimes.vetting.ops import WATCHED

WORDS = (
    *FILE_OPS,
    *WATCHED,
    *("ReadFile", "WriteFile", "PyFunc", "XlaCallModule", "SymbolicGradient", "NoSuchOp"),
    *("Const", "Placeholder", "Identity", "Neg", "Fill", "Range", "Tile", "While", "If", "Pack"),
    *("negate", "f", "g", "x", "y", "x:0", "^x", "a", "minus:y:0", "dtype", "value", "T", "shape"),
    *("output_stream", "vocab_file", "executor_type", "out_type", "descriptor_source", "stdout"),
    *(
        "a\nb\x7f",
        "file:///tmp/x",
        "then_branch",
        "body",
        "api_implements",
        "serve",
        "saver",
    ),
)
