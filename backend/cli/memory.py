"""``dynamite memory``: what each project's accepted masks bring."""

import click


@click.command()
@click.option("--project", type=int, help="Number of one project [all].")
def memory(project: int | None) -> None:
    """Show which projects have a memory, whether it is on, and what it brings.

    A memory is learned from the newest accepted images of a project, and is on if it saves clicks
    on those of them that it has not learned from (docs/memory.md).

    \b
    Example: one project
      dynamite memory --project 3
    """
    from backend.memory.report import describe
    from backend.memory.weights import current_weights
    from backend.settings import load
    from backend.settings.folders import memory_folder
    from training.memory.kept import KeptMemories

    settings = load()
    if not settings.memory:
        click.echo("memories are switched off: DYNAMITE_MEMORY=on switches them on")
    records = KeptMemories(memory_folder(settings)).records()
    chosen = [one for one in records if project is None or one.project == project]
    if not chosen:
        whose = "any project" if project is None else f"project {project}"
        click.echo(f"there is no memory of {whose} yet: two accepted images are needed")
    name, _ = current_weights(settings)
    for row in describe(chosen, name):
        click.echo(f"{row.project}: {row.words}")
        for line in row.labels:
            click.echo(f"  {line}")
