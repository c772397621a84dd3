"""Forwards requests of containers to this machine's loopback interface."""

import asyncio
import re
import threading

_HOST = re.compile(rb"(?im)^host:[^\r]*")


class Forwarder(threading.Thread):
    """Forwards requests to an address to a port of 127.0.0.1 until the process ends.

    The cloud there refuses requests for another host and closes the connection after each request.
    """

    def __init__(self, address: str, port: int) -> None:
        super().__init__(daemon=True)
        self._address = address
        self._port = port
        self._listens = threading.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    def wait(self) -> None:
        assert self._listens.wait(10), f"could not listen on {self._address}:{self._port}"

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connect, self._address, self._port)
        self._listens.set()
        await server.serve_forever()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # the other side closed the connection
            writer.close()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        there_writer.write(_HOST.sub(b"Host: 127.0.0.1:%d" % self._port, head, count=1))
        await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass  # the other side closed the connection
    finally:
        writer.close()
