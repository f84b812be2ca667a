"""Whether a Label Studio is the one that the accepted annotations came from.

Another one counts its projects, tasks and annotations from 1 too: what it has would take the place
of what was accepted, and what it lacks would be forgotten. A project is known by the moment it was
made, a Label Studio by having such a project; its address may change.
"""

from backend.errors import BadRequestError
from backend.label_studio.ingest.context import Context
from backend.label_studio.ingest.errors import TryLaterError
from backend.label_studio.ingest.store_annotation import Json, is_number, moment

WAY_OUT = (
    "give each Label Studio a state folder of its own, or let `dynamite sync --project {0} "
    "--replace` forget what came from the other"
)


def check_project(context: Context, project: Json, *, asked: bool) -> None:
    """Remember a project at first sight, and tell another of the same number from it.

    Args:
        context: with the store that remembers.
        project: as Label Studio describes it.
        asked: whether it was asked where it is now said to be, so that it can say what is gone.

    Raises:
        TryLaterError: it is another one.
    """
    number, made = project.get("id"), _made(project)
    if not is_number(number):
        return
    known = context.store.identity(number)
    if made is not None and known is None:
        context.store.note_identity(number, made)
    elif made is not None and known != made:
        raise TryLaterError(
            f"project {number}, made {made}, is not the one that annotations came from, made "
            f"{known}: {WAY_OUT.format(number)}"
        )
    if asked and context.api is not None:
        context.store.note_site(context.api.url)


def check_word(context: Context, url: str, path: str) -> None:
    """Make sure that a Label Studio can say what is no longer there.

    Raises:
        TryLaterError: no project that annotations came from has been seen at its address.
    """
    if context.store.projects() and url not in context.store.sites():
        raise TryLaterError(
            f"{url} has no {path}, and none of the projects that annotations came from has been "
            "seen there: nothing is forgotten"
        )


def _made(project: Json) -> str | None:
    try:
        return moment(project["created_at"])
    except (KeyError, BadRequestError):
        return None
