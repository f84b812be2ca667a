"""The adapter of Label Studio: its parts put together, as the web application mounts them."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from backend.images.pixel_budget import PixelBudget
from backend.jobs.job_queue import JobQueue
from backend.label_studio import known_projects
from backend.label_studio.access import unused_token
from backend.label_studio.checked_configs import Checked, CheckedConfigs
from backend.label_studio.connection import Connection
from backend.label_studio.next.editor import NextEditor
from backend.label_studio.predict import Predict
from backend.label_studio.prelabel import Prelabel
from backend.label_studio.project_titles import ProjectTitles
from backend.label_studio.routes import OPEN, hide_secret, make_blueprint
from backend.label_studio.setup import Setup
from backend.proposals.further import Further
from backend.proposals.report import PrelabelRow
from backend.serving.admission import Admission
from backend.serving.answer_log import AnswerLog
from backend.serving.answering import Answering
from backend.serving.device_thread import Urgency
from backend.serving.engine import Engine
from backend.serving.prewarm import Prewarmer
from backend.serving.segmenting import Report
from backend.serving.stages import Observe
from backend.settings import Settings
from backend.settings.lines import Project
from backend.web.adapter import StatusRow
from backend.web.health import Health

NEXT_STEPS = (
    "none has connected yet; in Label Studio:",
    "Project → Settings → Labeling Interface → Code: paste what `dynamite label-config LABEL LABEL "
    "…` writes",
    "Project → Settings → Model → Connect Model: the address of this page, with “Interactive "
    "preannotations” on",
    "open a task, switch Auto-Annotation on, choose the magic point (the last icon), a label, and "
    "click",
)


class LabelStudio:
    """Label Studio as the web application sees it (``backend.web.adapter.Adapter``)."""

    title = "Label Studio"
    open_endpoints = OPEN

    def __init__(
        self,
        settings: Settings,
        *,
        engine: Engine,
        answering: Answering,
        further: Further,
        prelabelled: Callable[[Iterable[Project]], Iterable[PrelabelRow]],
        admission: Admission,
        answer_log: AnswerLog,
        queue: JobQueue,
        report: Report,
        observe: Observe,
        health: Health,
        budget: PixelBudget,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._prelabelled = prelabelled
        self._admission = admission
        self._answer_log = answer_log
        self._checked_configs = CheckedConfigs()
        self._titles = ProjectTitles()
        self.connection = Connection(settings, budget, admission.outside, observe)
        self._prewarmer = Prewarmer(self._encode)
        next_editor = NextEditor(
            answering,
            self.connection,
            source=settings.label_studio_name,
            version=lambda: engine.model.version,
            background_labels=settings.background_labels,
            max_pixels=settings.max_image_pixels,
            prewarm=self._prewarmer.ask,
            observe=observe,
        )
        self.predict = Predict(
            answering,
            self.connection,
            next_editor=next_editor,
            source=settings.label_studio_name,
            background_labels=settings.background_labels,
            like_labels=settings.like_labels,
            image_timeout=settings.image_timeout,
            max_pixels=settings.max_image_pixels,
            tolerance=settings.polygon_tolerance,
            prelabel=Prelabel(
                further, admission, settings.label_studio_name, settings.is_prelabelled
            ),
            prewarm=self._prewarmer.ask,
            warm=self.warm,
            report=report,
            observe=observe,
        )
        self.setup = Setup(
            self.connection,
            self._checked_configs,
            settings.background_labels,
            settings.like_labels,
            self._note_project,
        )
        self.blueprint = make_blueprint(
            settings,
            engine=engine,
            connection=self.connection,
            predict=self.predict,
            setup=self.setup,
            queue=queue,
            health=health,
        )

    def hide_secret(self, path: str, *, is_route: bool) -> str:
        """An address without the webhook secret."""
        secret = self._settings.webhook_secret
        if secret is not None:
            path = path.replace(secret.get_secret_value(), "…")
        return hide_secret(path, is_route=is_route)

    def status(self) -> Sequence[StatusRow]:
        """Where Label Studio is, and whether the configs of its projects fit."""
        rows = [StatusRow("Address", (self.connection.address or "not known yet",))]
        rows += self._token_rows()
        projects = self._checked_configs.by_project.items()
        for project, checked in sorted(projects, key=lambda one: self._name(one[0])):
            rows.append(self._project_row(project, checked))
            if checked.served:
                rows.append(StatusRow("Pages", checked.served))
        rows += self._prelabel_rows()
        if not projects:
            rows.append(StatusRow("Projects", NEXT_STEPS))
        return rows

    def _project_row(self, project: str, checked: Checked) -> StatusRow:
        if checked.problems:
            return StatusRow(self._name(project), checked.problems, is_bad=True)
        return StatusRow(self._name(project), ("the labelling config fits",), is_good=True)

    def _prelabel_rows(self) -> Iterator[StatusRow]:
        own = self._settings.label_studio_name
        connected = [(own, int(one)) for one in self._checked_configs.by_project if one.isdecimal()]
        for row in self._prelabelled(connected):
            source, number = row.project
            if source == own:
                name = f"Pre-labelling, {self._name(str(number))}"
                yield StatusRow(name, row.lines, is_good=not row.is_off)

    def _name(self, project: str) -> str:
        """Return the title of a project, which has no number if it is "?"."""
        title = self._titles.title(int(project)) if project.isdecimal() else None
        return f"{title} (project {project})" if title else f"Project {project}"

    def _token_rows(self) -> Iterator[StatusRow]:
        if words := unused_token(self._settings):
            yield StatusRow("Token", (words,), is_bad=True)
        elif verdict := self.connection.verdict:
            good = verdict.is_good
            yield StatusRow("Token", (str(verdict),), is_bad=not good, is_good=good)

    def warm(self, address: str, task: str) -> None:
        """Encode an image now, behind all clicks, in a place of its own."""
        with self._admission.place():
            self._encode(address, task)

    def close(self) -> None:
        """Stop encoding in the background."""
        self._prewarmer.close()

    def _encode(self, address: str, task: str) -> None:
        image = self.connection.open_image(address, task)
        self._engine.features(
            image.digest,
            image.pixels,
            urgency=Urgency.PREWARM,
            waiting=self._admission.encoding,
        )

    def _note_project(self, number: int) -> None:
        """Remember a connected project, without waiting for the queue server or Label Studio."""
        self._titles.look_up(self.connection.access, number)
        name = self._settings.label_studio_name
        self._answer_log.write(lambda redis: known_projects.note(redis, name, number))
