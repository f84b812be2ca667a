"""The sample project: made through Label Studio's API, found again on the next run."""

from pathlib import Path

from backend.label_studio import labeling_config
from backend.label_studio.api import LabelStudioApi

TITLE = "DynaMITE demo"
LABELS = ("Animal", "Plant", "Food", "Cup", "Thing")
IMAGES = Path(__file__).parent.parent / "demo_images"


def prepare(api: LabelStudioApi, backend_url: str) -> int:
    """Make the project with its photos and its backend where they are missing; its number."""
    projects = api.get("/api/projects", page_size=1000)["results"]
    project = next((one["id"] for one in projects if one["title"] == TITLE), None)
    if project is None:
        config = labeling_config.write(LABELS)
        made = api.post("/api/projects", {"title": TITLE, "label_config": config})
        project = made["id"]
    if not api.task_count(project):
        for path in sorted(IMAGES.glob("*.jpg")):
            with path.open("rb") as file:
                api.post(f"/api/projects/{project}/import", files={path.name: file})
    attach(api, project, backend_url)
    return int(project)


def attach(api: LabelStudioApi, project: int, backend_url: str) -> None:
    """Connect the backend alone: Label Studio asks only the first that is interactive."""
    rows = api.get("/api/ml", project=project)
    for row in rows:
        if row["url"].rstrip("/") != backend_url:
            api.delete(f"/api/ml/{row['id']}")
    if not any(row["url"].rstrip("/") == backend_url for row in rows):
        body = {"project": project, "url": backend_url, "title": "DynaMITE"}
        api.post("/api/ml", body | {"is_interactive": True})
