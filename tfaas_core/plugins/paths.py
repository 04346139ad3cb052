"""The paths that a codec is served under."""

from __future__ import annotations


def predict_paths(codec: str) -> tuple[str, ...]:
    """The paths that a codec of this name is served under."""
    return f"/predict/{codec}", f"/{codec}"


def model_predict_paths(codec: str) -> tuple[str, ...]:
    """Those that name the model, too, and its version or label, in their fields."""
    return (
        f"/models/{{name}}/predict/{codec}",
        f"/models/{{name}}/versions/{{version}}/predict/{codec}",
        f"/models/{{name}}/labels/{{label}}/predict/{codec}",
    )
