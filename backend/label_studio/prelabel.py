"""Pre-labelling: proposals for tasks that nobody has worked on, where a project wants them."""

from collections.abc import Callable

from backend.label_studio.predict_request import Task
from backend.proposals.further import Further
from backend.serving.admission import Admission
from backend.serving.answer import Answer, AsStored
from backend.serving.batch_deadline import BatchDeadline
from backend.serving.segmenting import OpenImage
from backend.session.annotator_page import region_id
from backend.session.answer_plan import LikeAsked
from backend.settings.lines import Project


class Prelabel:
    """Answers batches with proposals.

    Args:
        further: proposes them.
        admission: limits how many tasks wait for it.
        source: the name of this Label Studio.
        wants: whether a project is pre-labelled.
    """

    def __init__(
        self,
        further: Further,
        admission: Admission,
        source: str,
        wants: Callable[[Project], bool],
    ) -> None:
        self._further = further
        self._admission = admission
        self._source = source
        self._wants = wants

    def is_wanted(self, project: int, task: Task) -> bool:
        """Whether a task gets proposals: in such a project, and not annotated by anybody.

        Who has submitted an annotation without a mask has said that there is nothing.
        """
        is_new = bool(task.images) and not task.annotations
        return is_new and self._wants((self._source, project))

    def answer(
        self,
        project: int,
        task: Task,
        open_image: OpenImage,
        as_stored: AsStored,
        deadline: BatchDeadline,
    ) -> Answer:
        """Return the proposals for all images of a task.

        Raises:
            SupersededError: the batch has run out of time.
            Exception: an image cannot be had, or the model fails.
        """
        answers = []
        with self._admission.place():
            for image, address in sorted(task.images.items()):
                name = region_id(f"{project}/{task.id}", f"prelabel {image}")
                with deadline.asking(address):
                    opened = open_image(image)
                answers.append(
                    self._further.prelabel(
                        (self._source, project),
                        task.id,
                        LikeAsked(name, image, unasked=True),
                        opened,
                        task.accepts,
                        as_stored,
                        deadline.is_over,
                    )
                )
        objects = tuple(one for answer in answers for one in answer.objects)
        return Answer(answers[0].version, objects)
