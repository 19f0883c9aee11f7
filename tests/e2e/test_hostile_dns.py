"""Name servers that loop, lie, flood or are silent: mail waits, and time and memory have bounds."""
import pathlib
import re
import socket
import struct
import time

import dns.message
import dns.rrset
import pytest

from nameserver import Dns
from server import DOMAIN, free_ports, wait_until

ALICE = f"alice@{DOMAIN}"
MEMORY_MAX_MIB = 200  # with sanitizers
GIANT = 1500


class HostileDns(Dns):
    n_silent = 0

    def answer(self, packet):
        kind = packet[13:13 + packet[12]].decode("ascii", "replace")
        if kind == "silent":
            self.n_silent += 1
            return b""  # no message at all
        if kind == "garbage":
            return packet[:2] + b"\xff" * 600
        if kind == "cut":
            return super().answer(packet)[:20]
        if kind == "counts":  # promises 65535 answers
            return packet[:2] + struct.pack("!HHHHH", 0x8180, 1, 0xffff, 0xffff, 0) + packet[12:]
        if kind.startswith("loop"):
            return self.loop(packet, int(kind[4:]))
        return super().answer(packet)

    @staticmethod
    def loop(packet, number):
        reply = dns.message.make_response(dns.message.from_wire(packet), recursion_available=True)
        reply.answer.append(dns.rrset.from_text(reply.question[0].name, 1, "IN", "CNAME",
                                                f"loop{(number + 1) % 5}.test."))
        return reply.to_wire()


@pytest.fixture
def world(make_server):
    names = HostileDns()
    for n in range(GIANT):
        names.add("giant.test", "MX", f"{n} {'x' * 60}.m{n}.giant.test.")
    server = make_server({
        "dns": {"resolver": names.server, "timeout": "2s"},
        "smtp": {"remote_port": free_ports(1)[0], "retry_first": "1h", "retry_last": "1h"}})
    server.sender = server.add_account(f"sender@{DOMAIN}")
    with server:
        yield server
    names.close()


def memory_mib(server):
    """The most that smtpd has had."""
    status = pathlib.Path("/proc", str(server.pids()["smtpd"]), "status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024


def test_mail_waits(world):
    domains = ["silent.test", "garbage.test", "cut.test", "counts.test", "loop0.test"]
    memory, begin = memory_mib(world), time.monotonic()
    with world.submission(world.sender) as smtp:
        for domain in [*domains, "giant.test"]:
            smtp.sendmail(world.sender, [f"x@{domain}"], b"Subject: far\r\n\r\nhi\r\n")

    def tried():
        found = {}
        for row in world.json("queue", "list"):
            for to in world.json("queue", "show", str(row["id"]))["recipients"]:
                found[to["address"].partition("@")[2]] = to
        return all(found.get(domain, {}).get("tries", 0) > 0 for domain in domains) and found

    found = wait_until(tried, "all have been tried and wait")
    assert time.monotonic() - begin < 20
    for domain in domains:
        assert found[domain]["history"][-1]["status"].startswith("4."), found[domain]
    assert memory_mib(world) - memory < MEMORY_MAX_MIB
    assert world.count(world.sender) <= 1  # of giant.test, whose servers have no address


def test_silent_servers_keep_nobody_else_waiting(make_server):
    """More questions without an answer than the resolver asks at once by default."""
    names = HostileDns()
    names.add("good.test", "TXT", '"v=spf1 ip4:127.0.0.1 -all"')
    server = make_server({"dns": {"resolver": names.server, "timeout": "5s"},
                          "smtp": {"trusted_networks": ""}, "limits": {"stop": "1s"}})
    server.add_account(ALICE)
    waiting = []
    with server:
        for n in range(300):
            sock = socket.create_connection(("127.0.0.1", server.ports["smtp"]))
            sock.sendall(f"EHLO x\r\nMAIL FROM:<x@silent.n{n}.test>\r\nRCPT TO:<{ALICE}>\r\nDATA\r\n"
                         f"From: <x@silent.f{n}.test>\r\n\r\n.\r\n".encode())
            waiting.append(sock)
        wait_until(lambda: names.n_silent >= 300, "they are looked up")
        server.deliver(ALICE, "From: a@good.test\r\n\r\nhi\r\n", "a@good.test")
        server.wait_for_mail(ALICE)
        for sock in waiting:
            sock.close()
        assert b"spf=pass" in server.messages(ALICE)[0]
    names.close()
