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
        (
            ModelPaths("/tfaas", elsewhere=True),
            "vk",
            "there is no model 'vk'; see /tfaas/models on the port for management "
            "(server.admin_port)",
        ),
        (
            ModelPaths(elsewhere=True),
            "",
            "there is no model yet; upload one to /upload on the port for management "
            "(server.admin_port)",
        ),
    ],
)
def test_a_message_names_the_path_where_it_is(paths: ModelPaths, name: str, message: str) -> None:
    assert paths.unknown(name).message == message
