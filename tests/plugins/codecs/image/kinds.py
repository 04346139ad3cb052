"""Models that take pictures of one kind."""

from __future__ import annotations

from tests.plugins.codecs.image.images import (
    taking,
)

GREY = taking(None, None, None, 1)

COLOUR = taking(None, None, None, 3)
