"""The sample project: created through Label Studio's API, found again on the next run."""

from pathlib import Path

from backend.doctor.attachment import connection, shown
from backend.label_studio import config_writer
from backend.label_studio.api import ApiError, LabelStudioApi
from backend.launcher.banner import address
from backend.settings import Settings

TITLE = "DynaMITE demo"
LABELS = ("Animal 1", "Animal 2", "Thing 1", "Thing 2", "Plant", "Food", "Cup")
IMAGES = Path(__file__).parent.parent / "demo_images"

PHOTOS = ("cat.jpg", "flowers.jpg", "two-cats.jpg", "cake.jpg")
"""The one on which a first click does best comes first."""

FIRST_CLICKS = (
    "key 1 (Animal 1), click on the cat's chest: one click is enough",
    "key 3 (Thing 1), click on the white remote control: the black one comes along",
    "key 4 (Thing 2), click on the black one: it is taken back, all three masks together",
)
"""What to try on the first photo."""


def prepare(api: LabelStudioApi, settings: Settings) -> int:
    """Create the project, its photos and its connection if missing; return its number."""
    projects = api.get("/api/projects", page_size=1000)["results"]
    project = next((one["id"] for one in projects if one["title"] == TITLE), None)
    if project is None:
        config = config_writer.write(LABELS)
        made = api.post("/api/projects", {"title": TITLE, "label_config": config})
        project = made["id"]
    if not api.task_count(project):
        for name in PHOTOS:
            with (IMAGES / name).open("rb") as file:
                api.post(f"/api/projects/{project}/import", files={name: file})
    attach(api, project, settings)
    return int(project)


def attach(api: LabelStudioApi, project: int, settings: Settings) -> None:
    """Connect the backend and remove all others: Label Studio uses only the first interactive one.

    Raises:
        ApiError: Label Studio cannot connect to it; the message does not contain the secret.
    """
    body = connection(address(settings), settings)
    has_password = settings.basic_auth_user is not None  # the API does not return a row's password
    rows = api.get("/api/ml", project=project)
    kept = [row for row in rows if row["url"].rstrip("/") == body["url"] and not has_password]
    for row in rows:
        if row not in kept:
            api.delete(f"/api/ml/{row['id']}")
    if kept:
        return
    try:
        api.post(
            "/api/ml", body | {"project": project, "title": "DynaMITE", "is_interactive": True}
        )
    except ApiError as error:
        message = str(error).replace(body["url"], shown(address(settings), settings))
        raise ApiError(message, error.status) from None
