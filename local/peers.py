"""Which user of this machine a connection comes from."""

import os
import socket
import sys
from pathlib import Path

Address = tuple[str, int]

TABLE = Path("/proc/net/tcp")
"""Linux has a line in it for each end of each IPv4 connection. Other systems have no such file."""

_LOCAL, _REMOTE, _UID, _INODE = 1, 2, 7, 9  # columns
_END_CHARACTERS = 13  # of an IPv4 address and port, with which one of IPv6 that stands for it ends
_NO_SOCKET = "0"  # the inode of an end that its process has closed; its line may name root, whoever the user was


def is_own(client: Address, server: Address, table: Path = TABLE) -> bool:
    """Return whether our own user made the connection; True where the system does not tell.

    client, server: the addresses of its two ends.
    """
    text = _read(table)
    return text is None or uid_of_peer(client, server, text) == os.geteuid()


def is_others(client: Address, server: Address, table: Path = TABLE) -> bool:
    """Return whether another user made the connection; False where the system does not tell, as of a container's."""
    return uid_of_peer(client, server, _read(table) or "") not in {None, os.geteuid()}


def _read(table: Path) -> str | None:
    """Return the kernel's table and that of IPv6 beside it, where a socket may reach an IPv4 address too."""
    tables = [each for each in (table, table.with_name("tcp6")) if each.exists()]
    return "".join(each.read_text() for each in tables) if tables else None


def uid_of_peer(client: Address, server: Address, table: str) -> int | None:
    """Return the user that made the connection; None where the table has no open end of it at the client."""
    ends = [_as_in_table(client), _as_in_table(server)]
    for line in table.splitlines():
        columns = line.split()
        found = [end[-_END_CHARACTERS:] for end in columns[_LOCAL : _REMOTE + 1]]
        if found == ends and columns[_INODE] != _NO_SOCKET:
            return int(columns[_UID])
    return None


def _as_in_table(address: Address) -> str:
    host, port = address
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)  # the kernel prints an address as one number
    return f"{number:08X}:{port:04X}"
