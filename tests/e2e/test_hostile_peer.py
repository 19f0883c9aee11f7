"""Other servers that do not mean well: the message stays queued, the others are served, the memory
has a bound."""
import contextlib
import pathlib
import re
import socket
import threading
import time

import pytest

from server import wait_until
from test_remote import World, addresses

MEMORY_MAX_MIB = 150  # with sanitizers
HELLO = b"220 peer.test ESMTP\r\n"
EHLO = b"250-peer.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"


class RawPeer:
    """Plays `play(peer, sock)` with every connection, in a thread of its own."""

    def __init__(self, port, play):
        self.address, self.play, self.connections = next(addresses), play, 0
        self.over = False
        self.listener = socket.create_server((self.address, port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=[sock], daemon=True).start()

    def serve(self, sock):
        self.connections += 1
        with contextlib.suppress(OSError), sock:
            sock.settimeout(30)
            self.play(self, sock)

    def close(self):
        self.over = True
        self.listener.close()


def up_to(stage, ehlo=EHLO):
    """A sane dialogue that is left at this stage: what the client said there is not answered."""
    def play(sock):
        replies = {b"EHLO": ehlo, b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n",
                   b"DATA": b"354 go\r\n", b"RSET": b"250 ok\r\n", b"QUIT": b"221 bye\r\n"}
        sock.sendall(HELLO)
        if stage == b"":
            return
        rest = b""
        while True:
            while b"\r\n" not in rest:
                piece = sock.recv(65536)
                if not piece:
                    raise OSError("gone")
                rest += piece
            line, _, rest = rest.partition(b"\r\n")
            word = line[:4].upper()
            if word == stage:
                return
            sock.sendall(replies.get(word, b"500 what\r\n"))
            if word == b"DATA":
                while not rest.endswith(b"\r\n.\r\n"):
                    rest += sock.recv(65536)
                rest = b""
                if stage == b".":
                    return
                sock.sendall(b"250 taken\r\n")
    return play


def drip(peer, sock, piece, pause):
    while not peer.over:
        sock.sendall(piece)
        time.sleep(pause)


def stay(peer, sock):
    with contextlib.suppress(OSError):
        while not peer.over and sock.recv(65536):
            pass


def after(stage, data, ehlo=EHLO):
    def play(peer, sock):
        up_to(stage, ehlo)(sock)
        sock.sendall(data)
        stay(peer, sock)
    return play


def flood_after(stage, piece):
    def play(peer, sock):
        up_to(stage)(sock)
        drip(peer, sock, piece * 4096, 0)
    return play


def drip_after(stage, piece):
    def play(peer, sock):
        up_to(stage)(sock)
        drip(peer, sock, piece, 0.1)
    return play


HOSTILE = {
    "banner-flood": flood_after(b"", b"220-more\r\n"),
    "banner-line": lambda peer, sock: drip(peer, sock, b"2" * 65536, 0),
    "ehlo-flood": flood_after(b"EHLO", b"250-SIZE 5\r\n"),
    "ehlo-huge": after(b"EHLO", b"250-X%s\r\n" % (b"x" * 60000) + b"250 SIZE\r\n"),
    "ehlo-drip": drip_after(b"EHLO", b"2"),
    "ehlo-nul": after(b"EHLO", b"250 \0\0\0\r\n"),
    "mail-nul": after(b"MAIL", b"4\x0050 ok\r\n"),
    "rcpt-controls": after(b"RCPT", b"451 4.2.0 \x1b]0;owned\x07\x1b[2J\xc2\x9b2J\r x\nqueue=1\r\n"),
    "data-silence": after(b"DATA", b"354 go\r\n"),
    "dot-closes": lambda peer, sock: up_to(b".")(sock),
    "dot-flood": flood_after(b".", b"250-more\r\n"),
    "size-nonsense": after(b"EHLO", b"250-SIZE 99999999999999999999999999\r\n"
                           b"250-LIMITS RCPTMAX=0 MAILMAX=-1 RCPTMAX=99999999999999999999\r\n250 X\r\n"),
}


@pytest.fixture
def make_world(make_server):
    with contextlib.ExitStack() as stack:
        def make(smtp=None):
            world = World(make_server, stack, smtp, None)

            def raw_peer(domain, play):
                peer = RawPeer(world.port, play)
                stack.callback(peer.close)
                world.add_mx(domain, peer.address)
                return peer
            world.raw_peer = raw_peer
            return world
        yield make


def memory_mib(server):
    """The most that smtpd has had."""
    status = pathlib.Path("/proc", str(server.pids()["smtpd"]), "status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024


def test_unasked_reply_to_an_idle_connection(make_world):
    """Half a line, while the connection waits for the next message."""
    world = make_world()
    smtpd = world.server.pids()["smtpd"]
    for n, more in enumerate([b"2", b"250 and more\r\n", b"250 a\r\n25", b"\0", b"421 bye\r\n"]):
        def play(peer, sock, more=more):
            up_to(b".")(sock)
            sock.sendall(b"250 taken\r\n" + (more if n % 2 else b""))
            time.sleep(0.3)
            sock.sendall(more)
            stay(peer, sock)
        world.raw_peer(f"idle{n}.test", play)
        world.send(f"x@idle{n}.test")
    world.wait_for_empty_queue()
    good = world.peer("good.test")
    time.sleep(1)
    world.send("x@good.test")
    good.only_letter()
    assert world.server.count(world.sender) == 0
    assert world.server.pids()["smtpd"] == smtpd


def recipients(world):
    """{address: its row} of what has been tried and waits."""
    rows = {row["to"][0]: row["recipients"][0] for row in world.queue()}
    return {to: row for to, row in rows.items() if row["tries"]}


def test_hostile_replies(make_world):
    world = make_world({"retry_first": "1h", "retry_last": "1h", "reply_timeout": "4s",
                        "data_reply_timeout": "4s", "end_reply_timeout": "4s"})
    smtpd = world.server.pids()["smtpd"]
    peers = {f"x@{name}.test": world.raw_peer(f"{name}.test", play)
             for name, play in HOSTILE.items()}
    good = world.peer("good.test")
    before = memory_mib(world.server)
    for to in peers:
        world.send(to)
    wait_until(lambda: all(peer.connections for peer in peers.values()), "all are met")
    world.send("x@good.test")
    good.only_letter()
    wait_until(lambda: len(recipients(world)) == len(peers), "all have been tried")
    assert memory_mib(world.server) - before < MEMORY_MAX_MIB
    assert world.server.pids()["smtpd"] == smtpd
    assert world.server.count(world.sender) == 0
    for shown in world.queue():  # no reply may speak to the operator's terminal
        text = world.server.run("queue", "show", str(shown["id"]))
        assert re.search(r"UTC  4[.]\d[.]\d", text), text
        assert not re.search(r"[^\n -~\xa0-\uffff]", text), text
    assert not any(line.startswith("queue=1") for line in world.server.log().split("\n"))
