"""Which user of this machine a connection comes from."""

import os
import socket
import sys
from pathlib import Path

Address = tuple[str, int]

TABLE = Path("/proc/net/tcp")
"""Linux has a line in it for each end of each IPv4 connection. Other systems have no such file."""

_LOCAL, _REMOTE, _UID, _INODE = 1, 2, 7, 9  # columns
_NO_SOCKET = "0"  # the inode of an end that its process has closed; its line may name root, whoever the user was


def is_own(client: Address, server: Address, table: Path = TABLE) -> bool:
    """Return whether our own user made the connection; True where the system does not tell.

    client, server: the addresses of its two ends.
    """
    try:
        text = table.read_text()
    except FileNotFoundError:
        return True
    return uid_of_peer(client, server, text) == os.geteuid()


def is_others(client: Address, server: Address, table: Path = TABLE) -> bool:
    """Return whether another user made the connection; False where the system does not tell, as of a container's."""
    try:
        text = table.read_text()
    except FileNotFoundError:
        return False
    return uid_of_peer(client, server, text) not in {None, os.geteuid()}


def uid_of_peer(client: Address, server: Address, table: str) -> int | None:
    """Return the user that made the connection; None where the table has no open end of it at the client."""
    ends = [_as_in_table(client), _as_in_table(server)]
    for line in table.splitlines()[1:]:
        columns = line.split()
        if columns[_LOCAL : _REMOTE + 1] == ends and columns[_INODE] != _NO_SOCKET:
            return int(columns[_UID])
    return None


def _as_in_table(address: Address) -> str:
    host, port = address
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)  # the kernel prints an address as one number
    return f"{number:08X}:{port:04X}"
