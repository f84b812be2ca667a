"""Checks that a Label Studio is the one that the accepted annotations came from.

Every Label Studio counts its projects, tasks and annotations from 1. Under the same name, another
one would overwrite what was accepted, and what it lacks would be deleted. A project is identified
by the time it was created, a Label Studio by having such a project; its URL may change.
"""

from backend.errors import BadRequestError
from backend.label_studio.ingest.bookkeeping import Bookkeeping
from backend.label_studio.ingest.ingest import TryLaterError
from backend.label_studio.ingest.values import Json, is_number, moment
from training.annotation_store import AnnotationStore

OWN_NAME = "if it is another Label Studio, set DYNAMITE_LABEL_STUDIO_NAME to a name of its own"
"""The way out where several Label Studios feed one store under the same name."""


def check_project(project: Json, bookkeeping: Bookkeeping, *, seen_at: str | None = None) -> None:
    """Remember a project at first sight; after that, refuse another one with its number.

    Args:
        project: as Label Studio describes it.
        bookkeeping: remembers it.
        seen_at: URL at which it was asked for; from then on that server may report deletions.

    Raises:
        TryLaterError: it is another project.
    """
    number, created = project.get("id"), _created_at(project)
    if not is_number(number):
        return
    known = bookkeeping.created_at(number)
    if created is not None and known is None:
        bookkeeping.note_created_at(number, created)
    elif created is not None and known != created:
        raise TryLaterError(
            f"project {number}, created {created}, is not the one that annotations came from, "
            f"created {known}: {OWN_NAME}; if the earlier project is gone, `dynamite sync "
            f"--project {number} --replace` deletes what came from it"
        )
    if seen_at is not None:
        bookkeeping.note_site(seen_at)


def check_deletion(url: str, path: str, store: AnnotationStore, bookkeeping: Bookkeeping) -> None:
    """Accept a 404 as a deletion only from a server that is known to have had our projects.

    Raises:
        TryLaterError: no project that annotations came from has been seen at the URL.
    """
    ours = any(project.source == bookkeeping.source for project in store.projects())
    if ours and url not in bookkeeping.sites():
        raise TryLaterError(
            f"{url} has no {path}, and none of the projects that annotations came from has been "
            f"seen there: nothing is deleted; {OWN_NAME}"
        )


def _created_at(project: Json) -> str | None:
    try:
        return moment(project["created_at"])
    except (KeyError, BadRequestError):
        return None
