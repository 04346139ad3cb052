"""Long outputs of a run that several share are an answer for each of them."""

from __future__ import annotations

import numpy as np
import pytest

from tfaas_core.engine.in_model_process.dealing import dealt_out
from tfaas_core.engine.shared.frames import FrameBuffer, RequestFrame, decode_answer
from tfaas_core.engine.shared.slots import HALF_BYTES, SharedSlots, new_slots
from tfaas_core.tensors import Array, TensorSpec

SPECS = (
    TensorSpec("y", "float32", (None, None)),
    TensorSpec("scale", "float32", (2,), constant=True),
)
SCALE: Array = np.array([1, 2], np.float32)


@pytest.mark.parametrize(("width", "answers"), [(1, (1, 1)), (1 << 18, (3, 1))])
def test_each_part_gets_its_rows_however_long_they_are(
    width: int, answers: tuple[int, int]
) -> None:
    frames = [
        RequestFrame(7, 0.0, [1, 0, 2], 3, []),
        RequestFrame(9, 0.0, [2], 2, []),
    ]
    rows: Array = np.repeat(np.arange(5, dtype=np.float32)[:, None], width, axis=1)
    dealt = dealt_out(frames, [None, None], [rows, SCALE], SPECS, run_s=0.5)
    assert tuple(map(len, dealt)) == answers
    run_rows, start = [], 0
    for frame, own in zip(frames, dealt, strict=True):
        parts = 0
        for data in own:
            whole = data if isinstance(data, bytes) else b"".join(data.pieces)
            (body,) = FrameBuffer().feed(whole)
            answer = decode_answer(body, SPECS)
            assert (answer.id, answer.first_part) == (frame.id, parts)
            sizes = frame.part_rows[parts : parts + answer.parts]
            assert np.array_equal(answer.outputs[0], rows[start : start + sum(sizes)])
            assert np.array_equal(answer.outputs[1], SCALE)
            parts, start = parts + answer.parts, start + sum(sizes)
            run_rows.append(answer.run_rows)
        assert parts == len(frame.part_rows)
    assert run_rows == [5, *[-1] * (len(run_rows) - 1)]


def test_long_outputs_that_are_alike_for_all_rows_are_sent_once_for_a_frame() -> None:
    frame = RequestFrame(7, 0.0, [1, 1, 2], 4, [])
    rows: Array = np.ones((4, 2), np.float32)
    specs = (SPECS[0], TensorSpec("anchors", "float32", (1 << 19,), constant=True))
    anchors: Array = np.arange(1 << 19, dtype=np.float32)
    ((answer,),) = dealt_out([frame], [None], [rows, anchors], specs, run_s=0.5)
    assert anchors.nbytes < len(answer) < 2 * anchors.nbytes


def test_answers_that_cannot_all_be_written_leave_no_slot_taken() -> None:
    specs = [TensorSpec("y", "float32", (None, None)), TensorSpec("text", "string", (None,))]
    writer = SharedSlots(new_slots(), is_servable=True).writer
    frames = [RequestFrame(7, 0.0, [1, 1], 2, []), RequestFrame(9, 0.0, [1, 1], 2, [])]
    texts: Array = np.array([b"1", b"2", b"3", object()], object)
    rows: Array = np.ones((len(texts), 1 << 18), np.float32)  # each part is an answer
    for _ in range(HALF_BYTES // rows.nbytes + 1):
        with pytest.raises(TypeError):
            dealt_out(frames, [writer, writer], [rows, texts], specs, run_s=0.5)
    assert writer.take(HALF_BYTES) is not None
