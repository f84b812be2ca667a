"""A small CVAT: the routes of its API that the backend asks, over HTTP, as 2.39.0 answers them."""

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.backend.cvat.cvat_page import a_frame

TOKEN = "0123456789abcdef0123456789abcdef01234567"
ABOUT = {
    "name": "Computer Vision Annotation Tool",
    "description": "",
    "version": "2.39.0",
    "logo_url": "/logo.svg",
    "subtitle": "",
}
PERSONAL = "cvat.pat.of.an.agent"
START = datetime(2026, 11, 1, tzinfo=UTC)


class AgentQueue:
    """The queue of function 5, which Enterprise and Online have; ``ended`` are its requests."""

    def __init__(self):
        self.created, self.waiting, self.ended = [], [], {}
        self.acquired = threading.Event()

    def ask(self, name, task, frame, pos=(), neg=(), box=(), **more):
        params = {"type": "interact", "task": task, "frame": frame, "obj_bbox": list(box)}
        params |= {"pos_points": list(pos), "neg_points": list(neg)} | more
        self.waiting.append({"ar_id": name, "ar_params": params})

    def found(self, method, path, body):
        if path == "/api/functions":
            self.created.append(body)
            return body | {"id": 5}
        if path == "/api/functions/5":
            return {"id": 5} | self.created[-1]
        queue, _, action = path.removeprefix("/api/functions/queues/").partition("/")
        assert queue == "function:5"
        if action == "requests/acquire":
            self.acquired.set()
            mine = self.waiting if body["request_category"] == "interactive" else []
            return {"ar_assignment": mine.pop(0) if mine else None}
        if action == "watch":
            return None
        _, name, end = action.split("/")
        self.ended[name] = (end, body.get("shapes", body.get("exc_info")))
        return {}


class FakeCvat:
    """Holds tasks, jobs and what was drawn in them; every change gets a later time."""

    def __init__(self, size=(40, 60)):
        self.size = size
        self.labels = {1: "Cat", 2: "Dog"}
        self.label_types, self.tracks = {}, {}
        self.projects, self.tasks, self.jobs = {}, {}, {}
        self.shapes, self.frames, self.deleted = {}, {}, {}
        self.asked, self.is_away, self.broken_frames = [], False, set()
        self._ticks, self._ids = 0, 100
        self.functions, self.hooks = [], []
        self.agents = AgentQueue()
        self.lacks = None
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                """Say nothing."""

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or "null")
                status, kind, content = fake.answer(self.command, self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = answer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def now(self):
        self._ticks += 1
        return (START + timedelta(seconds=self._ticks)).isoformat().replace("+00:00", "Z")

    def add_task(self, number, frames=2, project=None, job=None):
        """A task of one job, which has the same number unless told otherwise."""
        if project is not None:
            self.projects.setdefault(project, {"id": project, "created_date": self.now()})
        self.tasks[number] = {
            "id": number,
            "project_id": project,
            "created_date": self.now(),
            "size": frames,
            "name": f"task {number}",
            "updated_date": self.now(),
            "organization": None,
            "data_chunk_size": 100,
            "data_original_chunk_type": "imageset",
            "jobs": {
                "url": f"/api/jobs?task_id={number}",
                "count": 1,
                "completed": 0,
                "validation": 0,
            },
            "labels": {"url": f"/api/labels?task_id={number}"},
        }
        for frame in range(frames):
            self.frames[number, frame] = a_frame(*self.size, mode="L", shade=40 * number + frame)
        self.add_job(number if job is None else job, number, 0, frames - 1)

    def add_job(self, number, task, first, last):
        self.jobs[number] = {
            "id": number,
            "task_id": task,
            "project_id": self.tasks[task]["project_id"],
            "stage": "annotation",
            "state": "in progress",
            "type": "annotation",
            "organization": None,
            "start_frame": first,
            "stop_frame": last,
            "updated_date": self.now(),
            "assignee": {"id": 7, "username": "ann"},
            "issues": {"url": f"/api/issues?job_id={number}", "count": 0},
            "labels": {"url": f"/api/labels?job_id={number}"},
        }
        self.shapes[number] = []

    def draw(self, job, frame, points, kind="mask", label=1, source="manual", **more):
        self._ids += 1
        shape = {
            "id": self._ids,
            "type": kind,
            "frame": frame,
            "label_id": label,
            "points": points,
            "source": source,
            "attributes": [],
            "occluded": False,
        }
        self.shapes[job].append(shape | more)
        self.touch(job)
        return self._ids

    def touch(self, job, **change):
        self.jobs[job] |= change | {"updated_date": self.now()}

    def complete(self, job):
        self.touch(job, state="completed")

    def event(self, job, name="update:job", **before):
        return {
            "event": name,
            "job": self.jobs.get(job, {"id": job}),
            "webhook_id": 1,
            "before_update": before,
            "sender": {"id": 7},
        }

    def answer(self, method, path, headers, body):
        url = urlsplit(unquote(path))
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self.asked.append((method, url.path, query))
        if self.is_away:
            return 502, "text/html", b"<html>away</html>"
        if url.path == "/api/server/about":
            return _json(200, ABOUT)
        if headers.get("Authorization") not in (f"Token {TOKEN}", f"Bearer {PERSONAL}"):
            return _json(401, {"detail": "Invalid token."})
        found = self.found(method, url.path, query, body)
        if isinstance(found, bytes):
            return 200, "image/png", found
        if found is None:
            return _json(404, {"detail": "Not found."})
        return _json(200, found)

    def found(self, method, path, query, body):
        if path.startswith("/api/functions"):
            return self.agents.found(method, path, body)
        kind, number, rest = re.fullmatch(r"/api/([\w/]+?)(?:/(\d+))?(/.*)?", path).groups()
        number = int(number) if number else None
        if path == "/api/users/self":
            return {"id": 7, "username": "ann"}
        if path == "/api/lambda/functions":
            return self.functions
        if path == "/api/webhooks":
            return _page(self.hooks, query)
        if path == "/api/labels":
            return _page(
                [
                    {
                        "id": i,
                        "name": name,
                        "type": self.label_types.get(i, "any"),
                        "attributes": [],
                        "color": "#fff",
                        "has_parent": False,
                    }
                    for i, name in self.labels.items()
                ],
                query,
            )
        if path == "/api/jobs":
            key = "task_id" if "task_id" in query else "project_id"
            wanted = int(query[key])
            return _page([one for one in self.jobs.values() if one[key] == wanted], query)
        things = {"projects": self.projects, "tasks": self.tasks, "jobs": self.jobs}[kind]
        if number not in things:
            return None
        if rest is None:
            return things[number]
        if self.lacks and rest.endswith(self.lacks):
            return None
        jobs = [number] if kind == "jobs" else self.jobs_of(number)
        task = self.jobs[number]["task_id"] if kind == "jobs" else number
        if rest == "/annotations/" and method == "PATCH":
            assert query["action"] == "create"
            for shape in body["shapes"]:
                self.draw(
                    self.job_at(task, shape["frame"]),
                    shape["frame"],
                    shape["points"],
                    shape["type"],
                    shape["label_id"],
                    shape["source"],
                )
            return body
        if rest == "/annotations/":
            return {
                "version": 1,
                "tags": [],
                "tracks": [track for job in jobs for track in self.tracks.get(job, [])],
                "shapes": [shape for job in jobs for shape in self.shapes[job]],
            }
        if rest == "/data/meta":
            first, last = self.span(kind, number)
            frames = [
                {
                    "name": f"{i}.png",
                    "width": self.size[1],
                    "height": self.size[0],
                    "related_files": 0,
                }
                for i in range(first, last + 1)
            ]
            return {
                "chunks_updated_date": "2026-11-01T00:00:00Z",
                "chunk_size": 100,
                "image_quality": 70,
                "frame_filter": "",
                "frames": frames,
                "start_frame": first,
                "stop_frame": last,
                "size": len(frames),
                "deleted_frames": self.deleted.get(task, []),
            }
        assert (
            rest in ("/data", "/data/")
            and query["quality"] == "original"
            and query["type"] == "frame"
        )
        if (task, int(query["number"])) in self.broken_frames:
            return None
        return self.frames.get((task, int(query["number"])))

    def span(self, kind, number):
        if kind == "jobs":
            return self.jobs[number]["start_frame"], self.jobs[number]["stop_frame"]
        return 0, self.tasks[number]["size"] - 1

    def jobs_of(self, task):
        return [number for number, job in self.jobs.items() if job["task_id"] == task]

    def job_at(self, task, frame):
        for number in self.jobs_of(task):
            if self.jobs[number]["start_frame"] <= frame <= self.jobs[number]["stop_frame"]:
                return number
        raise AssertionError(f"no job of task {task} has frame {frame}")


def _page(entries, query):
    page, size = int(query.get("page", 1)), int(query.get("page_size", 10))
    rest = entries[page * size :]
    return {
        "count": len(entries),
        "results": entries[(page - 1) * size : page * size],
        "next": "http://elsewhere/?page=2" if rest else None,
    }


def _json(status, value):
    return status, "application/vnd.cvat+json", json.dumps(value).encode()
