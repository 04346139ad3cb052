"""Harmless text: what others say, such that a terminal shows it and does nothing else."""

from __future__ import annotations

import re

import click

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_DIRECTIONS = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_COMMANDING = re.compile(f"[{_CONTROLS}{_DIRECTIONS}]")
"""What moves the cursor, rings, or turns the order of letters around; not tabs and line feeds."""


def harmless(text: str) -> str:
    """``text``, with what would command a terminal escaped as in JSON, of which it stays the same.

    Lone surrogates, which cannot be printed, become question marks.
    """
    shown = _COMMANDING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return shown.encode(errors="replace").decode()


def say(text: str, err: bool = False) -> None:
    """Prints a line of what others say, on stderr if ``err``."""
    click.echo(harmless(text), err=err)
