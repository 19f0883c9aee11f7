"""The machine's clock jumps while smtpd runs and a message waits for a server that is down."""
import pathlib

import pytest

from nameserver import Dns
from scripted_peer import Case, Peers
from server import DOMAIN, free_ports, make_certificate, wait_until

LIBRARIES = list(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is missing")
TO = "x@far.test"
YEAR_MS = 365 * 24 * 3600 * 1000


class Clock:
    def __init__(self, folder, server):
        self.file = folder / "clock"
        self.jump("+0d")
        server.environment = {
            "LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "ASAN_OPTIONS": "verify_asan_link_order=0", "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def jump(self, offset):
        """From the true time."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(offset + "\n")
        fresh.replace(self.file)


@pytest.fixture
def world(make_server, tmp_path):
    make_certificate(tmp_path)
    names, port = Dns(), free_ports(1)[0]
    names.add("far.test", "MX", "10 mx.far.test.")
    names.add("mx.far.test", "A", "127.0.5.1")
    peers, case = Peers(port, tmp_path), Case("connect", "refused")
    peers.add("127.0.5.1", case)
    server = make_server({"postane": {"confine": "no"},  # the clock's file is not the daemons'
                          "dns": {"resolver": names.server}, "smtp": {
        "remote_port": port, "retry_first": "1s", "retry_last": "2s"}})
    server.clock, server.case = Clock(tmp_path, server), case
    server.sender = server.add_account(f"sender@{DOMAIN}")
    with server:
        yield server
    peers.close()
    names.close()


def recipient(server):
    [message] = server.json("queue", "list")
    return server.json("queue", "show", str(message["id"]))["recipients"][0]


def wait_for_tries(server, more):
    wanted = recipient(server)["tries"] + more
    wait_until(lambda: recipient(server)["tries"] >= wanted, f"{wanted} tries")


def test_clock_jumps(world):
    with world.submission(world.sender) as smtp:
        smtp.sendmail(world.sender, [TO], b"Message-ID: <for@far.test>\r\nSubject: far\r\n\r\nhi\r\n")
    wait_until(lambda: recipient(world)["tries"] > 0, "a try")
    for offset in ["+10d", "-365d", "+3650d", "+0d"]:
        world.clock.jump(offset)
        wait_for_tries(world, 3)
    tries = [entry["at_ms"] for entry in recipient(world)["history"]]
    assert max(tries) - min(tries) > 10 * YEAR_MS  # smtpd has seen them
    assert world.count(world.sender) == 0  # neither bounced nor warned of a delay
    world.case.mended = True
    world.case.mend()
    wait_until(lambda: world.case.taken, "it is delivered")
    wait_until(lambda: not world.json("queue", "list"), "the queue is empty")
    assert len(world.case.taken) == 1
