"""Adds proposals to answers: to a click that asks for more like this, and to pre-labelled tasks."""

from collections.abc import Callable

from backend.proposals.proposer import Proposer
from backend.serving.admission import Admission
from backend.serving.answer import Accepts, Answer, AnsweredObject, AsStored
from backend.serving.answer_log import Answered, AnswerLog
from backend.serving.answering import ClickRequest
from backend.serving.device_thread import Urgency
from backend.serving.engine import Engine, Model, SupersededError
from backend.serving.segmenting import OpenedImage, Report
from backend.session.answer_plan import LikeAsked
from backend.session.like import Proposed
from backend.session.sketch import sketch
from backend.session.store import SessionStore, Ticket


class Further:
    """Proposes further objects with the serving model. Safe to use from many threads."""

    def __init__(
        self,
        proposer: Proposer,
        *,
        engine: Engine,
        sessions: SessionStore,
        admission: Admission,
        answer_log: AnswerLog,
        report: Report,
    ) -> None:
        self._proposer = proposer
        self._engine = engine
        self._sessions = sessions
        self._admission = admission
        self._answer_log = answer_log
        self._report = report

    def add(self, request: ClickRequest, ticket: Ticket, model: Model, answer: Answer) -> Answer:
        """Return the answer to a click with the proposals that it asks for.

        A fault costs the proposals, not the answer.

        Raises:
            SupersededError: a newer click makes this one's answer useless.
        """
        asked = ticket.plan.like
        if asked is None:
            return answer
        project = None if request.project is None else (request.source, request.project)
        try:
            found = self._propose(
                project,
                asked,
                request.open_image(asked.image),
                model,
                request.accepts,
                urgency=Urgency.CLICK,
                is_over=lambda: self._sessions.is_superseded(ticket),
            )
        except SupersededError:
            raise
        except Exception as error:  # the other objects of the page are answered all the same
            self._report(error)
            return answer
        ids = self._sessions.propose(ticket, asked, found)
        objects = _answered(asked, ids, found, request.as_stored)
        self._note(request.source, request.task, objects, answer.version)
        return Answer(answer.version, (*answer.objects, *objects))

    def prelabel(
        self,
        project: tuple[str, int],
        task: str,
        asked: LikeAsked,
        image: OpenedImage,
        accepts: Accepts,
        as_stored: AsStored,
        is_over: Callable[[], bool],
    ) -> Answer:
        """Return proposals for an image that nobody has worked on, from its project's masks.

        Raises:
            SupersededError: ``is_over()`` became true.
            Exception: the image cannot be had, or the model fails.
        """
        version, found = self.propose(project, asked, image, accepts, is_over)
        ids = [f"{asked.prompt}{number}" for number in range(len(found))]
        objects = _answered(asked, ids, found, as_stored)
        self._note(project[0], task, objects, version)
        return Answer(version, objects)

    def propose(
        self,
        project: tuple[str, int],
        asked: LikeAsked,
        image: OpenedImage,
        accepts: Accepts,
        is_over: Callable[[], bool] = lambda: False,
    ) -> tuple[str, list[Proposed]]:
        """Return the model's version and what it proposes, for a tool that keeps no page.

        Raises:
            SupersededError: ``is_over()`` became true.
            Exception: the image cannot be had, or the model fails.
        """
        model = self._engine.model
        return model.name, self._propose(
            project, asked, image, model, accepts, urgency=Urgency.ENCODE, is_over=is_over
        )

    def _propose(
        self,
        project: tuple[str, int] | None,
        asked: LikeAsked,
        image: OpenedImage,
        model: Model,
        accepts: Accepts,
        *,
        urgency: Urgency,
        is_over: Callable[[], bool],
    ) -> list[Proposed]:
        features = self._engine.features(
            image.digest, image.pixels, model=model, waiting=self._admission.encoding
        )
        return self._proposer(
            project,
            asked,
            features,
            lambda clicks: self._engine.segment(
                features, clicks, superseded=is_over, model=model, urgency=urgency
            ),
            accepts=lambda label: accepts(asked.image, label),
        )

    def _note(
        self, source: str, task: str, objects: tuple[AnsweredObject, ...], version: str
    ) -> None:
        """Note what was proposed, so that an accepted mask is known for what it is: no click's."""
        noted = [Answered(o.id, o.digest, version, 0, sketch(o.bits)) for o in objects]
        self._answer_log.note(source, task, noted)


def _answered(
    asked: LikeAsked, ids: list[str], found: list[Proposed], as_stored: AsStored
) -> tuple[AnsweredObject, ...]:
    objects = []
    for name, one in zip(ids, found, strict=False):  # a forgotten page has no ids
        mask = as_stored(asked.image, name, one.label, one.mask.array())
        if mask.any():
            objects.append(AnsweredObject(asked.image, name, one.label, mask, one.score))
    return tuple(objects)
