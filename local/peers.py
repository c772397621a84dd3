"""Which user of this machine opened a connection."""

import os
import socket
import struct
from functools import cache

Address = tuple[str, int]

# The kernel's query for one connection: struct inet_diag_req_v2 and struct inet_diag_msg of linux/inet_diag.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST = 20, 1
_ANY_STATE, _NO_COOKIE = 0xFFFFFFFF, b"\xff" * 8
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_SOCKET = struct.Struct("!HH16s16sI8s")  # ports and addresses of its own end and of the other, interface, cookie
_QUERY = struct.Struct("=BBBxI")  # family, protocol, extensions, states; then the socket
_ANSWER = struct.Struct(f"=BBxx{_SOCKET.size}s12xII")  # family, state, the socket, its user, its inode
_LISTENS = 10


def is_own(client: Address, server: Address) -> bool:
    """Return whether our own user opened the connection; True if the kernel shows no users at all.

    False if the kernel does not find the client's socket, as for a client in a container.

    client, server: the IPv4 addresses of its two ends.
    """
    return not shows_users() or uid_of_peer(client, server) == os.geteuid()


def is_others(client: Address, server: Address) -> bool:
    """Return whether another user opened the connection; False if the kernel does not show which user did."""
    return shows_users() and uid_of_peer(client, server) not in {None, os.geteuid()}


@cache
def shows_users() -> bool:
    """Return whether the kernel shows which user opened a connection: Linux does, with its module tcp_diag."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client:
            try:
                return uid_of_peer(client.getsockname(), address) is not None
            except (OSError, AttributeError):  # of another kernel, or of a Python without netlink sockets
                return False


def uid_of_peer(client: Address, server: Address) -> int | None:
    """Return the user that opened the connection; None if the client has no open socket of it.

    The query costs the same however many connections the machine has; the table /proc/net/tcp takes milliseconds.
    """
    ends = client[1], server[1], socket.inet_aton(client[0]), socket.inet_aton(server[0])
    query = _QUERY.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY_STATE) + _SOCKET.pack(*ends, 0, _NO_COOKIE)
    header = _HEADER.pack(_HEADER.size + len(query), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.send(header + query)
        answer = kernel.recv(8192)
    if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:  # an error: no such socket
        return None
    _, state, _, uid, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    # A closed socket has inode 0 and may have user 0 (root). A socket that listens on the client's port is another one.
    is_open = inode != 0 and state != _LISTENS
    return int(uid) if is_open else None
