"""Public names: found when somebody asks for them, and with a warning if they go away."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple


class Former(NamedTuple):
    """A name that goes away. What it stands for is kept for a release."""

    place: str
    """Where the thing is meanwhile, like ``tfaas_core.codec:Encoded``."""
    since: str
    """The release that warns first, like ``0.2.0``."""
    instead: str
    """What an author is to do, like ``use tfaas_core.Encoded``."""


def lookup(
    module: str, homes: Mapping[str, str], former: Mapping[str, Former]
) -> Callable[[str], Any]:
    """A ``__getattr__`` for ``module``, which is asked for what the module itself does not have.

    ``homes``: names, each with the module that has it and is imported then. ``former``: names that
    go away; whoever uses one gets what it stood for, and a DeprecationWarning.
    A module defines it ``if not TYPE_CHECKING``, or else type checkers take any name for right.
    """

    def find(name: str) -> Any:
        if name in former:
            return _former(f"{module}.{name}", former[name])
        if name not in homes:
            raise AttributeError(
                f"module {module!r} has no attribute {name!r}", name=name, obj=sys.modules[module]
            )
        thing = getattr(import_module(homes[name]), name)
        # From now on the module has it, and nobody asks here.
        setattr(sys.modules[module], name, thing)
        return thing

    return find


def _former(name: str, former: Former) -> Any:
    message = f"{name} is deprecated since {former.since}, and will be removed: {former.instead}"
    # The line that uses the name: two calls are ours.
    warnings.warn(message, DeprecationWarning, stacklevel=3)
    home, _, own_name = former.place.partition(":")
    return getattr(import_module(home), own_name)
