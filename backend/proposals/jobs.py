"""The job that describes a project, called by name, in a process of its own."""

import logging

from backend.memory.weights import current_weights
from backend.retraining.jobs import opened
from backend.settings.folders import descriptions_folder

log = logging.getLogger(__name__)


def describe(source: str, number: int) -> str:
    """Bring the descriptions of a project to the newest state; return what came of it."""
    from training.jobs import yield_cores  # noqa: PLC0415

    yield_cores()  # before torch is loaded
    import dynamite  # noqa: PLC0415
    from training.annotation_store import ProjectKey  # noqa: PLC0415
    from training.proposing.describe import describe_project  # noqa: PLC0415
    from training.proposing.kept import KeptDescriptions  # noqa: PLC0415

    project = ProjectKey(source, number)
    with opened() as (settings, store, _):
        name, weights = current_weights(settings)
        if weights is not None:
            model = dynamite.load_file(weights)
        else:
            model = dynamite.load(settings.preset, settings.checkpoint)
        record = describe_project(
            dynamite.Predictor(model),
            store,
            project,
            KeptDescriptions(descriptions_folder(settings)),
            weights=name,
            exhaustive=settings.is_exhaustive(project),
            tries=settings.is_prelabelled(project),
        )
    images = len({entry.image for entry in record.entries})
    words = f"project {project} is described by {images} images"
    log.info("%s", words)
    return words
