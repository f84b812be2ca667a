"""Answers CVAT's calls: a frame with clicks and boxes in, masks out."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any

from backend.cvat import rle
from backend.cvat.answers import EncodedMask, write_answer
from backend.cvat.generations import generation_of
from backend.cvat.interactor_request import InteractorRequest, read_project, read_request
from backend.cvat.planning import plan_answer
from backend.errors import ImageBusyError, ServingError
from backend.images.decode import DECODER_VERSION, decode, digest, image_size
from backend.images.pixel_budget import PixelBudget
from backend.serving.admission import BusyError
from backend.serving.answer_log import Answered, AnswerLog
from backend.serving.answering import Answering
from backend.serving.engine import Image
from backend.serving.image_cache import LazyImage
from backend.serving.stages import Observe, Stage, timed
from backend.session.answer_plan import ImagePlan

MAX_SIZES = 10_000
"""Most frames whose size is remembered, and whose project."""

MAX_AGENTS = 5
"""Most versions of CVAT that the status page names."""


class BusyNowError(ServingError):
    """Too much waits for the model; CVAT's page tries again by itself, but only after a 429."""

    code = "busy"
    status = 429


class Interactor:
    """Answers clicks. Safe to use from many threads; keeps no frame and no page."""

    def __init__(
        self,
        answering: Answering,
        answer_log: AnswerLog,
        budget: PixelBudget,
        *,
        source: str,
        max_pixels: int,
        answers: str,
        observe: Observe,
    ) -> None:
        """Take what the answers need.

        Args:
            answering: the serving core's use cases.
            answer_log: remembers what was answered, so that an accepted mask is known again.
            budget: of the pixels of all tools together.
            source: the name of this CVAT.
            max_pixels: pixels of the largest frame.
            answers: the generation of answers, or auto.
            observe: is told how long decoding a frame and writing an answer take.
        """
        self._answering = answering
        self._answer_log = answer_log
        self._budget = budget
        self._source = source
        self._max_pixels = max_pixels
        self._answers = answers
        self._observe = observe
        self._lock = threading.Lock()
        self._sizes: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._projects: OrderedDict[str, int] = OrderedDict()
        self._agents: Counter[str] = Counter()

    def answer(self, body: Mapping[str, Any], agent: str) -> bytes:
        """Return the JSON of the answer to a call of a CVAT that calls itself ``agent``.

        Raises:
            BadRequestError: a value of the call is missing or absurd.
            ImageError: the frame cannot be read.
            BusyNowError: too much waits for the model.
        """
        found, size = self._masks(read_request(body))
        generation = generation_of(agent, self._answers)
        with self._lock:
            self._agents[f"{agent.partition(' ')[0][:20] or 'unnamed'}: {generation}"] += 1
        with timed(self._observe, Stage.ANSWER):
            return write_answer(found, size, generation)

    def masks_in_boxes(self, body: Mapping[str, Any]) -> list[list[int] | None]:
        """Return the mask of each box of a call, as CVAT writes it; None where it is empty.

        The call may name the frame's ``project``, whose memory then answers; CVAT's own calls name
        none.

        Raises:
            ServingError: as ``answer``.
        """
        request = read_request(body)
        project = read_project(body.get("project"))
        masks, _ = self._masks(request, is_click=False, project=project)
        found = {one.id: one.runs for one in masks}
        return [found.get(str(index)) for index in range(len(request.prompts.boxes))]

    def open(self, data: bytes) -> LazyImage:
        """Return a frame, to encode it ahead of its first click."""
        return self._image(data, digest(data))

    def note_project(self, data: bytes, project: int | None) -> None:
        """Remember the project of a frame, if it is known: CVAT's calls name none."""
        if project is not None:
            with self._lock:
                self._projects[digest(data)] = project
                while len(self._projects) > MAX_SIZES:
                    self._projects.popitem(last=False)

    def callers(self) -> list[str]:
        """Return which versions of CVAT have called, which form they were answered in, how often.

        The most frequent ones come first.
        """
        with self._lock:
            return [f"{name}, calls: {n}" for name, n in self._agents.most_common(MAX_AGENTS)]

    def _masks(
        self, request: InteractorRequest, *, is_click: bool = True, project: int | None = None
    ) -> tuple[list[EncodedMask], tuple[int, int]]:
        """Return the masks of a call, and H, W of its frame."""
        frame = digest(request.image)
        image = self._image(request.image, frame)
        size = self._size(frame, request.image)
        plan = plan_answer(request.prompts, size)
        if project is None:
            with self._lock:
                project = self._projects.get(frame)
        try:
            answer = self._answering.answer_alone(
                plan, image, is_click=is_click, source=self._source, project=project
            )
        except (BusyError, ImageBusyError) as error:
            raise BusyNowError(str(error)) from error
        found = [EncodedMask.of(one) for one in answer.objects]
        self._remember(frame, plan, found, answer.version)
        return found, size

    def _image(self, data: bytes, frame: str) -> LazyImage:
        """Return a frame; its pixels are decoded only if its features are not known."""

        def pixels() -> Image:
            with timed(self._observe, Stage.DECODE):
                return decode(data, max_pixels=self._max_pixels, budget=self._budget)

        return LazyImage(f"{frame}-{DECODER_VERSION}", pixels)

    def _size(self, name: str, data: bytes) -> tuple[int, int]:
        """Return H, W of a frame: remembered, else from its header."""
        with self._lock:
            known = self._sizes.get(name)
        if known is None:
            known = image_size(data, max_pixels=self._max_pixels)
            with self._lock:
                self._sizes[name] = known
                while len(self._sizes) > MAX_SIZES:
                    self._sizes.popitem(last=False)
        return known

    def _remember(
        self, frame: str, plan: ImagePlan, found: list[EncodedMask], version: str
    ) -> None:
        """Note the masks under the digest of their frame: a call names no task and no object."""
        clicks = {target.id: len(target.clicks) for target in plan.targets}
        self._answer_log.note(
            self._source,
            frame,
            [Answered("", rle.name(one.runs), version, clicks[one.id]) for one in found],
        )
