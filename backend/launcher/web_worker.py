"""gunicorn's worker with threads, made patient: it opens the port late, and waits for nobody."""

import gc
import logging
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gunicorn.errors import AppImportError  # type: ignore[import-untyped]
from gunicorn.sock import TCP6Socket, TCPSocket  # type: ignore[import-untyped]
from gunicorn.workers.gthread import (  # type: ignore[import-untyped]
    TConn,
    ThreadWorker,
)

from backend.launcher.client_socket import BODY_SECONDS, HEAD_SECONDS, ClientSocket, who_gives_way
from dynamite.errors import DynamiteError
from dynamite.lifeline import die_with_parent

FREE_CONNECTIONS = 8
"""Connections that always stay free for new clients: if fewer are, the slowest gives way."""

COMPLAINT_SECONDS = 60.0
"""Time between two lines of the log about clients that gave way."""

CLOSE_SECONDS = 1.5
"""How long a stopping process may write what waits; the launcher kills it soon after."""


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """A worker that opens the port when it can answer, and that slow clients cannot stop.

    gunicorn's master would open the port first, and clients would wait for a backend that cannot
    answer yet; Label Studio gives up on /health after one second. gunicorn has one pool of threads
    for working and for waiting; here every connection has a thread, so that a slow client holds up
    only itself. How many requests may work on the model is limited elsewhere.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clients: list[ClientSocket] = []
        self._complained = -COMPLAINT_SECONDS

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Return a pool with a thread for every connection; they start when they are needed."""
        return ThreadPoolExecutor(self.worker_connections, "request")

    def load_wsgi(self) -> None:
        """Load the application, then listen.

        Loaded objects stay, so freeze them: a garbage collection over all 400,000 would stop every
        thread for 220 ms.
        """
        die_with_parent(self.ppid)
        try:
            super().load_wsgi()
            gc.collect()
            gc.freeze()
            settings = self.app.settings
            family = TCP6Socket if ":" in settings.host else TCPSocket
            self.sockets = [family((settings.host, settings.port), self.cfg, self.log)]
        except (DynamiteError, OSError) as error:
            raise AppImportError(f"Error: {error}") from error

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or pause to accept connections; when stopping, close the port.

        gunicorn would keep it open until the last request is answered: whoever connects meanwhile
        waits, and is hung up on in the end. Who is refused at once can go elsewhere.
        """
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                while self.accept(listener):
                    pass  # those who have connected already are answered
                listener.close()

    def accept(self, listener: socket.socket) -> bool:
        """Whether a connection could be accepted. If few places are left, the slowest gives way."""
        try:
            accepted, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        self.nr_conns += 1
        self.clients = [client for client in self.clients if client.fileno() >= 0]
        if len(self.clients) >= self.worker_connections - FREE_CONNECTIONS:
            slowest = who_gives_way(self.clients)
            if slowest is not None:
                self._drop(slowest)
        client = ClientSocket(accepted, address[0])
        self.clients.append(client)
        connection = TConn(self.cfg, client, address, listener.getsockname())
        connection.data_ready = True  # do not wait for the first byte in a way of its own
        self.enqueue_req(connection)
        return True

    def _drop(self, slowest: ClientSocket) -> None:
        now = time.monotonic()
        if now >= self._complained + COMPLAINT_SECONDS:
            self._complained = now
            words = "%d clients are connected: %s, which has most, loses its slowest connections"
            self.log.warning(words, len(self.clients), slowest.peer)
        slowest.drop()

    def handle(self, conn: TConn) -> object:
        """Handle a request in the time that the client has for sending it.

        Closing waits for the client too, for two seconds: here, not in the only thread that accepts
        connections.
        """
        conn.sock.expect(HEAD_SECONDS)
        keep = super().handle(conn)
        if keep:
            conn.sock.rest()
        else:
            conn.close(graceful=True)
        return keep

    def handle_request(self, req: object, conn: TConn) -> object:
        """Answer a request whose headers are there."""
        conn.sock.expect(BODY_SECONDS)
        keep = super().handle_request(req, conn)
        conn.sock.flush()
        return keep

    def run(self) -> None:
        """Answer requests until stopped, then end the process."""
        super().run()
        closing = threading.Thread(target=self.app.close, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
        self.end()

    def handle_exit(self, sig: int, frame: object) -> None:
        """Stop: at once, or after the time in which a load balancer sends new clicks elsewhere."""
        seconds = self.app.drain()
        if not seconds:
            super().handle_exit(sig, frame)
            return
        stopping = threading.Timer(seconds, super().handle_exit, (sig, frame))
        stopping.daemon = True
        stopping.start()

    def handle_quit(self, sig: int, frame: object) -> None:  # noqa: ARG002
        """End the process now."""
        self.end()

    def end(self) -> None:
        """End the process without Python's own end, which stops threads amid the model's C++.

        That aborts the process with "FATAL: exception not rethrown".
        """
        logging.shutdown()
        os._exit(0)
