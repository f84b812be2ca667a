"""``dynamite settings``: lists all settings with their values and sources."""

import click


@click.command()
def settings() -> None:
    """List all settings, with their values and sources.

    Set each by its environment variable, or by its name in lower case without the prefix in a TOML
    file: dynamite.toml in the working directory, or the file that DYNAMITE_CONFIG names.

    \b
    Example of dynamite.toml:
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
    for warning in typo_warnings():
        click.echo(f"Warning: {warning}", err=True)
