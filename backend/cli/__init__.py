"""The console script ``dynamite``: each subcommand is imported only when it is called.

Therefore ``dynamite --help`` imports neither torch nor a web framework. A subcommand ``some-name``
lives in ``backend/cli/some_name.py`` as a click command or group called ``some_name``.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from backend.own_command import as_typed
from dynamite.errors import DynamiteError

SECTIONS = {
    "Serve": {
        "serve": "Run the backend with its queue and workers.",
        "demo": "Run Label Studio with a sample project and the backend.",
        "worker": "Run one more worker for the queue.",
        "doctor": "Check Label Studio or CVAT, and say how to fix what is wrong.",
        "settings": "List all settings, with their values and sources.",
        "label-config": "Write a labelling config for this backend.",
        "warm": "Compute the image features of a whole project ahead of time.",
        "next": "List the tasks first on which the model is least sure.",
        "cvat-masks": "Write a mask for each box of a task of CVAT.",
    },
    "Masks and models": {
        "segment": "Segment one image from the coordinates of clicks.",
        "convert": "Convert a published checkpoint to this project's format.",
        "data": "Check, pack and convert data sets.",
        "train": "Train a model.",
        "evaluate": "Count the clicks a model needs until its masks are right.",
    },
    "Retraining": {
        "models": "List, show, promote and roll back model versions.",
        "jobs": "Show training jobs and their progress.",
        "retrain": "Train on the accepted annotations now.",
        "memory": "Show what each project's accepted masks bring.",
        "sync": "Fetch accepted annotations that no webhook brought.",
        "annotations": "Show what was accepted, and what was set aside and why.",
        "export": "Write accepted masks as COCO, PNG maps or YOLO polygons.",
        "backup": "Copy accepted annotations and models, while everything runs.",
        "restore": "Put back what a backup holds.",
    },
}
"""Every subcommand with its one-line help, as ``dynamite --help`` shows them."""

FAILED, INTERRUPTED = 1, 130


class LazyGroup(click.Group):
    """A group that lists its subcommands by name and imports each when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in ``SECTIONS``, without importing anything."""
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one subcommand; return None for an unknown name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module_name = cmd_name.replace("-", "_")
        module = import_module(f"backend.cli.{module_name}")
        command: click.Command = getattr(module, module_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand; suggest one where the name is misspelled."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand:
            known = self.list_commands(ctx)
            raise click.exceptions.NoSuchCommand(args[0], possibilities=known, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the subcommands by section, without importing them."""
        width = max(len(name) for commands in SECTIONS.values() for name in commands)
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in commands.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *_: Any,
        **extra: Any,
    ) -> Any:
        """Run the command line; print errors as one sentence on stderr."""
        extra["standalone_mode"] = False
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            status = super().main(arguments, prog_name, **extra)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:  # click's name for Ctrl-C
            click.echo("Interrupted.", err=True)
            sys.exit(INTERRUPTED)
        except (DynamiteError, OSError, ModuleNotFoundError) as error:
            if "--traceback" in arguments:
                raise
            click.echo(f"Error: {as_typed(describe(error))}", err=True)
            sys.exit(FAILED)
        sys.exit(status if isinstance(status, int) else 0)


def describe(error: Exception) -> str:
    """Return one sentence for an error raised on purpose or by the operating system."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, ModuleNotFoundError):
        return (
            f"this command needs the Python module {error.name!r}, which is not installed; "
            "to install everything for training and evaluation, run in the checkout: make tools "
            "(or pip install -c constraints.txt -e '.[train]')"
        )
    return str(error) or type(error).__name__


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--traceback", is_flag=True, help="Show the Python traceback of an error.")
@click.version_option(package_name="dynamite-backend", prog_name="dynamite")
def main(traceback: bool) -> None:
    """Click on the objects of an image and get all their masks at once.

    To start: `dynamite demo` runs Label Studio with sample photos, `dynamite serve` runs the
    backend for your own Label Studio, and `dynamite segment` needs no Label Studio.
    """
