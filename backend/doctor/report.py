"""All checks in order, as lines on the terminal."""

from collections.abc import Callable, Iterator
from typing import Any

from backend.doctor import attachment, checks
from backend.doctor.findings import Finding, Verdict
from backend.label_studio.access import Access
from backend.label_studio.api import ApiError, LabelStudioApi
from backend.label_studio.task_images import open_fetcher
from backend.settings import Settings

MARKS = {Verdict.GOOD: "✓", Verdict.BAD: "✗", Verdict.UNKNOWN: "?"}


def findings(
    settings: Settings, url: str, token: str, project: int | None, backend_url: str
) -> Iterator[Finding]:
    """Everything that can be found; checks that need one that failed are left out."""
    yield from checks.check_backend(backend_url)
    yield from checks.check_queue(settings)
    with LabelStudioApi(url, token) as api:
        for stage in (checks.check_server, checks.check_token):
            found = list(stage(api))
            yield from found
            if any(one.verdict is Verdict.BAD for one in found):
                return
        if project is None:
            return
        found = list(checks.check_project(api, project, settings))
        yield from found
        if not any(one.what == "project" and one.verdict is Verdict.GOOD for one in found):
            return
        fetcher = open_fetcher(settings, Access(url, token))
        try:
            yield from checks.check_images(api, project, fetcher)
            yield from attachment.check_attachment(api, project, backend_url, settings)
        except ApiError as error:
            yield Finding("Label Studio", Verdict.BAD, str(error), "check what its log says")


def report(found: Iterator[Finding], tell: Callable[[str], Any]) -> int:
    """Print the findings as they come; returns how many are bad."""
    count = 0
    for one in found:
        tell(f" {MARKS[one.verdict]} {one.what:<17} {one.words}")
        if one.mend:
            tell(f"   {'':<17} → {one.mend}")
        count += one.verdict is Verdict.BAD
    tell("")
    tell("All is well." if not count else f"{count} to mend.")
    return count
