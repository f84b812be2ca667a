"""Pre-labelling: proposals for tasks that nobody has worked on, where a project wants them."""

from collections.abc import Callable

from backend.label_studio.predict_request import Task
from backend.proposals.further import Further
from backend.serving.answer import Answer, AsStored
from backend.serving.segmenting import OpenImage
from backend.session.annotator_page import region_id
from backend.session.answer_plan import LikeAsked
from backend.settings.lines import Project


class Prelabel:
    """Answers batches with proposals.

    Args:
        further: proposes them.
        source: the name of this Label Studio.
        wants: whether a project is pre-labelled.
    """

    def __init__(self, further: Further, source: str, wants: Callable[[Project], bool]) -> None:
        self._further = further
        self._source = source
        self._wants = wants

    def is_wanted(self, project: int, task: Task) -> bool:
        """Whether a task gets proposals: in such a project, and without a mask of anybody."""
        worked_on = any(saved.masks for saved in task.annotations)
        return bool(task.images) and not worked_on and self._wants((self._source, project))

    def answer(
        self, project: int, task: Task, open_image: OpenImage, as_stored: AsStored
    ) -> Answer:
        """Return the proposals for all images of a task.

        Raises:
            Exception: an image cannot be had, or the model fails.
        """
        answers = [
            self._further.prelabel(
                (self._source, project),
                task.id,
                LikeAsked(
                    region_id(f"{project}/{task.id}", f"prelabel {image}"), image, unasked=True
                ),
                open_image(image),
                task.accepts,
                as_stored,
            )
            for image in sorted(task.images)
        ]
        objects = tuple(one for answer in answers for one in answer.objects)
        return Answer(answers[0].version, objects)
