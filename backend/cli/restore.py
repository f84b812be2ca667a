"""``dynamite restore``: puts back what ``dynamite backup`` has copied."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def restore(folder: Path) -> None:
    """Put back the annotations and models of the backup in FOLDER.

    The backup is checked first. Nothing is overwritten: move away what is there. Everything may run
    meanwhile; what was accepted after the backup comes from Label Studio with the next comparison
    (`dynamite sync --project N`).
    """
    from backend.launcher.private_files import private_files
    from backend.own_command import as_typed
    from backend.retraining.backup import restore as put_back
    from backend.settings import load

    with private_files():
        put_back(load(), folder)
    click.echo(as_typed("restored: `dynamite annotations` and `dynamite models list` show it"))
