"""The backend as a model class for the servers of the ``label-studio-ml`` package.

The protocol is served directly by ``backend.label_studio.routes``, because no release of that
package can be installed from PyPI beside Flask 3. Where it is installed anyway, the class here is a
subclass of its base class::

    from backend.launcher.label_studio_ml import DynaMITEModel

Settings are those of the environment (``dynamite settings``); the queue must be running.
"""

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from backend.composition import Backend, open_backend
from backend.label_studio.predict import Item
from backend.settings import load

if TYPE_CHECKING:

    class Base:
        """What both lines of ``LabelStudioMLBase`` share."""

        label_config: str | None

else:
    try:
        from label_studio_ml.model import LabelStudioMLBase as Base
    except ImportError:

        class Base:
            """Stands in for ``LabelStudioMLBase`` where it is not installed."""

            def __init__(self, project_id=None, label_config=None, **_):
                self.project_id = project_id
                self.label_config = label_config


@cache
def backend() -> Backend:
    """The parts of the backend, opened once for all instances."""
    return open_backend(load())


class DynaMITEModel(Base):
    """Answers clicks with the masks of all objects; queues annotation events."""

    def predict(
        self,
        tasks: list[dict[str, Any]],
        context: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Item]:
        """One answer per task; with a ``context`` the masks after a click."""
        body = {
            "tasks": tasks,
            "project": str(kwargs.get("project") or getattr(self, "project_id", None) or "0"),
            "label_config": kwargs.get("label_config") or self.label_config,
            "params": {"context": context},
        }
        return backend().label_studio.predict.predict(body)

    def fit(self, *args: Any, event: Any = None, data: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Queue an event.

        Called ``fit(event, data, **kwargs)`` by the 2.x line and
        ``fit(tasks, workdir, event=…, data=…)`` by 1.0.9.
        """
        if event is None and args:
            event, data = (*args, None)[:2]
        body = {**data, "action": event} if isinstance(data, dict) else {"action": event}
        received = datetime.now(UTC).isoformat()
        parts = backend()
        event = {"body": body, "verified": True, "received_at": received}
        parts.queue.put(event | {"source": parts.settings.label_studio_name})
        return {
            "enqueued": str(event),
            **{name: kwargs[name] for name in ("job_id",) if name in kwargs},
        }
