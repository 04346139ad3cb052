from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType

import pytest

from tfaas_core.routing.culprit import culprit

PLUGINS = {"tfaas_a", "tfaas_b.hooks", "tfaas_c:plugin"}
CALL = "def call(inner):\n    inner()\n"


def code_of(module: str) -> Callable[[Callable[[], None]], None]:
    """A function of ``module`` that calls another."""
    made = ModuleType(module)
    exec(CALL, vars(made))
    call: Callable[[Callable[[], None]], None] = vars(made)["call"]
    return call


def fail() -> None:
    raise ValueError("a bug")


@pytest.mark.parametrize(
    ("callers", "plugin"),
    [
        ([], ""),
        (["tfaas_core.host", "other"], ""),
        (["tfaas_a", "tfaas_core.host"], "tfaas_a"),
        (["tfaas_a.db"], "tfaas_a"),
        (["tfaas_ab"], ""),
        (["tfaas_a", "tfaas_core.host", "tfaas_b.hooks"], "tfaas_b.hooks"),
        (["tfaas_c.db"], "tfaas_c:plugin"),
        (["tfaas_b.hooks.own", "tfaas_core.host", "tfaas_a"], "tfaas_a"),
    ],
)
def test_the_culprit_is_the_plugin_that_was_called_last(callers: list[str], plugin: str) -> None:
    called: Callable[[], None] = fail
    for module in reversed(callers):
        called = partial(code_of(module), called)
    with pytest.raises(ValueError, match="a bug") as caught:
        called()
    assert culprit(caught.value, PLUGINS) == plugin
