"""``dynamite settings``: what can be set, what it is now, and where it comes from."""

import click


@click.command()
def settings() -> None:
    """List all settings, their values and where they come from.

    Each has an environment variable; a TOML file (dynamite.toml here, or the one DYNAMITE_CONFIG
    names) can hold the same names in lower case and without the prefix:

    \b
        port = 9091
        label_studio_url = "http://localhost:8080"
    """
    from rich.table import Table

    from backend.cli.printing import print_table
    from backend.settings import config_file, load, typo_warnings
    from backend.settings.table import rows

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("Variable", "Value", "From", "Meaning"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "Variable")
    for row in rows(load()):
        table.add_row(row.name, row.value, row.source, row.meaning)
    print_table(table)
    click.echo(f"\nSettings file: {config_file() or 'none'}")
    for words in typo_warnings():
        click.echo(f"Warning: {words}", err=True)
