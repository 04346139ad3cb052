"""Tables of plugins: checked as the server's own, and reached by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.plugins.sources import InstallPlugin, hook
from tfaas_core.config import Config, load_config
from tfaas_core.errors import ConfigError, PluginError, StartupError
from tfaas_core.host import Host
from tfaas_core.plugins import load_plugins
from tfaas_core.wiring.composition import Composition

SECTION = '''
from typing import Annotated, Literal
from msgspec import Meta, Struct
from tfaas_core.hookspecs import hookimpl
from tfaas_core.secret import Secret

class Ends(Struct, frozen=True):
    low: float = 0.0

class Csv(Struct, frozen=True):
    """[plugins.csv]: how tables are read."""

    separator: Annotated[str, Meta(min_length=1)] = ","
    quotes: Literal["all", "none"] = "none"
    token: Secret | None = None
    ends: Ends = Ends()

@hookimpl
def tfaas_config_sections():
    return {"csv": Csv}
'''
REQUIRED = SECTION.replace("frozen=True)", "frozen=True, kw_only=True)").replace(
    "token: Secret | None = None", "token: Secret"
)

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path, install_plugin: InstallPlugin) -> Load:
    """The configuration of a file, overrides and the environment, with the table of a plugin."""

    def load(text: str = "", *overrides: str, source: str = SECTION, **environ: str) -> Config:
        install_plugin("tfaas-csv", source)
        file = tmp_path / "tfaas.toml"
        file.write_text(text)
        return Composition.of(load_config(file, overrides, environ)).config

    return load


def test_a_table_that_is_not_configured_has_its_defaults(load: Load) -> None:
    settings = load().settings("csv")
    assert (settings.separator, settings.quotes, settings.ends.low) == (",", "none", 0.0)


def test_a_table_comes_from_the_same_places_as_others(load: Load) -> None:
    config = load(
        "[plugins.csv]\nseparator = ';'\nquotes = 'all'\n[plugins.csv.ends]\nlow = 1",
        "plugins.csv.ends.low=3",
        TFAAS_PLUGINS__CSV__SEPARATOR="|",
        TFAAS_PLUGINS__CSV__ENDS__LOW="2",
    )
    settings = config.settings("csv")
    assert (settings.separator, settings.quotes, settings.ends.low) == ("|", "all", 3)


def test_a_host_has_it(load: Load) -> None:
    config = load("", "plugins.csv.separator=x")
    assert Host.at_rest(Composition.of(config)).settings("csv").separator == "x"


def test_a_secret_may_say_where_it_is(load: Load) -> None:
    config = load("", 'plugins.csv.token={ env = "TFAAS_TOKEN" }', TFAAS_TOKEN="geheim")
    assert config.settings("csv").token.env == "TFAAS_TOKEN"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[plugins.csv]\nseparatr = ';'", "unknown key `separatr` - at `$.plugins.csv.separatr`"),
        ("[plugins.csv]\nseparatr = ';'", "; did you mean `separator`?"),
        (
            "[plugins.csv]\nseparator = 1",
            "Expected `str`, got `int` - at `$.plugins.csv.separator`",
        ),
        ("[plugins.csv]\nseparator = ''", "length >= 1 - at `$.plugins.csv.separator`"),
        ("[plugins.csv]\nquotes = 'a'", "Expected one of `all`, `none`, got `a`"),
        ("[plugins.csv.ends]\nhigh = 1", "unknown key `high` - at `$.plugins.csv.ends.high`"),
        ("[plugins.csw]", "unknown table `csw` - at `$.plugins.csw`; did you mean `csv`?"),
        ("[plugins]\ncsv = 1", "Expected the table [plugins.csv], got `int` - at `$.plugins.csv`"),
        (f"[plugins.csv.ends]\nlow = {2**63}", "`$.plugins.csv.ends.low`"),
    ],
)
def test_what_does_not_fit_is_an_error_of_the_file(
    load: Load, tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.message.startswith(f"{tmp_path / 'tfaas.toml'}: ")
    assert complaint in caught.value.message


@pytest.mark.parametrize(
    ("override", "variable", "source"),
    [
        ("plugins.csv.quotes=a", ("QUOTES", "all"), "--set plugins.csv.quotes=a: Expected one"),
        ("plugins.csv.quotes=all", ("SEP", "1"), "environment variable TFAAS_PLUGINS__CSV__SEP: "),
    ],
)
def test_the_source_that_is_to_blame_is_named(
    load: Load, override: str, variable: tuple[str, str], source: str
) -> None:
    key, value = variable
    with pytest.raises(ConfigError) as caught:
        load("[plugins.csv]\nquotes = 'all'", override, **{f"TFAAS_PLUGINS__CSV__{key}": value})
    assert caught.value.message.startswith(source)


def test_a_key_without_default_has_to_be_configured(load: Load) -> None:
    missing = r"the key `token` is missing, and has no default - at `\$\.plugins\.csv`"
    who = r"; plugin tfaas_csv \(tfaas-csv 1\.0\) needs it, or list that in \[plugins\] disabled$"
    with pytest.raises(ConfigError, match=f"^[^ ]+: {missing}{who}"):
        load(source=REQUIRED)
    with pytest.raises(ConfigError, match=f"^--set plugins.csv.quotes=all: {missing}$"):
        load_plugins().configured(load_config(None, ["plugins.csv.quotes=all"], {}))


def test_the_source_of_an_element_is_named(load: Load) -> None:
    listed = SECTION.replace("ends: Ends = Ends()", "ends: str | list[str] = []")
    wrong = (
        r"^--set plugins.csv.ends=\[5\]: Expected `str`, got `int` - at `\$.plugins.csv.ends\[0\]`"
    )
    with pytest.raises(ConfigError, match=wrong):
        load("", "plugins.csv.ends=[5]", source=listed)


def test_a_value_in_place_of_the_table_is_told_from_a_key_of_the_server(load: Load) -> None:
    wrong = r"^--set plugins.csv=true: Expected the table \[plugins.csv\], got `bool`"
    keys = r" - at `\$.plugins.csv`; its keys: separator, quotes, token, ends$"
    with pytest.raises(ConfigError, match=wrong + keys):
        load("", "plugins.csv=true")
    with pytest.raises(ConfigError, match=r"unknown key `disabld` .*; did you mean `disabled`\?$"):
        load_config(None, ["plugins.disabld=[]"], {})


@pytest.mark.parametrize(
    ("table", "hint"),
    [
        ("csw", r"did you mean `csv`\?$"),
        ("nothing_like_it", "there are: .*csv.*, of the plugins that are active$"),
    ],
)
def test_of_a_table_that_nobody_takes_it_is_told_which_there_are(
    load: Load, table: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=f"unknown table `{table}` .*; {hint}"):
        load(f"[plugins.{table}]")


def test_without_its_plugin_there_is_no_such_table(config: Config) -> None:
    with pytest.raises(ConfigError, match="no plugin takes the table `csv`"):
        Composition.of(config).config.settings("csv")


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        ("{'csv': dict}", "expected a mapping of names to Struct classes"),
        ("[]", "expected a mapping of names to Struct classes"),
        ("{'disabled': Csv}", "registers the section `disabled`"),
        ("{'my-csv': Csv}", "registers the section `my-csv`, expected lower-case letters"),
        ("{'csv': Odd}", "registers the section `csv`, whose keys are of no known type"),
    ],
)
def test_what_is_no_section_is_an_error_of_the_plugin(
    load: Load, returned: str, complaint: str
) -> None:
    odd = "\nclass Odd(Struct):\n    a: int | list[int] | set[int]\n\n@hookimpl"
    source = SECTION.replace('{"csv": Csv}', returned).replace("\n@hookimpl", odd)
    with pytest.raises(PluginError, match="plugin tfaas_csv") as caught:
        load(source=source)
    assert complaint in caught.value.message


def test_a_name_belongs_to_one_plugin(load: Load, install_plugin: InstallPlugin) -> None:
    install_plugin("tfaas-other", SECTION)
    with pytest.raises(PluginError, match="both claim the section `csv`"):
        load()


def test_a_check_of_ones_own_that_raises_is_told(load: Load) -> None:
    own = "    def __post_init__(self):\n        raise ValueError('no comma')\n\n@hookimpl"
    with pytest.raises(ConfigError, match=r"no comma - at `\$\.plugins\.csv`"):
        load(source=SECTION.replace("\n@hookimpl", "\n" + own))


def test_a_check_of_ones_own_that_exits_is_reported_once(
    install_plugin: InstallPlugin, config: Config
) -> None:
    own = "    def __post_init__(self):\n        raise SystemExit(1)\n\n@hookimpl"
    install_plugin("tfaas-csv", SECTION.replace("\n@hookimpl", "\n" + own))
    errors: list[StartupError] = []
    load_plugins(on_error=errors.append).configured(config)
    (error,) = errors
    assert "failed in reading [plugins.csv]: SystemExit: 1" in error.message


def test_all_that_is_wrong_is_reported(install_plugin: InstallPlugin, config: Config) -> None:
    install_plugin("tfaas-csv", SECTION)
    install_plugin("tfaas-b", hook("tfaas_config_sections", "return 1"))
    errors: list[StartupError] = []
    plugins = load_plugins(on_error=errors.append)
    wrong = load_config(overrides=["plugins.csv.quotes=a", "plugins.x.y=1"], environ={})
    assert plugins.configured(wrong).settings("csv").quotes == "none"
    assert len(errors) == 3
