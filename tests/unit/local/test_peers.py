"""The user that opened a connection is read from the kernel's table."""

import os
import sys

import pytest

from local.peers import is_others, is_own, uid_of_peer

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the sample is of a machine with the low byte first")

SERVER, CLIENT = ("127.0.0.1", 0x936F), ("127.0.0.1", 0xD431)
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:936F 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 101 1 0 100 0 0 10 0
   1: 0100007F:936F 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 102 1 0 20 4 30 10 -1
   2: 0100007F:D431 0100007F:936F 01 00000000:00000000 00:00000000 00000000 12345        0 103 1 0 20 4 30 10 -1
   5: 0100007F:D434 0100007F:1234 01 00000000:00000000 00:00000000 00000000     7        0 105 1 0 20 4 30 10 -1
   3: 0100007F:D432 0100007F:936F 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
   4: 0200007F:D433 0100007F:936F 01 00000000:00000000 00:00000000 00000000     7        0 104 1 0 20 4 30 10 -1
"""


def test_the_user_is_that_of_the_clients_socket():
    assert uid_of_peer(CLIENT, SERVER, TABLE) == 12345
    assert uid_of_peer(SERVER, CLIENT, TABLE) == 1000
    assert uid_of_peer(("127.0.0.2", 0xD433), SERVER, TABLE) == 7


@pytest.mark.parametrize("client", [("127.0.0.1", port) for port in (0xD433, 0xD43, 0xD432, 0xD434)])
def test_an_unknown_or_closed_connection_has_no_user(client):
    assert uid_of_peer(client, SERVER, TABLE) is None


@pytest.mark.parametrize(
    ("table", "own", "others"),
    [
        pytest.param(None, True, False, id="the system has no such file"),
        pytest.param(TABLE, False, True, id="another user"),
        pytest.param(TABLE.replace("12345", f"{os.geteuid():5}"), True, False, id="our own user"),
        pytest.param("", False, False, id="the connection is not there"),
    ],
)
def test_a_connection_is_own_or_of_others_only_if_the_table_says_so(tmp_path, table, own, others):
    if table is not None:
        (tmp_path / "tcp").write_text(table)
    assert (is_own(CLIENT, SERVER, tmp_path / "tcp"), is_others(CLIENT, SERVER, tmp_path / "tcp")) == (own, others)


def test_a_socket_of_ipv6_that_reaches_the_same_address_is_found(tmp_path):
    line = TABLE.splitlines()[3]
    mapped = line.replace("0100007F", "0000000000000000FFFF00000100007F")
    (tmp_path / "tcp").write_text(TABLE.replace(line, ""))
    (tmp_path / "tcp6").write_text(f"  sl  local_address rem_address\n{mapped}\n")
    assert is_others(CLIENT, SERVER, tmp_path / "tcp")
    assert not is_own(CLIENT, SERVER, tmp_path / "tcp")
