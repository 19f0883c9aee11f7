"""What is left of passwords in the memory of the daemons once a login is over: nothing."""
import base64
import imaplib
import os
import poplib
import secrets
import smtplib

import pytest

from sasl import plain
from server import Server, wait_until

ALICE = "alice@example.test"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may read a daemon's memory")


def writable_memory(pid):
    """Every writable mapping, piece by piece."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(number, 16) for number in span.split("-"))
            if not rights.startswith("rw") or end - start > 1 << 32:  # a sanitizer's shadow
                continue
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except OSError:
                pass  # given back meanwhile


def traces(password):
    """The password as it may lie in memory: as it is, and in base64 wherever it begins."""
    found = {password}
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + password)
        found.add(text[4:-4])
    return found


def count_traces(server, texts):
    return {f"{daemon}: {text.decode()}": count
            for daemon, pid in server.pids().items()
            for memory in writable_memory(pid)
            for text in texts
            if (count := memory.count(text))}


def imap_logins(server, user, password):
    def open_imap():
        return imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls)

    for login in [lambda imap: imap.login(user, password),
                  lambda imap: imap._simple_command("LOGIN", user, imap._quote(password)),
                  lambda imap: imap.authenticate("PLAIN", lambda _: plain(user, password)),
                  lambda imap: imap._simple_command(
                      "AUTHENTICATE", "PLAIN", base64.b64encode(plain(user, password)).decode()),
                  lambda imap: imap.authenticate(
                      "LOGIN", lambda what: (user if b"User" in what else password).encode())]:
        imap = open_imap()
        login(imap)
        yield imap
    imap = open_imap()
    literal = f"a LOGIN {user} {{{len(password)}}}\r\n"
    imap.send(literal.encode())
    assert imap.readline().startswith(b"+")
    for byte in password.encode():  # so that buffers grow
        imap.send(bytes([byte]))
    imap.send(b"\r\n")
    while b"a " not in imap.readline()[:2]:
        pass
    yield imap
    imap = imaplib.IMAP4("localhost", server.ports["imap"])  # in clear text: a setting for tests
    imap.login(user, password)
    yield imap


def pop3_logins(server, user, password):
    blob = base64.b64encode(plain(user, password)).decode()
    for commands in [[f"USER {user}", f"PASS {password}"], [f"AUTH PLAIN {blob}"],
                     ["AUTH PLAIN", blob],
                     ["AUTH LOGIN", base64.b64encode(user.encode()).decode(),
                      base64.b64encode(password.encode()).decode()]]:
        pop = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=server.tls)
        for command in commands:
            pop._putcmd(command)
            reply = pop._getline()[0]
            assert reply.startswith(b"+"), reply
        yield pop


def smtp_logins(server, user, password):
    for mechanism in ["PLAIN", "LOGIN"]:
        for initial in [True, False]:
            smtp = smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls)
            smtp.ehlo()
            smtp.user, smtp.password = user, password
            smtp.auth(mechanism, smtp.auth_plain if mechanism == "PLAIN" else smtp.auth_login,
                      initial_response_ok=initial)
            yield smtp


@pytest.mark.parametrize("right", [True, False])
def test_no_password_stays_in_memory(tmp_path, right):
    password = "mark " + secrets.token_hex(16)
    with Server(tmp_path, {"auth": {"plaintext": "yes"}}) as server:
        server.add_account(ALICE, password if right else "another one")
        texts = traces(password.encode())
        sessions = []
        for logins in [imap_logins, pop3_logins, smtp_logins]:
            if right:
                sessions += logins(server, ALICE, password)
                continue
            generator = logins(server, ALICE, password)
            with pytest.raises((imaplib.IMAP4.error, AssertionError, smtplib.SMTPException)):
                list(generator)
        assert len(sessions) == (15 if right else 0)
        # What is sent last must be found: else the search itself is blind.
        probe = b"probe " + secrets.token_hex(16).encode()
        imap = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls)
        imap.send(b"a NOOP " + probe)
        wait_until(lambda: count_traces(server, {probe}), "the probe is found")
        assert count_traces(server, texts) == {}


def test_daemons_are_confined(tmp_path):
    """tests/unit/common/test_confine.c shows that exec, ptrace and opening a foreign file fail under
    the filter; this, that each thread of each daemon is under it, and that none dumps a core."""
    with Server(tmp_path) as server:
        pids = server.pids()
        assert set(pids) == {"smtpd", "imapd", "pop3d"}
        for pid in pids.values():
            with open(f"/proc/{pid}/limits") as limits, open(f"/proc/{pid}/maps") as maps:
                core = next(line for line in limits if line.startswith("Max core file size"))
                # The leak sanitizer has to trace its process: such a build stays traceable.
                assert core.split()[4:6] == ["0", "0"] or "libasan" in maps.read()
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/status") as status:
                    fields = dict(line.split(":\t", 1) for line in map(str.strip, status)
                                  if ":\t" in line)
                assert fields["NoNewPrivs"] == "1"
                assert fields["Seccomp"] == "2" and int(fields["Seccomp_filters"]) >= 1
