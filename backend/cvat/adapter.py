"""The adapter of CVAT: its parts put together, as the web application mounts them."""

from collections.abc import Sequence

from backend.cvat.collect.waiting import last_waiting
from backend.cvat.interactor import Interactor
from backend.cvat.metadata import FUNCTION
from backend.cvat.proposing import Proposing
from backend.cvat.routes import OPEN, make_blueprint
from backend.cvat.warming import Warming
from backend.cvat.webhooks import Webhooks
from backend.images.pixel_budget import PixelBudget
from backend.jobs.job_queue import JobQueue
from backend.proposals.further import Further
from backend.serving.admission import Admission
from backend.serving.answer_log import AnswerLog
from backend.serving.answering import Answering
from backend.serving.engine import Engine
from backend.serving.stages import Observe
from backend.settings import Settings
from backend.settings.table import show
from backend.web.adapter import StatusRow


class Cvat:
    """CVAT as the web application sees it (``backend.web.adapter.Adapter``)."""

    title = "CVAT"
    open_endpoints = OPEN

    def __init__(
        self,
        settings: Settings,
        *,
        engine: Engine,
        answering: Answering,
        further: Further,
        admission: Admission,
        answer_log: AnswerLog,
        queue: JobQueue,
        observe: Observe,
        budget: PixelBudget,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self.interactor = Interactor(
            answering,
            answer_log,
            budget,
            source=settings.cvat_name,
            max_pixels=settings.max_image_pixels,
            answers=settings.cvat_answers,
            observe=observe,
        )
        self._warming = Warming(settings, engine, admission, self.interactor)
        self.blueprint = make_blueprint(
            settings,
            interactor=self.interactor,
            proposing=Proposing(
                further,
                admission,
                answer_log,
                self.interactor.open,
                source=settings.cvat_name,
                max_pixels=settings.max_image_pixels,
            ),
            warming=self._warming,
            webhooks=Webhooks(settings, queue, self._warming.prepare),
        )

    def hide_secret(self, path: str, *, is_route: bool) -> str:  # noqa: ARG002  no address has one
        """The address as it is: CVAT's hold no secret."""
        return path

    def status(self) -> Sequence[StatusRow]:
        """Who may call, who has called, and what is collected."""
        settings = self._settings
        networks = ", ".join(map(str, settings.cvat_peers))
        password = "" if settings.cvat_password is None else ", with a password"
        return [
            StatusRow("Function", (f"{FUNCTION}, an interactor",)),
            StatusRow("May call", (networks + password,)),
            self._callers(),
            self._collecting(),
            *self._waiting(),
        ]

    def close(self) -> None:
        """Stop encoding in the background, and deliver no more events."""
        self._warming.close()
        self._queue.close()

    def _callers(self) -> StatusRow:
        callers = self.interactor.callers()
        if not callers:
            return StatusRow("Has called", ("no click has come yet",))
        return StatusRow("Has called", tuple(callers), is_good=True)

    def _collecting(self) -> StatusRow:
        settings = self._settings
        if settings.cvat_token is None:
            words = "off: set DYNAMITE_CVAT_URL and DYNAMITE_CVAT_TOKEN to learn from accepted jobs"
            return StatusRow("Collecting", (words,))
        what = {"completed": "state completed", "acceptance": "stage acceptance"}
        words = f"jobs in {what[settings.cvat_accepted]} at {show(settings.cvat_url)}"
        return StatusRow("Collecting", (words,), is_good=True)

    def _waiting(self) -> list[StatusRow]:
        lines = []
        if on_disk := self._queue.on_disk:
            lines.append(f"{on_disk} webhooks on disk, for the queue server")
        count, reason = self._queue.ask(lambda r: last_waiting(r, self._settings.cvat_name))
        if count:
            lines.append(f"{count} jobs for CVAT; the last: {reason}")
        return [StatusRow("Waiting", tuple(lines), is_bad=True)] if lines else []
