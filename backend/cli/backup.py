"""``dynamite backup``: copies what cannot be made again, while everything runs."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def backup(folder: Path) -> None:
    """Copy accepted annotations and published models to a new FOLDER.

    Everything may run meanwhile: the copy is as of one moment, and checked. FOLDER is written whole
    or not at all. `dynamite restore FOLDER` puts it back.

    Not in it: Label Studio's own database, events that wait in the queue (the next comparison with
    Label Studio brings them in), running trainings, project memories (they are learned again), and
    the feature cache.
    """
    from backend.launcher.private_files import private_files
    from backend.retraining.backup import back_up
    from backend.settings import load

    with private_files():
        lost = back_up(load(), folder)
    for sentence in lost:
        click.echo(f"Left out: {sentence}.", err=True)
    click.echo(f"{folder}: {'a backup of the rest' if lost else 'the backup is whole'}")
