"""The sample project: made through Label Studio's API, found again on the next run."""

from pathlib import Path
from typing import Any

import requests

from backend.demo.label_studio import DemoError
from backend.label_studio import labeling_config

TITLE = "DynaMITE demo"
LABELS = ("Animal", "Plant", "Food", "Cup", "Thing")
IMAGES = Path(__file__).parent.parent / "demo_images"


class Api:
    """The few calls the demo makes."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Token {token}"

    def get(self, path: str, **query: Any) -> Any:
        """GET, as JSON."""
        return self._answer(self._session.get(self._url + path, params=query, timeout=30))

    def post(self, path: str, **arguments: Any) -> Any:
        """POST, as JSON."""
        return self._answer(self._session.post(self._url + path, timeout=60, **arguments))

    def close(self) -> None:
        """Drop the connections."""
        self._session.close()

    @staticmethod
    def _answer(response: requests.Response) -> Any:
        if not response.ok:
            path = response.request.path_url
            raise DemoError(
                f"Label Studio answered {response.status_code} to {path}: {response.text[:300]}"
            )
        return response.json() if response.content else None


def prepare(api: Api, backend_url: str) -> int:
    """Make the project with its photos and its backend where they are missing; its number."""
    projects = api.get("/api/projects", page_size=1000)["results"]
    project = next((one["id"] for one in projects if one["title"] == TITLE), None)
    if project is None:
        config = labeling_config.write(LABELS)
        made = api.post("/api/projects", json={"title": TITLE, "label_config": config})
        project = made["id"]
    if not api.get("/api/tasks", project=project, page_size=1)["tasks"]:
        for path in sorted(IMAGES.glob("*.jpg")):
            with path.open("rb") as file:
                api.post(f"/api/projects/{project}/import", files={path.name: file})
    attached = {one["url"].rstrip("/") for one in api.get("/api/ml", project=project)}
    if backend_url.rstrip("/") not in attached:
        api.post(
            "/api/ml",
            json={
                "project": project,
                "url": backend_url,
                "title": "DynaMITE",
                "is_interactive": True,
            },
        )
    return int(project)
