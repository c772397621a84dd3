"""Which user of this machine opened a connection."""

import os
import socket
import sys
from pathlib import Path

Address = tuple[str, int]

TABLE = Path("/proc/net/tcp")
"""On Linux it has a line for each end of each IPv4 connection. Other systems have no such file."""

_LOCAL, _REMOTE, _UID, _INODE = 1, 2, 7, 9  # columns
_END_CHARACTERS = 13  # of an IPv4 address and port; an IPv6 address that maps the IPv4 address ends with it
_NO_SOCKET = "0"  # the inode of an end that its process has closed; its line may name root instead of the user


def is_own(client: Address, server: Address, table: Path = TABLE) -> bool:
    """Return whether our own user opened the connection; True if the system does not show that.

    client, server: the addresses of its two ends.
    """
    text = _read(table)
    return text is None or uid_of_peer(client, server, text) == os.geteuid()


def is_others(client: Address, server: Address, table: Path = TABLE) -> bool:
    """Return whether another user opened the connection; False if the system does not show that, as for a container."""
    return uid_of_peer(client, server, _read(table) or "") not in {None, os.geteuid()}


def _read(table: Path) -> str | None:
    """Return the kernel's tables of IPv4 and IPv6 connections; a socket of either can reach an IPv4 address."""
    tables = [file for file in (table, table.with_name("tcp6")) if file.exists()]
    return "".join(file.read_text() for file in tables) if tables else None


def uid_of_peer(client: Address, server: Address, table: str) -> int | None:
    """Return the user that opened the connection; None if the table has no open socket of it at the client."""
    ends = [_as_in_table(client), _as_in_table(server)]
    for line in table.splitlines():
        columns = line.split()
        addresses = [end[-_END_CHARACTERS:] for end in columns[_LOCAL : _REMOTE + 1]]
        if addresses == ends and columns[_INODE] != _NO_SOCKET:
            return int(columns[_UID])
    return None


def _as_in_table(address: Address) -> str:
    host, port = address
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)  # the kernel prints an address as one number
    return f"{number:08X}:{port:04X}"
