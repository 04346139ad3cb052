from __future__ import annotations

import pytest

from tests.core.plugins.sources import (
    CODEC,
    COMMAND,
    LISTENER,
    ROUTE,
    STORAGE,
    InstallPlugin,
    ask_everything,
    at_rest,
    installed,
    route,
    with_disabled,
)
from tfaas_core.config import Config
from tfaas_core.errors import PluginError, StartupError
from tfaas_core.plugins import BUILTIN_PLUGINS, load_plugins

CLAIMS = {
    "codec `csv`": (CODEC, CODEC.replace("text/csv", "text/x")),
    "media type `text/csv`": (CODEC, CODEC.replace('"csv"', '"other"')),
    "storage `tape`": (STORAGE, STORAGE),
    "command `hello`": (COMMAND, COMMAND),
    "listener `echo`": (LISTENER, LISTENER),
    "route `PUT /hello/{who}`": (
        ROUTE,
        ROUTE.replace("{name}", "{who}").replace('"GET", "PUT"', '"PUT",'),
    ),
    "route `POST /models/{model}/predict/csv`": (
        CODEC,
        ROUTE.replace("/hello/{name}", "/models/{model}/predict/csv").replace(
            '"GET", "PUT"', '"POST",'
        ),
    ),
    "route `POST /csv`": (
        CODEC,
        ROUTE.replace("/hello/{name}", "/csv").replace('"GET", "PUT"', '"POST",'),
    ),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_two_plugins_that_claim_the_same_are_an_error_that_names_both(
    install_plugin: InstallPlugin, config: Config, claim: str
) -> None:
    first, second = CLAIMS[claim]
    install_plugin("tfaas-a", first)
    install_plugin("tfaas-b", second)
    with pytest.raises(PluginError) as caught:
        ask_everything(installed(), with_disabled(config, "tfaas-a", "tfaas-b"))
    both = "plugins tfaas_a (tfaas-a 1.0) and tfaas_b (tfaas-b 1.0) both claim the "
    assert caught.value.message.startswith(both + claim)
    ask_everything(installed("tfaas-b"), with_disabled(config, "tfaas-a", "tfaas-b"))


COLLISIONS = {
    "claims the route `POST /upload` for its codec `upload`, which the built-in plugin "
    "tfaas_plugins.routes.models has": CODEC.replace("csv", "upload"),
    "claims the codec `json`, which the built-in plugin tfaas_plugins.codecs.json has": (
        CODEC.replace('"csv"', '"json"')
    ),
    "claims the media type `image/png` for its codec `csv`, which the built-in plugin": (
        CODEC.replace("text/csv", "image/png")
    ),
    "claims the route `POST /models/{m}/predict/json`, which the built-in plugin "
    "tfaas_plugins.codecs.json has for its codec `json`": route(path='"/models/{m}/predict/json"'),
}


@pytest.mark.parametrize("claim", COLLISIONS)
def test_who_claims_what_is_built_in_is_to_blame(
    install_plugin: InstallPlugin, config: Config, claim: str
) -> None:
    install_plugin("tfaas-own", COLLISIONS[claim])
    with pytest.raises(PluginError) as caught:
        at_rest(config).routes()
    assert caught.value.message.startswith(f"plugin tfaas_own (tfaas-own 1.0) {claim}")
    assert "list one of the two plugins in [plugins] disabled" in caught.value.message
    assert caught.value.details == {"plugin": "tfaas_own"}


TIES = {
    ("/v1/{name}-x", "/v1/y-{name}"): True,
    ("/v1/{name}:one", "/v1/{name}:two"): False,
    ("/v1/{name}:predict", "/v1/{name}"): False,
    ("/v1/live", "/v1/{name}"): False,
    ("/v1/{name}/x", "/v1/{rest...}"): False,
}


@pytest.mark.parametrize(("paths", "tie"), TIES.items())
@pytest.mark.parametrize("methods", ["('GET',)", "('POST',)"])
def test_routes_that_match_the_same_paths_with_no_winner_are_an_error_that_names_both(
    install_plugin: InstallPlugin, config: Config, paths: tuple[str, str], tie: bool, methods: str
) -> None:
    for name, path in zip("ab", paths, strict=True):
        chosen = methods if name == "b" else "('GET',)"
        install_plugin(f"tfaas-{name}", route(path=repr(path), methods=chosen))
    if not tie:
        assert len(installed().routes(at_rest(with_disabled(config, "tfaas-a", "tfaas-b")))) == 2
        return
    with pytest.raises(PluginError) as caught:
        installed().routes(at_rest(with_disabled(config, "tfaas-a", "tfaas-b")))
    assert caught.value.message == (
        f"plugin tfaas_b (tfaas-b 1.0) claims the route `{methods[2:-3]} {paths[1]}`, which "
        f"matches some paths that the route `GET {paths[0]}` of plugin tfaas_a (tfaas-a 1.0) "
        "matches, too, with as much text; rename it, or list one of the two plugins in [plugins] "
        "disabled"
    )
    assert caught.value.details == {"plugin": "tfaas_b"}


def test_two_routes_of_one_plugin_that_tie_are_one_sentence(
    install_plugin: InstallPlugin, config: Config
) -> None:
    second = '    yield Route("/hello/y-{name}", ("GET", "PUT"), hello)'
    install_plugin("tfaas-a", ROUTE.replace("{name}", "{name}-x") + second)
    assert said(with_disabled(config, "tfaas-a")) == [
        "plugin tfaas_a (tfaas-a 1.0) claims the route `GET /hello/y-{name}`, which matches some "
        "paths that the route `GET /hello/{name}-x` matches, too, with as much text; rename one of "
        "them"
    ]


@pytest.mark.parametrize("methods", ['"GET",', '"GET", "HEAD"'])
def test_what_is_wrong_with_get_is_not_said_of_head(
    install_plugin: InstallPlugin, config: Config, methods: str
) -> None:
    install_plugin("tfaas-a", route(methods=f"({methods})"))
    install_plugin("tfaas-b", route(methods="('GET',)"))
    assert said(with_disabled(config, "tfaas-a", "tfaas-b")) == [
        "plugins tfaas_a (tfaas-a 1.0) and tfaas_b (tfaas-b 1.0) both claim the route "
        "`GET /hello`; list one of them in [plugins] disabled"
    ]


def said(config: Config) -> list[str]:
    """What is wrong with the routes of the installed plugins."""
    errors: list[StartupError] = []
    load_plugins(BUILTIN_PLUGINS, errors.append).routes(at_rest(config))
    return [error.message for error in errors]


def test_two_codecs_may_both_read_any_media_type(
    install_plugin: InstallPlugin, config: Config
) -> None:
    install_plugin("tfaas-a", CODEC)
    install_plugin("tfaas-b", CODEC.replace("csv", "tsv"))
    assert list(installed().codecs(config)) == ["csv", "tsv"]
