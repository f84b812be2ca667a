"""Calls to a running backend, for the commands that work through the frames of a task."""

import base64
from collections.abc import Sequence
from typing import Any

import requests

from backend.errors import ImageError, ServingError
from backend.fetch.session import Session, reason
from backend.settings import Settings
from dynamite.json_text import read_json

SECONDS = 600.0
"""Timeout of one call: its frame may wait behind those of others."""


class BackendError(ServingError):
    """The backend does not answer, or refuses."""

    code = "backend_failed"


class BackendClient:
    """The routes of ours beside CVAT's. A context manager; closes its connections."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._session = Session()
        if settings.basic_auth_user and settings.basic_auth_password:
            password = settings.basic_auth_password.get_secret_value()
            self._session.auth = (settings.basic_auth_user, password)

    def __enter__(self) -> "BackendClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def warm(self, frame: bytes, project: int | None = None) -> None:
        """Have a frame of a project encoded.

        Raises:
            BackendError: it is refused, or nobody answers; ``segment`` raises it likewise.
        """
        self._post("/cvat/warm", data=frame, params={"project": project})

    def segment(
        self,
        frame: bytes,
        boxes: Sequence[tuple[float, float, float, float]],
        project: int | None = None,
    ) -> list[list[int] | None]:
        """Return the mask in each box (left, top, right, bottom), as CVAT writes it; None if empty.

        All are segmented together, and none overlaps another. The memory of ``project`` takes part.
        """
        corners = [[[left, top], [right, bottom]] for left, top, right, bottom in boxes]
        body = {
            "image": base64.b64encode(frame).decode(),
            "pos_points": [],
            "neg_points": [],
            "obj_bbox": corners,
            "project": project,
        }
        masks: list[list[int] | None] = self._post("/cvat/boxes", json=body)["masks"]
        return masks

    def propose(
        self,
        frame: bytes,
        labels: Sequence[str],
        shapes: Sequence[dict[str, Any]],
        project: int | None = None,
    ) -> list[dict[str, Any]]:
        """Return ``label``, ``score`` and ``points``, CVAT's mask, of each further object.

        They are like the accepted objects of ``project`` and the shapes with a label, and overlap
        none of the ``shapes``. ``labels``: those that they may have.
        """
        body = {
            "image": base64.b64encode(frame).decode(),
            "labels": list(labels),
            "shapes": list(shapes),
            "project": project,
        }
        found: list[dict[str, Any]] = self._post("/cvat/proposals", json=body)["proposals"]
        return found

    def _post(self, path: str, **content: Any) -> Any:
        try:
            answer = self._session.post(self._url + path, timeout=SECONDS, **content)
            told = read_json(answer.content)
        except requests.RequestException as error:
            raise BackendError(
                f"no backend answers at {self._url} ({reason(error, self._url, SECONDS)}): start "
                "it with `dynamite serve`"
            ) from None
        except ValueError:
            raise BackendError(f"{self._url} is not the address of a backend") from None
        except ImageError as error:  # of the certificates or the proxy that are configured
            raise BackendError(str(error)) from None
        if answer.status_code == requests.codes.not_found:
            raise BackendError("the backend does not answer CVAT: start it with DYNAMITE_CVAT=true")
        if not answer.ok:
            raise BackendError(f"the backend refuses: {told['error']['message']}")
        return told
