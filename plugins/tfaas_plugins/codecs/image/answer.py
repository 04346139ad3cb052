"""What a model answers to pictures: labels with their probabilities, best first, or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfaas_core.codec import Encoded
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Arrays, BatchAxis, Bound
from tfaas_plugins.codecs.image.ranking import Ranking
from tfaas_plugins.codecs.json.codec import JsonCodec

_ONE_ROW = Bound({}, 1, True)
_JSON = JsonCodec()


def check_labels(version: ModelVersion) -> None:
    """Raises DoesNotFit if the version has labels, but no single output of numbers for them."""
    outputs = [spec for spec in version.signature.outputs if not spec.constant]
    if not version.labels:
        return
    if len(outputs) != 1:
        raise _do_not_fit(version, f"has {len(outputs)} outputs; params.outputNode may name one", 1)
    (spec,) = outputs
    if spec.numpy_dtype.kind not in "fiu":
        raise _do_not_fit(version, f"answers {spec}, which holds no probabilities", "numbers")


def encode(
    outputs: Arrays, bound: Bound, filenames: Sequence[str], top: int, version: ModelVersion
) -> Encoded:
    """A single picture's answer, or a list of those of a batch.

    With labels, an answer is an object with the file's name and the ``top`` best labels, of none
    if the model answers no row at all. Numbers without a label are left out, as the original
    TFaaS does. Without labels, it is what the JSON codec answers to one row,
    and if the model answers another number of rows than there are pictures, to all of them.
    Raises DoesNotFit if there are labels, and not as many rows as pictures.
    """
    rows = _rows(outputs, bound, version)
    if version.labels:
        answers = _all_labelled(rows, filenames, top, version)
    elif len(rows) != len(filenames):
        return _JSON.encode_other(outputs, bound, version)
    else:
        answers = [_JSON.encode_other(row, _ONE_ROW, version).whole() for row in rows]
    body = answers[0] if bound.single else b"[" + b",".join(answers) + b"]"
    return Encoded(body, "application/json")


def _rows(outputs: Arrays, bound: Bound, version: ModelVersion) -> list[Arrays]:
    """The outputs of each picture; as they are, if they are not of as many rows."""
    specs = version.signature.outputs
    varying = [spec.name for spec in specs if not spec.constant]
    if bound.single or not all(outputs[name].shape[:1] == (bound.rows,) for name in varying):
        return [outputs]
    return [
        {**outputs, **{name: outputs[name][number : number + 1] for name in varying}}
        for number in range(bound.rows)
    ]


def _all_labelled(
    rows: Sequence[Arrays], filenames: Sequence[str], top: int, version: ModelVersion
) -> list[bytes]:
    (name,) = (spec.name for spec in version.signature.outputs if not spec.constant)
    outputs = [row[name] for row in rows]
    batched = version.signature.batch is not BatchAxis.NONE
    if len(rows) != len(filenames) or (batched and outputs[0].shape[:1] > (1,)):
        (output,) = outputs
        if output.shape[:1] != (0,):
            raise _other_rows(version, len(output) if output.ndim else 1, len(filenames))
        outputs *= len(filenames)
    pairs = zip(outputs, filenames, strict=True)
    return [
        Ranking(output.reshape(1, -1), version.labels).answer(0, top, filename)
        for output, filename in pairs
    ]


def _other_rows(version: ModelVersion, rows: int, pictures: int) -> DoesNotFit:
    hint = "; send them one at a time" if pictures > 1 else ""
    what = f"answers {_counted(rows, 'row')} for {_counted(pictures, 'picture')}{hint}"
    return _do_not_fit(version, what, pictures, rows)


def _do_not_fit(
    version: ModelVersion, what: str, expected: object, got: object = None
) -> DoesNotFit:
    details: dict[str, Any] = {} if got is None else {"got": got}
    return DoesNotFit(
        f"model {version.name!r} has {_counted(len(version.labels), 'label')}, but {what}",
        field="labels",
        expected=expected,
        model=version.name,
        **details,
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
