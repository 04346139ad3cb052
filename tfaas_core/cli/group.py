"""The command ``tfaas``: the group of all, and what becomes of its errors."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tfaas_core import __version__
from tfaas_core.cli.all_commands import AllCommands
from tfaas_core.cli.conformance.conformance import conformance
from tfaas_core.cli.harmless import harmless
from tfaas_core.cli.models.delete import delete
from tfaas_core.cli.models.download import download
from tfaas_core.cli.models.import_models import import_models
from tfaas_core.cli.models.inspect import inspect
from tfaas_core.cli.models.models import models
from tfaas_core.cli.models.predict import predict
from tfaas_core.cli.models.rollback import rollback
from tfaas_core.cli.models.upload import upload
from tfaas_core.cli.models.versions import versions
from tfaas_core.cli.server.check import check
from tfaas_core.cli.server.config import config
from tfaas_core.cli.server.migrate import migrate
from tfaas_core.cli.server.new import new
from tfaas_core.cli.server.plugins import plugins
from tfaas_core.cli.server.routes import routes
from tfaas_core.cli.server.serve import serve
from tfaas_core.cli.server.serve_engine import serve_engine
from tfaas_core.cli.server.token import token
from tfaas_core.cli.storage.copy import copy
from tfaas_core.cli.storage.db import db
from tfaas_core.cli.storage.verify import verify
from tfaas_core.errors import TfaasError


@click.group(
    cls=AllCommands,
    commands=[
        *(
            serve,
            serve_engine,
            check,
            config,
            db,
            verify,
            plugins,
            routes,
            inspect,
            copy,
            import_models,
            migrate,
        ),
        *(new, token, conformance),
        *(models, upload, predict, delete, download, versions, rollback),
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Plugins may add commands: `tfaas plugins` lists them.\n\nExample: tfaas serve --demo",
)
@click.version_option(__version__, message="tfaas %(version)s")
def tfaas() -> None:
    """TensorFlow as a Service: upload a model, get predictions over HTTP."""


def run_command(arguments: Sequence[str] | None) -> int:
    """As ``main``. Raises KeyboardInterrupt where click has not made it an Abort."""
    try:
        status = tfaas.main(arguments, prog_name="tfaas", standalone_mode=False)
        # Commands of plugins may return anything.
        return status if type(status) is int else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _failed(error.format_message(), error.exit_code)
    except TfaasError as error:
        return _failed(error.message, 1)
    except click.Abort:
        raise KeyboardInterrupt from None


def _failed(message: str, status: int) -> int:
    click.echo(f"tfaas: {harmless(' '.join(message.split()))}", err=True)
    return status
