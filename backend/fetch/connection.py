"""An HTTP connection to an address that was resolved and checked beforehand."""

import contextlib
import http.client
import socket
import ssl

from backend.fetch.deadline import Deadline
from backend.fetch.network import Proxy
from backend.fetch.url import PORTS, Url


class PinnedConnection(http.client.HTTPConnection):
    """Connects to ``address``, with the Host header and TLS certificate of the URL's host.

    With a ``proxy``, ``address`` is the proxy's, which https passes through a tunnel.
    """

    def __init__(
        self,
        url: Url,
        address: str,
        deadline: Deadline,
        tls: ssl.SSLContext | None,
        *,
        connect_seconds: float,
        proxy: Proxy | None = None,
    ) -> None:
        """``connect_seconds``: how long to wait for the address to accept the connection."""
        super().__init__(url.host, url.port)
        self.default_port = PORTS[url.scheme]
        self.is_cut = False
        self._url = url
        self._deadline = deadline
        self._tls = tls
        self._connect_seconds = connect_seconds
        self._socket: socket.socket | None = None
        self._endpoint = address, proxy.port if proxy else url.port
        self._has_tunnel = proxy is not None and tls is not None
        if proxy is not None and tls is not None:
            self.set_tunnel(url.host, url.port, proxy.headers)

    def connect(self) -> None:
        """Connect within the deadline, with a TLS handshake for https.

        Raises:
            TimeoutError: No answer within ``connect_seconds``; ``sock`` is then None.
        """
        connected = socket.create_connection(self._endpoint, self._connect_seconds)
        self._use(connected)
        connected.settimeout(self._deadline.left())
        if self._has_tunnel:
            self._tunnel()  # type: ignore[attr-defined]  # as HTTPConnection.connect does
        if self._tls is not None:
            tls = self._tls.wrap_socket(
                self.sock, server_hostname=self._url.host, do_handshake_on_connect=False
            )
            self._use(tls)
            tls.do_handshake()

    def cut(self) -> None:
        """Abort all reading and writing. Any thread may call it."""
        self.is_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown, which removes the TLS state while another thread reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _use(self, connected: socket.socket) -> None:
        self.sock = self._socket = connected
        if self.is_cut:  # by another thread, before there was a socket to shut down
            raise self._deadline.error()
