"""Unanswered: what those hear whose request a servable has not answered."""

from __future__ import annotations

from tfaas_core.engine.shared.suspect import details_of, named
from tfaas_core.errors import DeadlinePassed, ModelLost


def model_lost(model: str, plugin: str) -> ModelLost:
    """Its process ended; ``plugin`` is the module to blame, or empty."""
    return ModelLost(
        f"the process of {named(f'model {model!r}', plugin)} died under this request; try again",
        **details_of(model, plugin),
    )


def deadline_passed(model: str, timeout_s: float) -> DeadlinePassed:
    """It has taken longer than it may."""
    return DeadlinePassed(
        f"model {model!r} did not answer within {timeout_s:g} s (server.request_timeout_s)",
        model=model,
    )
