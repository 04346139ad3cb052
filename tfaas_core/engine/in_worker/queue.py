"""The bound of a queue: how many rows may wait for one model."""

from __future__ import annotations

from tfaas_core.errors import QueueFull


def check_room(waiting_rows: int, rows: int, most_rows: int, model: str, until: str = "") -> None:
    """Raises QueueFull unless ``rows`` may join the ``waiting_rows``; ``until``: what those do."""
    if waiting_rows + rows > most_rows:
        raise QueueFull(
            f"{waiting_rows} rows are waiting for model {model!r}{until}, which is all that "
            "engine.max_queue_rows allows; try again later",
            model=model,
        )
