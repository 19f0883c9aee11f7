"""Peers that misbehave: others are not hurt, memory stays bounded, nothing hangs for ever."""
import pathlib
import re
import socket
import time

import pytest

from server import DOMAIN, wait_until

GREETING = {"smtp": b"220", "imap": b"* OK", "pop3": b"+OK"}
DAEMON = {"smtp": "smtpd", "imap": "imapd", "pop3": "pop3d"}


def connect(server, port):
    peer = socket.create_connection(("localhost", server.ports[port]), timeout=30)
    stream = peer.makefile("rb")
    assert stream.readline().startswith(GREETING[port])
    return peer, stream


def hang_up(peer, stream):
    """Python closes a socket only when its stream is closed too."""
    stream.close()
    peer.close()


def resident_kib(server, daemon):
    status = pathlib.Path(f"/proc/{server.pids()[daemon]}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def sessions(server, daemon):
    return {row["daemon"]: row for row in server.json("status")}[daemon]["sessions"]


@pytest.mark.parametrize("port", GREETING)
def test_garbage(server, port):
    """Bytes that are no protocol get an error or the door, and the daemon lives on."""
    pid = server.pids()[DAEMON[port]]
    for junk in (b"\0" * 1000, bytes(range(256)) * 20, b"\r\n" * 500, b"\n" * 500,
                 b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 600, b"\xff\xfe\r\n" * 50):
        peer, stream = connect(server, port)
        try:
            peer.sendall(junk + b"\r\n")
            peer.shutdown(socket.SHUT_WR)
            stream.read()
        except ConnectionError:
            pass
        peer.close()
    assert server.pids()[DAEMON[port]] == pid


@pytest.mark.parametrize("port, command, answer", [
    ("smtp", b"EHLO c\r\nQUIT\r\n", b"221 "),
    ("imap", b"a NOOP\r\nb LOGOUT\r\n", b"b OK"),
    ("pop3", b"CAPA\r\nQUIT\r\n", b"+OK"),
])
def test_half_closed(server, port, command, answer):
    """A client that closes its sending side still gets the answers to what it has sent."""
    peer, stream = connect(server, port)
    peer.sendall(command)
    peer.shutdown(socket.SHUT_WR)
    lines = stream.read().splitlines()
    assert lines[-1].startswith(answer)
    peer.close()


@pytest.mark.parametrize("port", GREETING)
def test_hang_up_in_the_middle(server, port):
    """Clients that vanish at any point leave no session behind."""
    before = sessions(server, DAEMON[port])
    for command in (b"", b"EHL", b"a LOGIN {5}\r\n", b"USER x\r\nPASS", b"STARTTLS\r\n\x16\x03",
                    b"STLS\r\n", b"a STARTTLS\r\n"):
        peer, stream = connect(server, port)
        peer.sendall(command)
        hang_up(peer, stream)
    wait_until(lambda: sessions(server, DAEMON[port]) <= before, "the sessions are gone")


def test_endless_line_takes_no_memory(server):
    for port, daemon in DAEMON.items():
        before = resident_kib(server, daemon)
        peer, _ = connect(server, port)
        peer.settimeout(2)
        try:
            for _ in range(400):
                peer.sendall(b"x" * 65536)  # 25 MB in all
        except OSError:
            pass  # the server has had enough, or does not read on: both are right
        assert resident_kib(server, daemon) - before < 16 * 1024, daemon
        peer.close()


def test_reader_that_never_reads(make_server):
    """Replies that nobody takes do not pile up, and the session is ended after the stall time."""
    server = make_server({"limits": {"stall": "5s"}})
    account = server.add_account(f"slow@{DOMAIN}")
    with server:
        text = b"Subject: large\r\n\r\n" + (b"x" * 76 + b"\r\n") * 60000
        with server.imap(account) as imap:
            imap.append("INBOX", None, None, text)
        before = resident_kib(server, "imapd")
        imap = server.imap(account)
        imap.select("INBOX")
        imap.send(b"".join(b"f%d FETCH 1 BODY.PEEK[]\r\n" % i for i in range(200)))
        start = time.monotonic()
        time.sleep(2)
        assert resident_kib(server, "imapd") - before < 64 * 1024
        server.imap(account).logout()  # others are served meanwhile
        wait_until(lambda: sessions(server, "imapd") == 0, "the stalled session is ended", 25)
        assert time.monotonic() - start > 4
        imap.shutdown()


def test_client_that_never_shakes_hands(make_server):
    server = make_server({"limits": {"stall": "5s"}})
    with server:
        peer = socket.create_connection(("localhost", server.ports["imaps"]), timeout=20)
        assert peer.recv(100) == b""
        peer.close()


def test_client_that_never_sends(make_server):
    server = make_server({"smtp": {"command_timeout": "10s"}})
    with server:
        peer, stream = connect(server, "smtp")
        assert stream.readline().startswith(b"421 4.4.2")
        assert stream.read() == b""
        peer.close()


def test_too_many_connections_of_one_address(make_server):
    server = make_server({"limits": {"sessions_per_address": 3}})
    with server:
        peers = [connect(server, "pop3") for _ in range(3)]
        extra = socket.create_connection(("localhost", server.ports["pop3"]), timeout=20)
        assert extra.makefile("rb").readline().startswith(b"-ERR [SYS/TEMP]")
        for peer in peers:
            hang_up(*peer)
        wait_until(lambda: sessions(server, "pop3d") == 0, "the sessions are gone")
        hang_up(*connect(server, "pop3"))


def test_too_many_errors(make_server):
    server = make_server({"smtp": {"errors": 3}})
    with server:
        peer, stream = connect(server, "smtp")
        peer.sendall(b"NONSENSE\r\n" * 10)
        lines = stream.read().splitlines()
        assert lines[-1].startswith(b"421") and len(lines) <= 5
        peer.close()


def test_wrong_passwords_end_the_session(make_server):
    server = make_server({"auth": {"failures": 2}})
    account = server.add_account(f"guess@{DOMAIN}")
    with server:
        with pytest.raises(Exception):
            server.imap(account, "wrong")
        imap = server.imap(account)
        imap.logout()
        pop = server.pop3(account)
        pop.quit()
        peer = server.tls.wrap_socket(
            socket.create_connection(("localhost", server.ports["imaps"]), timeout=30),
            server_hostname="localhost")
        peer.sendall(b"".join(b"a%d LOGIN %s wrong\r\n" % (i, account.encode()) for i in range(5)))
        lines = peer.makefile("rb").read().splitlines()
        assert sum(b"AUTHENTICATIONFAILED" in line for line in lines) == 2
        assert any(line.startswith(b"* BYE") for line in lines)


def test_time_to_log_in(make_server):
    """A client that only talks is ended; one that logs in stays."""
    server = make_server({"limits": {"login_time": "2s"}})
    user = server.add_account(f"user@{DOMAIN}")
    with server:
        with server.imap(user) as known, socket.create_connection(("localhost", server.ports["imap"]), 60) as wire:
            lines = wire.makefile("rb")
            start = time.monotonic()
            while not lines.readline().startswith(b"* BYE"):
                assert time.monotonic() - start < 60
                wire.sendall(b"a NOOP\r\n")
                time.sleep(0.1)
            assert lines.readline() == b""
            assert known.noop()[0] == "OK"


def test_byte_now_and_then(make_server):
    """Bytes that come too slowly are no sign of life in the middle of a command."""
    server = make_server({"smtp": {"command_timeout": "10s"}})
    with server, socket.create_connection(("localhost", server.ports["smtp"]), 60) as wire:
        lines = wire.makefile("rb")
        lines.readline()
        wire.settimeout(0.2)
        start = time.monotonic()
        answer = b""
        while not answer.startswith(b"421"):
            assert time.monotonic() - start < 60
            wire.sendall(b"x")
            try:
                answer = wire.recv(1000)
            except TimeoutError:
                pass
