"""Every fault at every stage of a dialogue with another server, and what becomes of the recipients.

The outcome is the table doc/faults.md: the test makes it again and compares. After a change that is
meant, POSTANE_WRITE_FAULTS=1 writes the file.

Each row is a server of its own that has the fault until the first try is over for both recipients;
then it is mended and everything is tried again. So it shows that what was kept is delivered.
"""
import email
import itertools
import json
import os
import pathlib
import re

import pytest

from nameserver import Dns
from scripted_peer import AGAIN, REPLIES, STAGES, Case, Peers
from server import DOMAIN, ROOT, free_ports, make_certificate, wait_until

DOC = ROOT / "doc/faults.md"
MORE = {"connect": ["refused", "drop", "stall"],
        "STARTTLS": ["no handshake", "self-signed certificate", "not offered"]}
BODY = ["4xx", "5xx", "421", "garbage", "truncated", "drop", "reset", "stall"]
MEMORY_MAX_MIB = 200  # for all cases at once, with sanitizers
HEAD = """# What becomes of a message when the other server fails

Two recipients of one message at one server, which does something wrong at one stage of the dialogue:
at each try, until both recipients have had their first. Then the server is well, and all that waits is
tried again. The table is made by `tests/e2e/test_faults.py`, which fails when it is not so; servers
with and without PIPELINING make no difference.

- *delivered*: out of the queue. *deferred*: in the queue, with the status of the last try.
  *bounced*: out of the queue, with a report to the sender that names the status.
- *arrived*: how often the server has taken the message for the first and for the second recipient, in
  all. A second copy comes only where the reply to the message's end was lost; it has the same
  Message-ID. In a row with *bounced*, 0 is right.
- *endless lines* and *endless line* are replies that never end, *garbage* is one that is not SMTP,
  *drip* is one that comes a byte a second and has no end,
  *truncated* is a part of one and then the end of the connection.

Where the stage is of a *second message*, the server has taken one before on the same connection, and
that message arrives once. A server that does not answer to its MAIL may have had enough of the
connection: the message is tried at once on a new one. Faults between the two messages are tested too,
but have no rows: it depends on who is quicker whether they are taken for the reply to MAIL.

| stage | fault | first recipient | second recipient | arrived |
|---|---|---|---|---|
"""


def all_cases():
    for stage in STAGES:
        faults = list(MORE.get(stage, []))
        if stage == "body":
            faults = BODY
        elif stage != "connect":
            faults = REPLIES + faults
        yield from ((stage, fault, 1) for fault in faults)
    for stage in AGAIN:
        yield from ((stage, fault, 2) for fault in (BODY if stage == "body" else REPLIES))


class Matrix:
    def __init__(self, make_server, folder):
        make_certificate(folder)
        self.dns = Dns()
        self.port = free_ports(1)[0]
        self.peers = Peers(self.port, folder)
        self.server = make_server({
            "smtp": {"remote_port": self.port, "retry_first": "1h", "retry_last": "1h",
                     "reply_timeout": "4s", "data_reply_timeout": "4s", "end_reply_timeout": "4s",
                     "deliveries": 300, "deliveries_per_site": 1},
            "limits": {"stall": "5s"}, "dns": {"resolver": self.dns.server}})
        self.sender = self.server.add_account(f"sender@{DOMAIN}")
        self.cases = {}

    def add(self, case):
        number = len(self.cases) + 1
        domain, address = f"f{number}.test", f"127.0.2.{number}"
        self.dns.add(domain, "MX", f"10 mx.{domain}.")
        self.dns.add(f"mx.{domain}", "A", address)
        self.peers.add(address, case)
        self.cases[domain] = case

    def send(self, smtp, recipients, message_id, size=30):
        smtp.sendmail(self.sender, recipients, "\r\n".join(
            [f"From: {self.sender}", f"Message-ID: {message_id}", "Subject: far", "",
             *["A line as long as lines tend to be, more or less."] * size, ""]).encode())

    def send_all(self):
        with self.server.submission(self.sender) as smtp:
            for domain, case in self.cases.items():
                if case.message == 2:
                    self.send(smtp, [f"before@{domain}"], f"<before@{domain}>")
                    wait_until(lambda case=case: case.connections, "a connection for the first")
                self.send(smtp, [f"a@{domain}", f"b@{domain}"], f"<for@{domain}>",
                          20000 if case.stage == "body" else 30)
                case.may_greet.set()

    def queue(self):
        """{address: {"tries": 1, ...}}"""
        found = {}
        for row in self.server.json("queue", "list"):
            shown = self.server.command("queue", "show", str(row["id"]), "--json")
            if shown.returncode == 0:  # else it has been delivered since
                found |= {to["address"]: to for to in json.loads(shown.stdout)["recipients"]
                          if to["state"] != "ended"}
        return found

    def is_tried(self):
        queue = self.queue()
        return all(to["tries"] > 0 for to in queue.values()) and queue

    def bounces(self):
        """{address: status} of all reports."""
        found = {}
        for text in self.server.messages(self.sender):
            report = email.message_from_bytes(text).get_payload(1).as_string()
            for block in re.split(r"\n\s*\n", report):
                to = re.search(r"(?m)^Final-Recipient: *\S+; *(\S+)", block)
                status = re.search(r"(?m)^Status: *(\S+)", block)
                if to and "Action: failed" in block:
                    assert to[1] not in found, f"two reports for {to[1]}"
                    found[to[1]] = status[1]
        return found

    def mend_all(self):
        for case in self.cases.values():
            case.mended = True
            case.mend()
        self.server.run("queue", "retry", "--all")
        wait_until(lambda: not self.server.json("queue", "list"), "all that waits is delivered", 60)

    def close(self):
        self.peers.close()
        self.dns.close()


def state_of(address, queue, bounces):
    if address in queue:
        return f"deferred {queue[address]['history'][-1]['status']}"
    return f"bounced {bounces[address]}" if address in bounces else "delivered"


def check_row(domain, case, states, bounces_after):
    """What holds for every row, whatever the table says."""
    what = f"{stage_of(case)}, {case.fault}"
    assert case.stage == "connect" or case.fault == "not offered" or case.struck, (
        f"{what}: it never came to this")
    assert case.flooded_s < 30, f"{what}: still read after {case.flooded_s} s"
    for name, state in zip("ab", states):
        address = f"{name}@{domain}"
        copies = sum(taken.to == address for taken in case.taken)
        has_arrived, has_bounced = copies > 0, address in bounces_after
        assert has_arrived or has_bounced, f"{what}: {address} is lost"
        assert not (has_arrived and has_bounced), f"{what}: {address} has arrived and bounced"
        assert copies < 2 or case.stage == "final dot", f"{what}: {copies} copies for {address}"
        assert (state.startswith("bounced")) == has_bounced, f"{what}: {address} bounced later"
    first = [taken.to for taken in case.taken if taken.message_id == f"<before@{domain}>"]
    assert first == [f"before@{domain}"] * (case.message - 1), f"{what}: {first}"
    assert {taken.message_id for taken in case.taken if taken.to[0] in "ab" and taken.to[1] == "@"
            } <= {f"<for@{domain}>"}


def memory_mib(server):
    """The most that smtpd has had."""
    status = pathlib.Path("/proc", str(server.pids()["smtpd"]), "status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024


def stage_of(case):
    return case.stage if case.message == 1 else f"second message: {case.stage}"


def row_of(domain, case, states):
    copies = [sum(taken.to == f"{name}@{domain}" for taken in case.taken) for name in "ab"]
    return (f"| {stage_of(case)} | {case.fault} | {states[0]} | {states[1]} "
            f"| {copies[0]}, {copies[1]} |")


def play(matrix, pipelining):
    for stage, fault, message in all_cases():
        matrix.add(Case(stage, fault, pipelining, message))
    with matrix.server:
        memory = memory_mib(matrix.server)
        matrix.send_all()
        queue = wait_until(matrix.is_tried, "everybody is tried", 60)
        bounces = matrix.bounces()
        states = {domain: [state_of(f"{name}@{domain}", queue, bounces) for name in "ab"]
                  for domain in matrix.cases}
        matrix.mend_all()
        bounces = matrix.bounces()
        grown = memory_mib(matrix.server) - memory
        assert grown < MEMORY_MAX_MIB, f"smtpd has taken {grown} MiB"
    rows = []
    for domain, case in matrix.cases.items():
        check_row(domain, case, states[domain], bounces)
        if case.stage != "between":
            rows.append(row_of(domain, case, states[domain]))
    return rows


@pytest.mark.parametrize("pipelining", [True, False])
def test_every_fault_at_every_stage(make_server, tmp_path, pipelining):
    matrix = Matrix(make_server, tmp_path)
    try:
        rows = play(matrix, pipelining)
    finally:
        matrix.close()
    table = HEAD + "\n".join(rows) + "\n"
    if os.environ.get("POSTANE_WRITE_FAULTS") and pipelining:
        DOC.write_text(table)
    expected = DOC.read_text() if DOC.exists() else ""
    differences = [f"expected {old!r}, got {new!r}" for old, new in itertools.zip_longest(
        expected.splitlines(), table.splitlines()) if old != new]
    assert not differences, "\n".join(differences)
