"""moto's HTTP servers: on 127.0.0.1, behind the gate."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from local.credentials import Credentials
from local.errors import ServerError
from local.gate import Gate, Wsgi
from local.loose_types import Json
from local.peers import Address, is_others

HOST = "127.0.0.1"
_BACKLOG = 128


def bind(port: int) -> socket.socket:
    """Return a listening socket; port 0 selects a free port. Raises ServerError if the port is in use."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        raise ServerError(f"port {port} is in use: choose another with --port, or omit it to get a free one") from error
    listener.listen(_BACKLOG)
    return listener


def moto_server(listener: socket.socket, access_key_id: str, around: Callable[[Wsgi], Wsgi] | None = None) -> Json:
    """Return a server of all AWS APIs for one access key, not serving yet; `around` wraps moto behind the gate."""
    MotoRequestHandler.disable_nagle_algorithm = True
    port = listener.getsockname()[1]
    moto: Wsgi = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        HOST,
        port,
        Gate(around(moto) if around else moto, port, access_key_id),
        threaded=True,
        request_handler=MotoRequestHandler,
        fd=listener.fileno(),
    )
    own = HOST, port

    def is_accepted(_request: object, client: Address) -> bool:
        """Check before a thread is created: others could occupy thousands with idle connections."""
        return not is_others(client, own)

    server.verify_request = is_accepted  # type: ignore[assignment,method-assign]  # werkzeug creates the class
    return server


@contextlib.contextmanager
def plain_moto() -> Iterator[tuple[str, Credentials]]:
    """Serve only moto, from this process; yield the endpoint and the credentials that it accepts."""
    credentials = Credentials.random()
    with bind(0) as listener:
        server = moto_server(listener, credentials.access_key_id)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}", credentials
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
