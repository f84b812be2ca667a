"""Handles ``/predict`` and ``/warm``: a click, a batch, images encoded ahead of time."""

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from backend.errors import ServingError
from backend.label_studio.batch import plan_batch
from backend.label_studio.connection import Connection
from backend.label_studio.next.editor import NextEditor
from backend.label_studio.next.reading import context_of
from backend.label_studio.parts import Parts
from backend.label_studio.predict_request import (
    PredictRequest,
    Task,
    no_image,
    number_of,
    read_request,
)
from backend.label_studio.prelabel import Prelabel
from backend.label_studio.raw_values import shown
from backend.label_studio.region_writer import RegionWriter
from backend.serving.answer import Answer
from backend.serving.answering import Answering, ClickRequest
from backend.serving.batch_deadline import BatchDeadline
from backend.serving.engine import SupersededError
from backend.serving.segmenting import OpenedImage, OpenImage, Report
from backend.serving.stages import Observe, Stage, timed
from backend.session.call import Call
from backend.session.regions import ImageKey
from dynamite.errors import DynamiteError, InvalidInputError

log = logging.getLogger(__name__)

Prediction = dict[str, Any]

Item = Prediction | list[Prediction]
"""What is answered for a task; in a batch an empty list where there is nothing to show.

Label Studio counts that as an answer but stores nothing, so it asks for the task again. It would
store a prediction with an empty ``result``, and never ask again for that task and version.
"""


class Predict:
    """Answers requests to ``/predict`` and ``/warm``."""

    def __init__(
        self,
        answering: Answering,
        connection: Connection,
        *,
        next_editor: NextEditor,
        source: str,
        background_labels: Iterable[str],
        like_labels: Iterable[str],
        image_timeout: float,
        max_pixels: int,
        tolerance: float,
        prelabel: Prelabel,
        prewarm: Callable[[str, str], object],
        warm: Callable[[str, str], None],
        report: Report,
        observe: Observe,
    ) -> None:
        """Take what the answers need.

        Args:
            answering: the serving core's use cases.
            connection: opens the images of tasks.
            next_editor: answers the calls of the next editor.
            source: the name of this Label Studio, under which answers are remembered.
            background_labels: labels whose clicks mean "no object here".
            like_labels: labels whose clicks ask for all objects like the clicked one.
            image_timeout: longest time to fetch one image, in seconds.
            max_pixels: pixels of the largest image.
            tolerance: how far outlines may lie from the edge of their masks, in pixels.
            prelabel: proposes objects of a project in a task that nobody has worked on.
            prewarm: has an image (address, task) encoded in the background.
            warm: encodes an image (address, task) now, behind all clicks.
            report: takes note of errors that the caller does not see.
            observe: is told how long writing an answer takes.
        """
        self._answering = answering
        self._connection = connection
        self._next_editor = next_editor
        self._source = source
        self._labels = tuple(background_labels), tuple(like_labels)
        self._image_timeout = image_timeout
        self._max_pixels = max_pixels
        self._tolerance = tolerance
        self._parts = Parts()
        self._prelabel = prelabel
        self._prewarm = prewarm
        self._warm = warm
        self._report = report
        self._observe = observe

    def predict(self, body: dict[str, Any]) -> list[Item]:
        """One answer per task, in order; for a call of the next editor one answer.

        Raises:
            BadRequestError: the body cannot be understood.
            DynamiteError: an image cannot be fetched or the model fails, and no earlier masks are
                known.
        """
        context = context_of(body)
        if context is not None:
            return [self._next_editor.answer(body, context)]
        request = read_request(body, *self._labels)
        for note in request.notes:
            log.info("project %s: %s", shown(request.project), note)
        if request.call is not None:
            return [self._answer_click(request, request.call)]
        return self._answer_batch(request)

    def warm(self, body: dict[str, Any]) -> tuple[int, list[str]]:
        """Have the images of some tasks encoded; ``body`` is that of a batch.

        Returns:
            How many images are warm, and what is wrong with the others.
        """
        request = read_request(body, *self._labels)
        count, problems = 0, []
        for task in request.tasks:
            if not task.images:
                keys = [ImageKey(tag.name) for tag in task.config.images]
                problems += [no_image(key, task.config) for key in keys]
            for address in task.images.values():
                try:
                    self._warm(address, task.id)
                except DynamiteError as error:
                    problems.append(str(error))
                else:
                    count += 1
        return count, problems

    def _answer_click(self, request: PredictRequest, call: Call) -> Prediction:
        task = request.tasks[0]
        writer = RegionWriter(task, self._tolerance, self._parts)
        answer = self._answering.answer_click(
            ClickRequest(
                self._source,
                task.id,
                call,
                self._opener(task),
                task.accepts,
                writer.as_stored,
                number_of(request.project),
            )
        )
        return self._write(answer, writer)

    def _answer_batch(self, request: PredictRequest) -> list[Item]:
        """An answer for each task; an empty one for those that time runs out for."""
        deadline = BatchDeadline(self._image_timeout)
        items = [self._answer_in_batch(request, task, deadline) for task in request.tasks]
        if deadline.left:
            words = (
                f"project {shown(request.project)}: {deadline.left} of the {len(items)} tasks of a "
                "batch are left, because Label Studio drops all of one that takes much longer than "
                f"{deadline.seconds:g} seconds: retrieve predictions again to go on with them"
            )
            self._report(ServingError(words, code="batch_unfinished"))
        return items

    def _answer_in_batch(
        self, request: PredictRequest, task: Task, deadline: BatchDeadline
    ) -> Item:
        """Masks for the prompts saved in the task; without any, encode its images in background."""
        try:
            plan = plan_batch(request, task, max_pixels=self._max_pixels)
        except InvalidInputError as error:
            self._report(error)
            return []
        if not plan.images:
            return self._answer_without_prompts(request, task, deadline)
        if deadline.is_over():
            deadline.left += 1
            return []

        def guard(image: ImageKey) -> AbstractContextManager[None]:
            return deadline.asking(task.images[image])

        writer = RegionWriter(task, self._tolerance, self._parts)
        try:
            answer = self._answering.answer_batch(
                plan,
                self._opener(task),
                task.accepts,
                writer.as_stored,
                is_over=deadline.is_over,
                guard=guard,
                source=self._source,
                project=number_of(request.project),
            )
        except SupersededError:  # the batch ran out of time
            deadline.left += 1
            return []
        except Exception as error:  # one bad task must not cost the others their masks
            self._report(error)
            return []
        return self._write(answer, writer) if answer.objects else []

    def _write(self, answer: Answer, writer: RegionWriter) -> Prediction:
        with timed(self._observe, Stage.ANSWER):
            return write_prediction(answer, writer)

    def _answer_without_prompts(
        self, request: PredictRequest, task: Task, deadline: BatchDeadline
    ) -> Item:
        """Proposals, where the project wants them; else encode its images in background."""
        project = number_of(request.project)
        if project is None or not self._prelabel.is_wanted(project, task):
            for address in task.images.values():
                self._prewarm(address, task.id)
            return []
        if deadline.is_over():
            deadline.left += 1
            return []
        writer = RegionWriter(task, self._tolerance, self._parts)
        try:
            answer = self._prelabel.answer(
                project, task, self._opener(task), writer.as_stored, deadline
            )
        except SupersededError:  # the batch ran out of time
            deadline.left += 1
            return []
        except Exception as error:  # one bad task must not cost the others their masks
            self._report(error)
            return []
        return write_prediction(answer, writer) if answer.objects else []

    def _opener(self, task: Task) -> OpenImage:
        def open_image(image: ImageKey) -> OpenedImage:
            return self._connection.open_image(task.images[image], task.id)

        return open_image


def write_prediction(answer: Answer, writer: RegionWriter) -> Prediction:
    """An answer as Label Studio wants it (docs/label-studio-protocol.md, 5)."""
    return {
        "result": [region for o in answer.objects for region in writer.write(o)],
        "score": round(answer.score, 4),
        "model_version": answer.version,
    }
