"""Answers clicks: what a person asked becomes the masks of all objects, whatever the tool."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.serving.admission import Admission
from backend.serving.answer import (
    Accepts,
    Answer,
    AnsweredObject,
    AsStored,
    as_it_is,
    compose_answer,
)
from backend.serving.answer_log import ANY_REGION, Answered, AnswerLog
from backend.serving.engine import Engine, Model, SupersededError
from backend.serving.meters import Meters, Outcome
from backend.serving.page_models import PageModels
from backend.serving.segmenting import Guard, OpenedImage, OpenImage, Report, segment_plan
from backend.serving.stages import Stage, timed
from backend.serving.under_way import UnderWay
from backend.session.answer_plan import AnswerPlan, ImagePlan, Target
from backend.session.call import Call
from backend.session.composing import Segmented, compose
from backend.session.regions import ImageKey
from backend.session.sketch import sketch
from backend.session.store import SessionStore, Ticket

if TYPE_CHECKING:
    from dynamite.predict.predictor import Segmentation

WithMemory = Callable[[str, int | None, Model], Model]
"""Returns the model with the memory of a project (source, number), if it has one that fits."""


def without_memory(source: str, project: int | None, current: Model) -> Model:  # noqa: ARG001
    """Return the current model, whatever the project."""
    return current


WithProposals = Callable[["ClickRequest", Ticket, Model, "Answer"], "Answer"]
"""Returns the answer to a click with the further objects that it asks for."""


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
        meters: Meters,
        with_memory: WithMemory = without_memory,
        with_proposals: WithProposals | None = None,
    ) -> None:
        self._with_memory = with_memory
        self._with_proposals = with_proposals
        self._under_way = under_way
        self._engine = engine
        self._sessions = sessions
        self._page_models = page_models
        self._admission = admission
        self._answer_log = answer_log
        self._report = report
        self._meters = meters

    def answer_click(self, request: ClickRequest) -> Answer:
        """Return the masks of all objects of the task after a click.

        Annotators see no error message. Where the model fails, the last good masks are answered;
        a click overtaken by a newer one is answered with nothing.

        Raises:
            Exception: what went wrong, where no earlier masks are known.
        """
        with self._meters.click() as noted:
            ticket = self._sessions.begin(request.call)
            current = self._with_memory(request.source, request.project, self._engine.model)
            model = self._page_models.choose(ticket.page, current)
            model = model.for_labels(t.label for t in _targets(ticket.plan) if t.moves)
            noted.has_memory = bool(model.memory)
            try:
                with (
                    self._admission.place(),
                    self._under_way.click(request.task, request.call.user) as awaits,
                ):
                    answer = self._segment_click(request, ticket, model, awaits)
            except SupersededError:
                noted.outcome = Outcome.OVERTAKEN
                return Answer(self._engine.model.version)
            except Exception as error:
                last = self._sessions.last_answer(ticket)
                if not last.images:
                    raise
                self._report(error)
                noted.outcome = Outcome.REPEATED
                answer = self._compose(last, {}, request.accepts, model.name, request.as_stored)
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
        source: str = "",
        project: int | None = None,
    ) -> Answer:
        """Return the masks of a plan, without any session; images that fail are left out.

        ``is_over`` says whether the batch has run out of time; ``guard`` surrounds each fetch.
        ``project`` is the number of the task's project at ``source``, if known.

        Raises:
            SupersededError: ``is_over()`` became true.
        """
        model = self._with_memory(source, project, self._engine.model)
        model = model.for_labels(one.label for one in _targets(plan))
        with self._admission.place():
            segmented = segment_plan(
                plan,
                open_image,
                engine=self._engine,
                model=model,
                report=self._report,
                is_superseded=is_over,
                guard=guard,
                waiting=self._admission.encoding,
            )
        return self._compose(plan, segmented, accepts, model.name, as_stored)

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
        with self._meters.click() as noted:
            model = self._with_memory(source, project, self._engine.model)
            model = model.for_labels((plan.targets[0].label,))
            noted.has_memory = bool(model.memory)
            with self._admission.place(), self._under_way.click(task, user) as awaits:
                segmented = self._segment_image(plan, open_image, model, awaits)
            with timed(self._meters.observe, Stage.COMPOSE):
                one = next(compose(plan, segmented[plan.image]))
            if not one.mask.any():
                return None
            answered = AnsweredObject(plan.image, one.id, one.label, one.mask, one.score)
            clicks = len(plan.targets[0].clicks)
            shape = sketch(answered.bits)
            note = Answered(ANY_REGION, answered.digest, model.name, clicks, shape)
            self._answer_log.note(source, task, [note])
            return answered

    def answer_alone(
        self,
        plan: ImagePlan,
        image: OpenedImage,
        *,
        is_click: bool = True,
        source: str = "",
        project: int | None = None,
    ) -> Answer:
        """Return the masks of all objects of one image, for a tool that keeps nothing.

        Args:
            plan: what to segment.
            image: the image.
            is_click: whether a person waits, so that it counts among the clicks' times.
            source: the name of the tool or server, and
            project: the number of the image's project there, if known.

        Raises:
            Exception: what went wrong; the tool has no earlier masks to fall back on.
        """
        with self._meters.click() if is_click else nullcontext():
            model = self._with_memory(source, project, self._engine.model)
            model = model.for_labels(one.label for one in plan.targets)
            with self._admission.place():
                segmented = self._segment_image(plan, lambda _: image, model)
            whole = AnswerPlan((plan,))
            return self._compose(whole, segmented, lambda _, __: True, model.name)

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
            waiting=self._admission.encoding,
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
            waiting=self._admission.encoding,
        )
        failed = {part.image for part in plan.images if part.targets} - segmented.keys()
        if failed:
            plan = plan.with_images(self._sessions.last_answer(ticket), failed)
        answer = self._compose(plan, segmented, request.accepts, model.name, request.as_stored)
        if plan.like is None or self._with_proposals is None:
            return answer
        return self._with_proposals(request, ticket, model, answer)

    def _compose(
        self,
        plan: AnswerPlan,
        segmented: "Mapping[ImageKey, Segmented]",
        accepts: Accepts,
        version: str,
        as_stored: AsStored = as_it_is,
    ) -> Answer:
        with timed(self._meters.observe, Stage.COMPOSE):
            return compose_answer(plan, segmented, accepts, version, as_stored)

    def _remember(self, request: ClickRequest, ticket: Ticket, answer: Answer) -> None:
        """Keep what was shown, and note it so that an accepted mask is known for what it is."""
        segmented = {o.image for o in answer.objects if o.score is not None}
        self._sessions.remember(ticket, {o.id: o.bits for o in answer.objects}, segmented)
        targets = {one.id: one for one in _targets(ticket.plan)}
        self._answer_log.note(
            request.source,
            request.task,
            [
                Answered(o.id, o.digest, answer.version, len(targets[o.id].clicks), sketch(o.bits))
                for o in answer.objects
                if o.id in targets and not _held_still(o, targets[o.id])
            ],
        )


def _targets(plan: AnswerPlan) -> Iterator[Target]:
    for part in plan.images:
        yield from part.targets


def _held_still(answered: AnsweredObject, target: Target) -> bool:
    """Whether an object is as an earlier answer made it, perhaps with another memory."""
    shown = target.shown
    return not target.moves and shown is not None and shown.digest == answered.digest
