"""Answers clicks: what a person asked becomes the masks of all objects, whatever the tool."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from prometheus_client import Histogram

from backend.serving.admission import Admission
from backend.serving.answer_log import ANY_REGION, Answered, AnswerLog
from backend.serving.engine import Engine, Model, SupersededError
from backend.serving.page_models import PageModels
from backend.serving.segmenting import Guard, OpenedImage, OpenImage, Report, segment_plan
from backend.serving.under_way import UnderWay
from backend.session.answer_plan import AnswerPlan, ImagePlan
from backend.session.bitmask import BitMask, Mask
from backend.session.call import Call
from backend.session.composing import Segmented, compose
from backend.session.regions import ImageKey
from backend.session.sketch import sketch
from backend.session.store import SessionStore, Ticket
from dynamite import brush_rle

if TYPE_CHECKING:
    from dynamite.predict.predictor import Segmentation

Accepts = Callable[[ImageKey, str], bool]
"""Whether the tool can show a mask with this label on this image."""

WithMemory = Callable[[str, int | None, Model], Model]
"""Returns the model with the memory of a project (source, number), if it has one that fits."""


def without_memory(source: str, project: int | None, current: Model) -> Model:  # noqa: ARG001
    """Return the current model, whatever the project."""
    return current


WithProposals = Callable[["ClickRequest", Ticket, Model, "Answer"], "Answer"]
"""Returns the answer to a click with the further objects that it asks for."""

AsStored = Callable[[ImageKey, str, str, Mask], Mask]
"""Returns a mask as the tool will hand it back, from its image, object and label: outlines lose
pixels."""


def as_it_is(image: ImageKey, object_id: str, label: str, mask: Mask) -> Mask:  # noqa: ARG001
    """Return the mask: the tool stores pixels."""
    return mask


@dataclass(frozen=True)
class ClickRequest:
    """One click: what was asked, how to open the task's images, what the tool can show.

    What was answered is remembered under ``source``, the name of the tool or server, and ``task``.
    ``project`` is the number of the task's project there; None where it is not known.
    """

    source: str
    task: str
    call: Call
    open_image: OpenImage
    accepts: Accepts
    as_stored: AsStored = as_it_is
    project: int | None = None


@dataclass(frozen=True)
class AnsweredObject:
    """One object of an answer: its H×W mask, never empty, as the tool will store it.

    ``score`` is the model's confidence, 0…1; None for a mask that is repeated.
    """

    image: ImageKey
    id: str
    label: str
    mask: Mask = field(repr=False)
    score: float | None = None

    @cached_property
    def rle(self) -> list[int]:
        """The mask as Brush RLE."""
        return brush_rle.encode(self.mask)

    @cached_property
    def bits(self) -> BitMask:
        """The mask, packed."""
        return BitMask.of(self.mask)

    @property
    def digest(self) -> str:
        """A name for its pixels."""
        return self.bits.digest


@dataclass(frozen=True)
class Answer:
    """The objects to show, disjoint on each image, and what made them (``Model.name``)."""

    version: str
    objects: tuple[AnsweredObject, ...] = ()

    @property
    def score(self) -> float:
        """The mean score of the objects that have one; 0 without any."""
        scores = [o.score for o in self.objects if o.score is not None]
        return float(np.mean(scores)) if scores else 0.0


class Answering:
    """The use cases of a click and of a batch. Safe to use from many threads."""

    def __init__(
        self,
        *,
        engine: Engine,
        sessions: SessionStore,
        page_models: PageModels,
        admission: Admission,
        answer_log: AnswerLog,
        under_way: UnderWay,
        report: Report,
        click_seconds: Histogram | None = None,
        with_memory: WithMemory = without_memory,
        with_proposals: WithProposals | None = None,
    ) -> None:
        """Take what the answers need.

        ``click_seconds`` measures each click, its image's features included.
        """
        self._with_memory = with_memory
        self._with_proposals = with_proposals
        self._under_way = under_way
        self._engine = engine
        self._sessions = sessions
        self._page_models = page_models
        self._admission = admission
        self._answer_log = answer_log
        self._report = report
        self._click_seconds = click_seconds

    def answer_click(self, request: ClickRequest) -> Answer:
        """Return the masks of all objects of the task after a click.

        Annotators see no error message. Where the model fails, the last good masks are answered;
        a click overtaken by a newer one is answered with nothing.

        Raises:
            Exception: what went wrong, where no earlier masks are known.
        """
        with self._click_seconds.time() if self._click_seconds else nullcontext():
            ticket = self._sessions.begin(request.call)
            current = self._with_memory(request.source, request.project, self._engine.model)
            model = self._page_models.choose(ticket.page, current)
            try:
                with (
                    self._admission.place(),
                    self._under_way.click(request.task, request.call.user) as awaits,
                ):
                    answer = self._segment_click(request, ticket, model, awaits)
            except SupersededError:
                return Answer(self._engine.model.version)
            except Exception as error:
                last = self._sessions.last_answer(ticket)
                if not last.images:
                    raise
                self._report(error)
                answer = compose_answer(last, {}, request.accepts, model.name, request.as_stored)
            self._remember(request, ticket, answer)
            return answer

    def answer_batch(
        self,
        plan: AnswerPlan,
        open_image: OpenImage,
        accepts: Accepts,
        as_stored: AsStored = as_it_is,
        is_over: Callable[[], bool] = lambda: False,
        guard: Guard = lambda _: nullcontext(),
    ) -> Answer:
        """Return the masks of a plan, without any session; images that fail are left out.

        ``is_over`` says whether the batch has run out of time; ``guard`` surrounds each fetch.

        Raises:
            SupersededError: ``is_over()`` became true.
        """
        model = self._engine.model
        with self._admission.place():
            segmented = segment_plan(
                plan,
                open_image,
                engine=self._engine,
                model=model,
                report=self._report,
                is_superseded=is_over,
                guard=guard,
            )
        return compose_answer(plan, segmented, accepts, model.version, as_stored)

    def answer_object(
        self,
        source: str,
        task: str,
        plan: ImagePlan,
        open_image: OpenImage,
        user: str | None = None,
        project: int | None = None,
    ) -> AnsweredObject | None:
        """Return the plan's first target, segmented together with the others; None without pixels.

        No session is kept. What was answered is noted under ``source`` and ``task``, for a page
        that gives its regions ids of its own. ``user`` is whose click it is, ``project`` the number
        of the task's project, if known.

        Raises:
            Exception: what went wrong.
        """
        with self._click_seconds.time() if self._click_seconds else nullcontext():
            model = self._with_memory(source, project, self._engine.model)
            with self._admission.place(), self._under_way.click(task, user) as awaits:
                segmented = self._segment_image(plan, open_image, model, awaits)
            one = next(compose(plan, segmented[plan.image]))
            if not one.mask.any():
                return None
            answered = AnsweredObject(plan.image, one.id, one.label, one.mask, one.score)
            clicks = len(plan.targets[0].clicks)
            shape = sketch(answered.bits)
            note = Answered(ANY_REGION, answered.digest, model.name, clicks, shape)
            self._answer_log.note(source, task, [note])
            return answered

    def answer_alone(self, plan: ImagePlan, image: OpenedImage, *, is_click: bool = True) -> Answer:
        """Return the masks of all objects of one image, for a tool that keeps nothing.

        Args:
            plan: what to segment.
            image: the image.
            is_click: whether a person waits, so that it counts among the clicks' times.

        Raises:
            Exception: what went wrong; the tool has no earlier masks to fall back on.
        """
        timed = self._click_seconds if is_click else None
        with timed.time() if timed else nullcontext():
            model = self._engine.model
            with self._admission.place():
                segmented = self._segment_image(plan, lambda _: image, model)
            return compose_answer(AnswerPlan((plan,)), segmented, lambda _, __: True, model.version)

    def _segment_image(
        self,
        plan: ImagePlan,
        open_image: OpenImage,
        model: Model,
        awaits: Callable[[str], object] = lambda _: None,
    ) -> "dict[ImageKey, Segmentation]":
        return segment_plan(
            AnswerPlan((plan,)),
            open_image,
            engine=self._engine,
            model=model,
            report=self._report,
            is_superseded=lambda: False,
            needed=plan.image,
            awaits=awaits,
        )

    def _segment_click(
        self, request: ClickRequest, ticket: Ticket, model: Model, awaits: Callable[[str], None]
    ) -> Answer:
        plan = ticket.plan
        if plan.is_stale:
            raise SupersededError("a newer call of this page has been answered")
        newest = request.call.newest
        segmented = segment_plan(
            plan,
            request.open_image,
            engine=self._engine,
            model=model,
            report=self._report,
            is_superseded=lambda: self._sessions.is_superseded(ticket),
            needed=newest.image if newest else None,
            awaits=awaits,
        )
        failed = {part.image for part in plan.images if part.targets} - segmented.keys()
        if failed:
            plan = plan.with_images(self._sessions.last_answer(ticket), failed)
        answer = compose_answer(plan, segmented, request.accepts, model.name, request.as_stored)
        if plan.like is None or self._with_proposals is None:
            return answer
        return self._with_proposals(request, ticket, model, answer)

    def _remember(self, request: ClickRequest, ticket: Ticket, answer: Answer) -> None:
        """Keep what was shown, and note it so that an accepted mask is known for what it is."""
        segmented = {o.image for o in answer.objects if o.score is not None}
        self._sessions.remember(ticket, {o.id: o.bits for o in answer.objects}, segmented)
        clicks = {t.id: len(t.clicks) for part in ticket.plan.images for t in part.targets}
        self._answer_log.note(
            request.source,
            request.task,
            [
                Answered(o.id, o.digest, answer.version, clicks[o.id], sketch(o.bits))
                for o in answer.objects
                if o.id in clicks
            ],
        )


def compose_answer(
    plan: AnswerPlan,
    segmented: Mapping[ImageKey, Segmented],
    accepts: Accepts,
    version: str,
    as_stored: AsStored = as_it_is,
) -> Answer:
    """Return the answer to a plan: disjoint masks of every object that has pixels and can be shown.

    ``segmented`` holds the model's answer for every image with targets. Masks that the tool does
    not store to the pixel are disjoint but for what that costs.
    """
    objects = []
    for part in plan.images:
        for composed in compose(part, segmented.get(part.image)):
            label, mask = composed.label, composed.mask
            if accepts(part.image, label) and mask.any():
                mask = as_stored(part.image, composed.id, label, mask)
                objects.append(AnsweredObject(part.image, composed.id, label, mask, composed.score))
    return Answer(version, tuple(objects))
