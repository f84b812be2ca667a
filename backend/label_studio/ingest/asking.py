"""Questions to Label Studio, whose answer decides what is stored or deleted."""

from typing import Any

from backend.label_studio.api import ApiError, LabelStudioApi, NotThereError
from backend.label_studio.ingest.ingest import Ingest, TryLaterError
from backend.label_studio.ingest.server_identity import check_deletion


def ask(ingest: Ingest, path: str) -> Any:
    """Return what Label Studio answers; None if it has no such thing.

    Raises:
        TryLaterError: it does not answer, refuses, or may be another Label Studio.
    """
    api = api_of(ingest)
    try:
        return api.get(path)
    except NotThereError:
        check_deletion(api.url, path, ingest.store, ingest.bookkeeping)
        return None
    except ApiError as error:
        raise TryLaterError(str(error)) from error


def api_of(ingest: Ingest) -> LabelStudioApi:
    """Return the API of Label Studio.

    Raises:
        TryLaterError: its URL or token is unknown.
    """
    if ingest.api is None:
        raise TryLaterError(
            "the event proves nothing, and Label Studio cannot be asked: set LABEL_STUDIO_URL and "
            "LABEL_STUDIO_API_KEY"
        )
    return ingest.api
