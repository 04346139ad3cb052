"""ModelPaths: what is said of a model that is missing."""

from __future__ import annotations

import pytest

from tfaas_core.models.paths import HERE, ModelPaths


@pytest.mark.parametrize(
    ("paths", "name", "message"),
    [
        (HERE, "vk", "there is no model 'vk'; see /models"),
        (HERE, "", "there is no model yet; upload one to /upload"),
        (ModelPaths("/tfaas"), "vk", "there is no model 'vk'; see /tfaas/models"),
        (ModelPaths("/tfaas"), "", "there is no model yet; upload one to /tfaas/upload"),
        (ModelPaths(None), "vk", "there is no model 'vk'"),
        (ModelPaths(None), "", "there is no model yet"),
    ],
)
def test_a_message_names_the_path_where_it_is(paths: ModelPaths, name: str, message: str) -> None:
    assert paths.unknown(name).message == message
