"""An HTTP connection to an address chosen beforehand, whatever its host name says by then."""

import contextlib
import http.client
import socket
import ssl

from backend.fetch.deadline import Deadline
from backend.fetch.url import PORTS, Url


class PinnedConnection(http.client.HTTPConnection):
    """Speaks to ``address``; the Host header and the TLS certificate are those of the URL's host.

    Proxies of the environment are not used: through one, the address checked would not be the one
    connected to.
    """

    def __init__(
        self, url: Url, address: str, deadline: Deadline, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(url.host, url.port)
        self.default_port = PORTS[url.scheme]
        self.is_cut = False
        self._url = url
        self._address = address
        self._deadline = deadline
        self._tls = tls
        self._line: socket.socket | None = None

    def connect(self) -> None:
        """Connect within the deadline, with a TLS handshake for https."""
        timeout = self._deadline.left()
        self._use(socket.create_connection((self._address, self.port), timeout))
        if self._tls is not None:
            tls = self._tls.wrap_socket(
                self.sock, server_hostname=self._url.host, do_handshake_on_connect=False
            )
            self._use(tls)
            tls.do_handshake()

    def cut(self) -> None:
        """End all reading and writing, from any thread."""
        self.is_cut = True
        if self._line is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown, which takes the TLS state from under the reading thread.
                socket.socket.shutdown(self._line, socket.SHUT_RDWR)

    def _use(self, line: socket.socket) -> None:
        self.sock = self._line = line
        if self.is_cut:  # a moment ago, when there was no socket to shut down yet
            raise self._deadline.error()
