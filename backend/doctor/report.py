"""Runs all checks in order and prints their findings."""

from collections.abc import Callable, Iterator
from typing import Any

import click

from backend.doctor import attachment, checks
from backend.doctor.findings import Finding, Verdict, unknown
from backend.doctor.queue_checks import check_queue
from backend.label_studio.access import Access
from backend.label_studio.api import ApiError, LabelStudioApi
from backend.label_studio.task_images import open_fetcher
from backend.own_command import as_typed
from backend.settings import Settings

MARKS = {Verdict.GOOD: "✓", Verdict.BAD: "✗", Verdict.UNKNOWN: "?"}


def findings(
    settings: Settings, url: str, token: str, project: int | None, backend_url: str
) -> Iterator[Finding]:
    """Yield the findings of all checks; skip those that depend on a failed one.

    Args:
        settings: Of the backend.
        url: Of Label Studio.
        token: For Label Studio, personal or legacy.
        project: Number of a project to check; None to skip the checks of a project.
        backend_url: Of the backend, as Label Studio reaches it.
    """
    yield from checks.check_backend(backend_url)
    yield from check_queue(settings)
    with LabelStudioApi(url, token) as api:
        for stage in (checks.check_server, checks.check_token):
            found = list(stage(api))
            yield from found
            if any(one.verdict is Verdict.BAD for one in found):
                return
        if project is None:
            words = "none checked: --project N adds its labelling config, images and connection"
            yield unknown("project", words)
            return
        found = list(checks.check_project(api, project, settings))
        yield from found
        if not any(one.check == "project" and one.verdict is Verdict.GOOD for one in found):
            return
        fetcher = open_fetcher(settings, Access(url, token))
        try:
            yield from checks.check_images(api, project, fetcher)
            yield from attachment.check_attachment(api, project, backend_url, settings)
        except ApiError as error:
            yield Finding("Label Studio", Verdict.BAD, str(error), "check its log")


def report(found: Iterator[Finding], tell: Callable[[str], Any]) -> int:
    """Print the findings as they arrive; return how many are bad."""
    count = skipped = 0
    for one in found:
        line = as_typed(f" {MARKS[one.verdict]} {one.check:<17} {one.message}")
        tell(click.style(line, fg="red") if one.verdict is Verdict.BAD else line)
        if one.fix:
            tell(as_typed(f"   {'':<17} → {one.fix}"))
        count += one.verdict is Verdict.BAD
        skipped += one.verdict is Verdict.UNKNOWN
    tell("")
    if count:
        tell(f"{count} to fix.")
    else:
        tell("What was checked is well; ? marks what was not." if skipped else "All is well.")
    return count
