"""What a local server answers to a request that is sent exactly as a test writes it."""

import http.client
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def is_refused(self) -> bool:
        """Whether it is a refusal that no page of another website can read."""
        return self.status == 403 and not any(name.startswith("access-control-") for name in self.headers)


def ask(port: int, method: str, path: str, headers: dict[str, str], body: str | bytes = b"") -> Answer:
    """Send exactly these headers to a port of this machine, with a Host where they have none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, told, answer.read().decode())
    finally:
        connection.close()
