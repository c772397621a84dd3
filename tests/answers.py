"""Raw HTTP requests to a local server, sent exactly as a test writes them."""

import http.client
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """A response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def is_refused(self) -> bool:
        """Whether it is a 403 response that a page of another website cannot read."""
        return self.status == 403 and not any(name.startswith("access-control-") for name in self.headers)


def ask(port: int, method: str, path: str, headers: dict[str, str], body: str | bytes = b"") -> Answer:
    """Send exactly these headers to a port of this machine, and a Host header if they have none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        lower_case_headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, lower_case_headers, response.read().decode())
    finally:
        connection.close()
