"""What a codec raises or answers that it must not is an error that names its plugin."""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.errors import BadBody, TfaasError, Unavailable
from tfaas_core.predict.guarded_codec import GuardedCodec
from tfaas_core.route import Head
from tfaas_core.tensors import Bound
from tfaas_core.testing.models import model_version

BOUND = Bound({}, 0, False)
STEPS: dict[str, Callable[[Codec[Any]], object]] = {
    "parse": lambda codec: codec.parse(b"", Head.of_type("text/odd")),
    "bind": lambda codec: codec.bind(Document(), model_version(name="vk")),
    "encode": lambda codec: codec.encode({}, BOUND, Document(), model_version(name="vk")),
    "encode_other": lambda codec: codec.encode_other({}, BOUND, model_version(name="vk")),
}
ENCODED = Encoded(b"", "text/plain", {"X": "1"})
RIGHT = {"parse": Document(), "bind": BOUND, "encode": ENCODED, "encode_other": ENCODED}


class OddCodec(Codec[Any]):
    """Does in each step what it is told to."""

    name = "odd"
    media_types = ("text/odd",)

    def __init__(self, step: Callable[[], Any]) -> None:
        self._step = step

    def parse(self, *_given: Any) -> Any:
        return self._step()

    def bind(self, *_given: Any) -> Any:
        return self._step()

    def encode(self, *_given: Any) -> Any:
        return self._step()

    def encode_other(self, *_given: Any) -> Any:
        return self._step()

    def is_heavy(self, *_given: Any) -> Any:
        return self._step()


def guarded(step: Callable[[], Any]) -> GuardedCodec:
    return GuardedCodec(OddCodec(step), "tfaas_odd")


def raises(error: BaseException) -> Callable[[], Any]:
    def step() -> Any:
        raise error

    return step


BAD = {
    "raises": raises(KeyError("x")),
    "ends an iteration": raises(StopIteration()),
    "exits": raises(SystemExit(3)),
    "interrupts": raises(KeyboardInterrupt()),
    "ends a generator": raises(GeneratorExit()),
    "cancels": raises(asyncio.CancelledError()),
    "answers": lambda: None,
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bug_names_plugin_and_model(
    step: str, bad: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TfaasError, match=f"plugin tfaas_odd failed in {step} of") as caught:
        STEPS[step](guarded(bad))
    error = caught.value
    assert (error.status, error.code) == (500, "internal")
    assert error.details["plugin"] == "tfaas_odd"
    assert error.details.get("model") == (None if step == "parse" else "vk")
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "plugin tfaas_odd" in record.getMessage()


@pytest.mark.parametrize("step", STEPS)
def test_what_the_system_does_not_give_is_no_bug(step: str) -> None:
    with pytest.raises(Unavailable, match="too many files are open in this HTTP worker; try again"):
        STEPS[step](guarded(raises(OSError(errno.EMFILE, "Too many open files"))))
    with pytest.raises(Unavailable, match="this HTTP worker has not enough memory"):
        STEPS[step](guarded(raises(MemoryError())))


@pytest.mark.parametrize("path_fields", [{}, {"name": "vk"}])
def test_a_bug_before_the_model_is_looked_up_names_that_of_the_path(
    path_fields: dict[str, str],
) -> None:
    head = msgspec.structs.replace(Head.of_type("text/odd"), path_fields=path_fields)
    with pytest.raises(TfaasError) as caught:
        guarded(raises(KeyError("x"))).parse(b"", head)
    assert caught.value.details.get("model") == path_fields.get("name")


def test_a_bug_in_is_heavy_names_the_model() -> None:
    with pytest.raises(TfaasError, match="is_heavy of the codec 'odd', for model 'vk'"):
        guarded(raises(KeyError("x"))).is_heavy(Document(), model_version(name="vk"))


X = np.zeros((1, 3), np.float32)
document: Any = Document
bound: Any = Bound
encoded: Any = Encoded
WRONG: dict[str, tuple[str, Any, str]] = {
    "a model's number": ("parse", document(model=5), "whose model is 5, not of the type str"),
    "a list": ("parse", document(model=[1]), r"whose model is \[1\], not"),
    "a version's text": ("parse", document(version="1"), "whose version is '1', not"),
    "a version's truth": ("parse", document(version=True), "whose version is True, not"),
    "a label's number": ("parse", document(label=7), "whose label is 7, not"),
    "no arrays": ("bind", bound(None, 1, True), "whose arrays are None, not"),
    "a list for an array": ("bind", bound({"x": [1]}, 1, True), r"whose array 'x' is \[1\], not"),
    "a name that is none": ("bind", bound({1: X}, 1, True), "arrays have the name 1, not"),
    "rows as text": ("bind", bound({"x": X}, "1", True), "whose rows are '1', not"),
    "odd rows": ("bind", bound({"x": X}, np.int64(1), True), r"whose rows are np.int64\(1\), not"),
    "rows below 0": ("bind", bound({"x": X}, -2, False), "whose rows are -2, expected 0"),
    "an odd single": ("bind", bound({"x": X}, 1, 1), "whose single is 1, not"),
    "an odd whole": ("bind", bound({"x": X}, 1, True, None), "whose whole is None, not"),
    "text": ("encode", encoded("a", "a/b"), "whose body is 'a', not of the type bytes"),
    "no type": ("encode", encoded(b"", None), "media type of the answer is None"),
    "a broken type": ("encode", encoded(b"", "a/b\r\nX: y"), "not one line of visible ASCII"),
    "a broken header": ("encode", encoded(b"", "a/b", {"X": "1\r\nY: 2"}), "not one line of"),
    "a length": ("encode", encoded(b"", "a/b", {"content-length": "1"}), "the server sets itself"),
    "a model": ("encode", encoded(b"", "a/b", {"tfaas-model": "1"}), "the server sets itself"),
    "pairs": ("encode", encoded(b"", "a/b", [("a", "b")]), "are .*, not a mapping"),
    "another's": ("encode_other", encoded(b"", "a/b", {"X": 5}), "the header X of 5"),
}


@pytest.mark.parametrize(("step", "answer", "told"), WRONG.values(), ids=WRONG)
def test_an_answer_of_wrong_types_is_the_plugins_fault(
    step: str, answer: object, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TfaasError, match=f"plugin tfaas_odd failed in {step} of"):
        STEPS[step](guarded(lambda: answer))
    (record,) = caplog.records
    assert record.exc_info is not None
    assert re.search(told, str(record.exc_info[1]))


@pytest.mark.parametrize("step", STEPS)
def test_errors_meant_for_clients_and_answers_pass(step: str) -> None:
    error = BadBody("no")
    with pytest.raises(BadBody) as caught:
        STEPS[step](guarded(raises(error)))
    assert caught.value is error
    assert STEPS[step](guarded(lambda: RIGHT[step])) is RIGHT[step]


def test_it_is_called_what_the_codec_is_called() -> None:
    codec = guarded(lambda: None)
    assert (codec.name, codec.media_types) == ("odd", ("text/odd",))
