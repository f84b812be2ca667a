"""The job of the queue ``memory``, called by name, in a process of its own."""

import logging

from backend.memory.weights import current_weights
from backend.retraining.jobs import opened
from backend.settings.folders import memory_folder

log = logging.getLogger(__name__)


def remember(source: str, number: int) -> str:
    """Bring the memory of a project to the newest state; return what came of it, in words."""
    from training.jobs import yield_cores  # noqa: PLC0415

    yield_cores()  # before torch is loaded
    import numpy as np  # noqa: PLC0415

    import dynamite  # noqa: PLC0415
    from training.annotation_store import ProjectKey  # noqa: PLC0415
    from training.memory import kept, remember  # noqa: PLC0415

    project = ProjectKey(source, number)
    with opened() as (settings, store, _):
        name, weights = current_weights(settings)
        if weights is not None:
            model = dynamite.load_file(weights)
        else:
            model = dynamite.load(settings.preset, settings.checkpoint)
        record = remember.remember(
            model,
            store,
            project,
            kept.KeptMemories(memory_folder(settings)),
            np.random.default_rng([number, store.change()]),
            weights=name,
            exhaustive=settings.is_exhaustive(project),
        )
    words = f"the memory of project {project} is {record.words}"
    log.info("%s", words)
    return words
