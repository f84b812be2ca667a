"""``dynamite memory``: what each project's accepted masks bring."""

import click


@click.command()
@click.option("--project", type=int, help="Number of one project [all].")
@click.option("--forget", is_flag=True, help="Delete the memory of --project, to begin again.")
def memory(project: int | None, forget: bool) -> None:
    """Show which projects have a memory, whether it is on, and what it brings.

    A memory is learned from the newest accepted images of a project. A simulated annotator first
    segments each of them with the memory of those before it, and without. The memory is on while
    it is expected to save clicks (docs/memory.md).

    A memory that was forgotten is learned again, from nothing, from the images that are accepted
    now. So is one whose images or masks were deleted or changed, without being asked.

    \b
    Examples: one project; begin again
      dynamite memory --project 3
      dynamite memory --project 3 --forget
    """
    from backend.memory.report import describe
    from backend.memory.weights import current_weights
    from backend.settings import load
    from backend.settings.folders import memory_folder
    from training.memory.kept import KeptMemories

    if forget and project is None:
        raise click.UsageError("--forget needs the number of a project: --project N")
    settings = load()
    kept = KeptMemories(memory_folder(settings))
    if not settings.memory:
        click.echo("memories are switched off: DYNAMITE_MEMORY=on switches them on")
    keys = [key for key in kept.projects() if project is None or key[1] == project]
    if not keys:
        whose = "any project" if project is None else f"project {project}"
        click.echo(f"there is no memory of {whose} yet: two accepted images are needed")
    if forget:
        for source, number in keys:
            kept.forget((source, number))
            click.echo(f"project {number} of {source}: its memory is forgotten")
        return
    for key in keys:
        if newer := kept.newer(key):
            click.echo(f"project {key[1]} of {key[0]}: {newer}")
    name, _ = current_weights(settings)
    for row in describe([one for one in kept.records() if one.key in keys], name):
        click.echo(f"{row.project}: {row.words}")
        for line in row.labels:
            click.echo(f"  {line}")
