"""The backend as a class of ``label-studio-ml``'s shape, for those who run its servers.

The protocol is served directly by ``backend.web.app``, because no release of that package can be
installed from PyPI beside Flask 3. Who has it installed anyway gets a subclass of its base class::

    from backend.label_studio.ml_class import DynaMITEModel

Settings are those of the environment (``dynamite settings``); the queue must be running.
"""

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from backend.label_studio import predict as answers
from backend.settings import load
from backend.web.services import Services, open_services

if TYPE_CHECKING:

    class Base:
        """What both lines of ``LabelStudioMLBase`` have in common."""

        label_config: str | None

else:
    try:
        from label_studio_ml.model import LabelStudioMLBase as Base
    except ImportError:

        class Base:
            """Stands in for ``LabelStudioMLBase`` where that is not installed."""

            def __init__(self, project_id=None, label_config=None, **_):
                self.project_id = project_id
                self.label_config = label_config


@cache
def services() -> Services:
    """The model and all around it, opened once however many objects are made."""
    return open_services(load())


class DynaMITEModel(Base):
    """Answers clicks with the masks of all objects; hands annotation events to the queue."""

    def predict(
        self,
        tasks: list[dict[str, Any]],
        context: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[answers.Item]:
        """One answer per task; with a ``context`` the masks after a click."""
        body = {
            "tasks": tasks,
            "project": str(kwargs.get("project") or getattr(self, "project_id", None) or "0"),
            "label_config": kwargs.get("label_config") or self.label_config,
            "params": {"context": context},
        }
        return answers.predict(body, services())

    def fit(self, *args: Any, event: Any = None, data: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Hand an event to the queue.

        Called ``fit(event, data, **kwargs)`` by the 2.x line and
        ``fit(tasks, workdir, event=…, data=…)`` by 1.0.9.
        """
        if event is None and args:
            event, data = (*args, None)[:2]
        body = {**data, "action": event} if isinstance(data, dict) else {"action": event}
        received = datetime.now(UTC).isoformat()
        event = {"body": body, "verified": True, "received_at": received}
        services().queue.put(event | {"source": services().label_studio_name})
        return {
            "enqueued": str(event),
            **{name: kwargs[name] for name in ("job_id",) if name in kwargs},
        }
