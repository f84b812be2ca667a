"""``/predict``: the trip of a click, and the quick answer to a batch."""

import logging
from typing import TYPE_CHECKING, Any

from backend.errors import ServingError, code_and_status
from backend.label_studio import batch, region_writer
from backend.label_studio.predict_request import Call, Task, read_call
from backend.label_studio.region_reader import shown
from backend.serving.answer_log import Answered
from backend.serving.batch_deadline import BatchDeadline
from backend.serving.engine import Model, SupersededError
from backend.serving.segmenting import segment
from backend.session.answer_plan import Plan
from backend.session.call import Evidence
from backend.session.store import Ticket
from dynamite.errors import DynamiteError

if TYPE_CHECKING:
    from backend.web.services import Services

log = logging.getLogger(__name__)

Prediction = dict[str, Any]

Item = Prediction | list[Prediction]
"""What is answered for a task: in a batch an empty list where there is nothing to show.

Label Studio counts that as an answer but stores nothing, so the task is asked for again. A
prediction with an empty ``result`` it would store, and never ask again for that task and version.
"""


def predict(body: dict[str, Any], services: "Services") -> list[Item]:
    """One answer per task, in order.

    Raises:
        BadRequestError: the body cannot be understood.
        DynamiteError: an image cannot be fetched or the model fails, and no earlier masks are
            known.
    """
    call = read_call(body, services.background_labels)
    for note in call.notes:
        log.info("project %s: %s", shown(call.project), note)
    if call.evidence is not None:
        with services.meters.clicks.time():
            return [interactive(call, call.evidence, services)]
    return batched(call, services)


def interactive(call: Call, evidence: Evidence, services: "Services") -> Prediction:
    """The masks of all objects after a click.

    An annotator sees no error message, so where this fails the last good masks are answered.
    """
    task = call.tasks[0]
    ticket = services.sessions.begin(evidence)
    model = services.page_models.choose(ticket.page, services.engine.model)
    try:
        with services.admission.place():
            answer = answer_to(call, task, ticket, services, model)
    except SupersededError:
        return empty(services)
    except Exception as error:
        last = services.sessions.last_answer(ticket)
        if not last.images:
            raise
        code, _ = code_and_status(error)
        services.report(code, error)
        answer = region_writer.answer(last, {}, call.config, task.painted)
    services.sessions.remember(ticket, answer.masks, answer.digests)
    services.answers.note(task.id, answered(ticket.plan, answer, model.version))
    return prediction(answer, model.version)


def answered(plan: Plan, answer: region_writer.Answer, version: str) -> list[Answered]:
    """What was answered, so that an accepted mask is known for what it is."""
    clicks = {t.id: len(t.taps) for image in plan.images for t in image.targets}
    return [
        Answered(region, digest, version, clicks[region])
        for region, digest in answer.digests.items()
        if region in clicks
    ]


def answer_to(
    call: Call, task: Task, ticket: Ticket, services: "Services", model: Model
) -> region_writer.Answer:
    """Segment what the ticket plans."""
    if ticket.plan.overtaken:
        raise SupersededError("a newer call of this page has been answered")

    def superseded() -> bool:
        return services.sessions.superseded(ticket)

    newest = call.evidence.context[-1].image if call.evidence and call.evidence.context else None
    segmented = segment(ticket.plan, task, services, superseded, model, needed=newest)
    failed = {part.image for part in ticket.plan.images if part.targets} - segmented.keys()
    plan = ticket.plan
    if failed:
        plan = plan.with_images(services.sessions.last_answer(ticket), failed)
    return region_writer.answer(plan, segmented, call.config, task.painted)


def batched(call: Call, services: "Services") -> list[Item]:
    """An answer for each task; for those that there is no time for, nothing."""
    waits = BatchDeadline(services.image_timeout)
    items = [in_batch(call, task, services, waits) for task in call.tasks]
    if waits.left:
        words = (
            f"project {shown(call.project)}: {waits.left} of the {len(items)} tasks of a batch are "
            f"left, because Label Studio drops all of one that takes much longer than "
            f"{waits.seconds:g} seconds: retrieve predictions again to go on with them"
        )
        services.report("batch_unfinished", ServingError(words))
    return items


def in_batch(call: Call, task: Task, services: "Services", waits: BatchDeadline) -> Item:
    """Masks for what lies in the task; else nothing at once, and its features in the background."""
    plan = batch.plan(call, task)
    model = services.engine.model
    if not plan.images:
        for value in task.images.values():
            services.prewarm(value, task.id)
        return []
    if waits.is_over():
        waits.left += 1
        return []
    try:
        with services.admission.place():
            segmented = segment(plan, task, services, waits.is_over, model, waits=waits)
    except SupersededError:  # by the end of the batch's time
        waits.left += 1
        return []
    except Exception as error:  # one bad image must not cost the other tasks their masks
        code, _ = code_and_status(error)
        services.report(code, error)
        return []
    answer = region_writer.answer(plan, segmented, call.config, task.painted)
    return prediction(answer, model.version) if answer.result else []


def warm(body: dict[str, Any], services: "Services") -> tuple[int, list[str]]:
    """Have the images of some tasks encoded: how many are warm, and what is wrong with the others.

    ``body`` is that of a batch call.
    """
    call = read_call(body, services.background_labels)
    count, problems = 0, []
    for task in call.tasks:
        for address in task.images.values():
            try:
                with services.admission.place():
                    services.warm(address, task.id)
            except DynamiteError as error:
                problems.append(str(error))
            else:
                count += 1
    return count, problems


def prediction(answer: region_writer.Answer, version: str) -> Prediction:
    """An answer as Label Studio wants it."""
    return {
        "result": answer.result,
        "score": round(answer.score, 4),
        "model_version": version,
    }


def empty(services: "Services") -> Prediction:
    """Nothing to show, as the page wants to hear it after a click."""
    return {"result": [], "score": 0.0, "model_version": services.engine.model.version}
