"""The user that opened a connection is asked from the kernel."""

import os
import socket
import sys

import pytest

from local import peers
from local.peers import is_others, is_own, shows_users, uid_of_peer

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows who opened a connection")


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@needs_linux
def test_an_open_connection_has_the_user_of_its_clients_socket(server):
    assert shows_users()
    with socket.create_connection(server.getsockname()) as client:
        ends = client.getsockname(), server.getsockname()
        assert uid_of_peer(*ends) == os.geteuid()
        assert (is_own(*ends), is_others(*ends)) == (True, False)


@needs_linux
def test_a_socket_of_ipv6_that_reaches_an_ipv4_address_is_found(server):
    with socket.socket(socket.AF_INET6) as client:
        client.connect(("::ffff:127.0.0.1", server.getsockname()[1]))
        assert uid_of_peer(("127.0.0.1", client.getsockname()[1]), server.getsockname()) == os.geteuid()


@needs_linux
def test_a_closed_connection_is_nobodys(server):
    with socket.create_connection(server.getsockname()) as client:
        ends = client.getsockname(), server.getsockname()
    assert uid_of_peer(*ends) is None
    assert (is_own(*ends), is_others(*ends)) == (False, False)


@needs_linux
def test_neither_a_server_nor_an_unknown_connection_is_a_client(server):
    with socket.create_server(("127.0.0.1", 0)) as another, socket.create_connection(server.getsockname()) as client:
        assert uid_of_peer(another.getsockname(), server.getsockname()) is None
        assert uid_of_peer(client.getsockname(), another.getsockname()) is None


@pytest.mark.parametrize(
    ("uid", "own", "others"),
    [(os.geteuid(), True, False), (os.geteuid() + 1, False, True), (None, False, False)],
    ids=["our own user", "another user", "no open socket"],
)
def test_a_connection_is_own_or_of_others_only_if_the_kernel_says_so(monkeypatch, uid, own, others):
    monkeypatch.setattr(peers, "shows_users", lambda: True)
    monkeypatch.setattr(peers, "uid_of_peer", lambda _client, _server: uid)
    assert (is_own(("127.0.0.1", 1), ("127.0.0.1", 2)), is_others(("127.0.0.1", 1), ("127.0.0.1", 2))) == (own, others)


def test_where_the_kernel_does_not_show_users_every_connection_may_be_own(monkeypatch, server):
    def fail(_client, _server):
        raise OSError("protocol not supported")

    monkeypatch.setattr(peers, "uid_of_peer", fail)
    monkeypatch.setattr(peers, "shows_users", peers.shows_users.__wrapped__)
    assert not peers.shows_users()
    assert is_own(("127.0.0.1", 1), server.getsockname())
    assert not is_others(("127.0.0.1", 1), server.getsockname())
