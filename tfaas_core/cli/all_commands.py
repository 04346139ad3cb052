"""AllCommands: the built-in commands, and those of plugins, which are asked only if need be."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from tfaas_core.cli.harmless import harmless
from tfaas_core.cli.options import PLUGINS_DIR, folder_override, read_config
from tfaas_core.errors import ConfigError, TfaasError
from tfaas_core.system.output.one_line import described

if TYPE_CHECKING:
    from tfaas_core.config import Config
    from tfaas_core.plugins import Plugins

_PLUGINS = "tfaas.plugins"

_USUAL = (click.ClickException, click.Abort, click.exceptions.Exit, TfaasError, BrokenPipeError)
"""What commands raise on purpose, and if nobody reads on."""


class AllCommands(click.Group):
    """Imports plugins to find a command that is none of its own. So its help lists no others."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Also finds commands of plugins; what is wrong with plugins goes to stderr."""
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        plugins_dir, others = _without_folder(args)
        plugins = _plugins(plugins_dir)
        commands = {str(command.name): command for command in plugins.commands(self.commands)}
        ctx.meta[_PLUGINS] = plugins
        group = click.Group(commands={**self.commands, **commands})
        name, command, arguments = group.resolve_command(ctx, args)
        takes_it = command is not None and any(PLUGINS_DIR in p.opts for p in command.params)
        return name, command, arguments if takes_it else others[1:]

    def invoke(self, ctx: click.Context) -> Any:
        """Names the plugin whose command raises what no command should."""
        try:
            return super().invoke(ctx)
        except _USUAL:
            raise
        except Exception as error:
            if _PLUGINS not in ctx.meta:
                raise
            traceback.print_exception(error)
            plugins: Plugins = ctx.meta[_PLUGINS]
            name = str(ctx.invoked_subcommand)
            what = f"failed in its command `{name}`: {described(error)}"
            raise plugins.blame("command", name, what) from error


def builtin_commands() -> frozenset[str]:
    """The names of TFaaS's own commands, one of which is running."""
    root = click.get_current_context().find_root().command
    return frozenset(root.commands) if isinstance(root, click.Group) else frozenset()


def _without_folder(args: Sequence[str]) -> tuple[str | None, list[str]]:
    """The folder that ``--plugins-dir`` names among ``args``, and all others of these."""
    for at, argument in enumerate(args):
        option, equals, folder = argument.partition("=")
        if argument == "--":
            break
        if option == PLUGINS_DIR and equals:
            return folder, [*args[:at], *args[at + 1 :]]
        if argument == PLUGINS_DIR and at + 1 < len(args):
            return args[at + 1], [*args[:at], *args[at + 2 :]]
    return None, [*args]


def _plugins(plugins_dir: str | None) -> Plugins:
    import msgspec

    from tfaas_core.plugins import BUILTIN_PLUGINS, plugins_of
    from tfaas_core.plugins.finding import WITH_COMMANDS

    config = _config(() if plugins_dir is None else (folder_override(plugins_dir),))
    silent = (module for module in BUILTIN_PLUGINS if module not in WITH_COMMANDS)
    disabled = (*silent, *config.plugins.disabled)
    table = msgspec.structs.replace(config.plugins, disabled=disabled)
    asked = msgspec.structs.replace(config, plugins=table)
    return plugins_of(asked, _warn)


def _config(overrides: Sequence[str]) -> Config:
    """What a command without other options finds; the defaults, if that is wrong."""
    try:
        return read_config(None, overrides)
    except ConfigError as error:
        from tfaas_core.config import Config

        _warn(ConfigError(f"no plugin is left out, because of {error.message}"))
        return Config()


def _warn(error: TfaasError) -> None:
    click.echo(f"tfaas: warning: {harmless(' '.join(error.message.split()))}", err=True)
