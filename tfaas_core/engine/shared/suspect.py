"""Who is to blame for what a model's process does: the model, and the plugin of its runtime."""

from __future__ import annotations


def named(what: str, plugin: str) -> str:
    """``what``, such as "model 'vk'", and the module of the plugin, unless that is empty."""
    return f"{what} (its runtime is of plugin {plugin})" if plugin else what


def details_of(model: str, plugin: str) -> dict[str, str]:
    """The details of an error that name them, as far as they are known."""
    details = {"model": model, "plugin": plugin}
    return {name: value for name, value in details.items() if value}
