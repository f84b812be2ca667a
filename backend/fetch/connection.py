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
        self,
        url: Url,
        address: str,
        deadline: Deadline,
        tls: ssl.SSLContext | None,
        *,
        patience: float,
    ) -> None:
        """``patience``: the seconds after which an address that does not answer is given up."""
        super().__init__(url.host, url.port)
        self.default_port = PORTS[url.scheme]
        self.is_cut = False
        self._url = url
        self._address = address
        self._deadline = deadline
        self._tls = tls
        self._patience = patience
        self._line: socket.socket | None = None

    def connect(self) -> None:
        """Connect, with a TLS handshake for https, within the deadline.

        Raises:
            TimeoutError: nobody answered for as long as ``patience``; there is no ``sock`` then.
        """
        line = socket.create_connection((self._address, self.port), self._patience)
        self._use(line)
        line.settimeout(self._deadline.left())
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
