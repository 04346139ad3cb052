"""Notes: what is written down of a request, on its way, for those who observe it."""

from __future__ import annotations

import msgspec


class Timing(msgspec.Struct):
    """How long a request was with its model, in seconds; None until it is answered.

    ``wait_s``: for other runs, and on the way to the model's process and back. ``run_s``: in the
    run that answered it, which it may have shared.
    """

    wait_s: float | None = None
    run_s: float | None = None


class Notes(msgspec.Struct):
    """What is known so far. A handler that predicts in its own way may write into it."""

    codec: str = ""
    model: str = ""
    version: int | None = None
    rows: int | None = None
    timing: Timing = msgspec.field(default_factory=Timing)
