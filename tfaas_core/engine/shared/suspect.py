"""Who is to blame for what a model's process does: the model, and the plugin of its runtime."""

from __future__ import annotations

from tfaas_core.errors import ModelLost


def named(what: str, plugin: str) -> str:
    """``what``, such as "model 'vk'", and the module of the plugin, unless that is empty."""
    return f"{what} (its runtime is of plugin {plugin})" if plugin else what


def details_of(model: str, plugin: str) -> dict[str, str]:
    """The details of an error that name them, as far as they are known."""
    details = {"model": model, "plugin": plugin}
    return {name: value for name, value in details.items() if value}


def process_died(model: str, plugin: str) -> ModelLost:
    """The error of a model whose process was gone before it could be connected to."""
    process = f"the process of {named(f'model {model!r}', plugin)}"
    return ModelLost(f"{process} died; try again", **details_of(model, plugin))
