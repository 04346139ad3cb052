"""The answers to classify and regress, as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from tfaas_core.tensors import Array, Arrays
from tfaas_core.values.pieces import joined_bytes, pieces
from tfaas_plugins.codecs.json.pieces import dumped
from tfaas_plugins.protocols.json_arrays import elements_written, fragment
from tfaas_plugins.protocols.tfserving.examples import classes_and_scores, regressions


def results_answer(verb: str, outputs: Arrays, rows: int) -> bytes:
    """``{"results": [...]}``. Raises BadBody if the outputs are none of the verb."""
    if verb == "regress":
        return dumped({"results": fragment(regressions(outputs, rows))})
    results = _parts(*classes_and_scores(outputs, rows))
    return joined_bytes([b'{"results":[', *results, b"]}"])


def _parts(classes: Array, scores: Array) -> Iterator[bytes]:
    for row, (labels, theirs) in enumerate(zip(classes, scores, strict=True)):
        yield b",[" if row else b"["
        for part, some in enumerate(zip(pieces(labels), pieces(theirs), strict=True)):
            yield b"," if part else b""
            yield _pairs(*some)
        yield b"]"


def _pairs(labels: Array, scores: Array) -> bytes:
    texts = (dumped(label.decode(errors="replace")) for label in labels)
    pairs = zip(texts, elements_written(scores), strict=True)
    return b",".join(b"[%b,%b]" % pair for pair in pairs)
