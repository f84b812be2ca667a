"""Answers the calls of the next editor: what it may ask for, and one mask of one object."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from backend.errors import ServingError
from backend.label_studio.connection import Connection
from backend.label_studio.data_uri import write_data_uri
from backend.label_studio.labeling_config import parse
from backend.label_studio.next.capabilities import capabilities
from backend.label_studio.next.memory import Memory, Ticket
from backend.label_studio.next.next_call import next_call, only_image
from backend.label_studio.next.planning import plan_object
from backend.label_studio.next.reading import CAPABILITIES, event_of, read_prompts
from backend.label_studio.predict_request import Task, image_addresses, number_of, read_tasks
from backend.label_studio.raw_values import shown
from backend.serving.answering import Answering
from backend.serving.stages import Observe, Stage, timed, unobserved
from backend.session.answer_plan import ImagePlan
from backend.session.bitmask import BitMask, Mask, union
from backend.session.masks import MaskCache, MaskReader
from backend.session.regions import ImageKey
from dynamite import mask_png

log = logging.getLogger(__name__)

CACHE_BYTES = 64_000_000
"""Of the decoded masks of drafts and annotations."""

Raw = Mapping[str, Any]


class NoMaskError(ServingError):
    """There is no mask to answer, and an empty one would leave the previous one on the page."""

    code = "no_mask"
    status = 422


class NextEditor:
    """Serves the protocol of the next editor. Safe to use from many threads."""

    def __init__(
        self,
        answering: Answering,
        connection: Connection,
        *,
        source: str,
        version: Callable[[], str],
        background_labels: Iterable[str],
        max_pixels: int,
        prewarm: Callable[[str, str], object],
        memory: Memory | None = None,
        observe: Observe = unobserved,
    ) -> None:
        """Take what the answers need.

        Args:
            answering: the serving core's use cases.
            connection: opens the images of tasks.
            source: the name of this Label Studio, under which answers are remembered.
            version: returns the version of the current model.
            background_labels: labels whose clicks mean "no object here".
            max_pixels: pixels of the largest image.
            prewarm: has an image (address, task) encoded in the background.
            memory: of the objects drawn; an empty one if None.
            observe: is told how long writing an answer takes.
        """
        self._answering = answering
        self._connection = connection
        self._source = source
        self._version = version
        self._background_labels = tuple(background_labels)
        self._max_pixels = max_pixels
        self._prewarm = prewarm
        self._observe = observe
        self._memory = memory or Memory()
        self._decoded = MaskCache(CACHE_BYTES)

    def answer(self, body: Raw, context: Raw) -> dict[str, Any]:
        """Return the prediction for one call.

        Points and boxes are answered with a mask or an error: at an empty result the page would
        keep the previous mask, as if it were the answer. An event that needs no answer, such as
        ``release``, changes nothing: it tells neither of an accept nor of a person who left.

        Raises:
            BadRequestError: the call cannot be understood, or its task has several images.
            DynamiteError: there is no mask or no image, or the model fails.
        """
        event = event_of(context)
        if event is None:
            mask = self._mask(body, context)
            with timed(self._observe, Stage.ANSWER):
                url = write_data_uri(mask_png.encode(mask), "image/png")
            return {"result": [{"type": "bitmask", "value": {"imageDataURL": url}}]}
        if event == CAPABILITIES:
            return {"result": [self._capabilities(body)]}
        log.debug("the event %s needs no answer", shown(event))
        return {"result": []}

    def _capabilities(self, body: Raw) -> dict[str, Any]:
        """Say what can be done, and encode the image of the task that the page has just opened."""
        config = parse(body.get("label_config") or "", self._background_labels)
        tasks = body.get("tasks")
        for task in tasks[:1] if isinstance(tasks, list) else ():
            if isinstance(task, Mapping):
                addresses = list(image_addresses(task.get("data"), config).values())
                if len(addresses) == 1:
                    self._prewarm(addresses[0], str(task.get("id")))
        return capabilities(config, self._version())

    def _mask(self, body: Raw, context: Raw) -> Mask:
        notes: list[str] = []
        project, (task, *_) = read_tasks(body, self._background_labels, notes)
        for note in notes:
            log.info("project %s: %s", shown(project), note)
        image = only_image(task)
        prompts = read_prompts(context, image)
        read = MaskReader(self._max_pixels, self._decoded)
        ticket = self._memory.begin(next_call(project, task, image, prompts, read))
        mask = repeated(ticket) or self._segmented(ticket, task, image, project)
        self._memory.remember(ticket, mask)
        return mask.array()

    def _segmented(self, ticket: Ticket, task: Task, image: ImageKey, project: str) -> BitMask:
        plan = plan_object(ticket.call.prompts, ticket.others, image)
        if plan is None:
            raise NoMaskError("All points say where the object is not: place the first one on it.")
        answered = self._answering.answer_object(
            self._source,
            task.id,
            plan,
            lambda image: self._connection.open_image(task.images[image], task.id),
            ticket.call.user,
            number_of(project),
        )
        if answered is None or not holds_a_click(answered.bits, plan):
            raise NoMaskError(why_nothing(plan))
        return answered.bits


def holds_a_click(mask: BitMask, plan: ImagePlan) -> bool:
    """Whether the mask has a pixel that was pointed at.

    Without one, all points lie in regions that are there already: what is left is no answer.
    """
    return any(mask.contains(click.x, click.y) for click in plan.targets[0].clicks)


def why_nothing(plan: ImagePlan) -> str:
    """Return what to say where an object has no pixels."""
    clicks = plan.targets[0].clicks
    if any(fixed.contains(click.x, click.y) for fixed in plan.fixed for click in clicks):
        return (
            "This is a part of a region that is there already: point beside it, or erase that part "
            "or delete the region first. If you have just done so, try again in five seconds."
        )
    return "Nothing is found here: point at the middle of the object."


def repeated(ticket: Ticket) -> BitMask | None:
    """Return the mask answered to the same prompts before; None without one.

    A person who undoes and redoes points sees the same masks again, less what has been accepted
    meanwhile.
    """
    known = ticket.known
    if known is None:
        return None
    taken = union((other.mask for other in ticket.others), known.height, known.width)
    left = known.array() & ~taken
    return BitMask.of(left) if left.any() else None
