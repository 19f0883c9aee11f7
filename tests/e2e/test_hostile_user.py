"""Users with a valid login who mean harm: the daemon lives on, its memory stays bounded, and others
are served meanwhile."""
import pathlib
import re

import pytest

from server import DOMAIN
from wire_client import WireClient


@pytest.fixture
def client(server, account):
    with WireClient(server, account) as connected:
        yield connected


def resident_kib(server):
    status = pathlib.Path(f"/proc/{server.pids()['imapd']}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def peak_kib(server):
    status = pathlib.Path(f"/proc/{server.pids()['imapd']}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


class Peak:
    """How much more memory imapd needs for what is done within, at its peak."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        pathlib.Path(f"/proc/{self.server.pids()['imapd']}/clear_refs").write_text("5")
        self.before = resident_kib(self.server)
        return self

    def __exit__(self, *_):
        self.mib = (peak_kib(self.server) - self.before) // 1024


def test_many_owners(make_server):
    """More accounts share something than the daemon keeps open."""
    server = make_server({"limits": {"workers": 4, "handles": 8}})
    reader = server.add_account(f"reader@{DOMAIN}")
    owners = [server.add_account(f"owner{i}@{DOMAIN}") for i in range(8)]
    with server:
        for owner in owners:
            server.run("acl", "set", owner, "INBOX", reader, "lr")
        with WireClient(server, reader) as client:
            answer = client.command('LIST "" * RETURN (STATUS (MESSAGES))')
            assert len(re.findall(rb"STATUS \"?Other Users/", answer)) == len(owners)
            assert answer.count(b"* STATUS \"Drafts\"") == 1
            names = " ".join(f'"Other Users/{owner}"' for owner in owners)
            assert b"OK" in client.command(f"ESEARCH IN (subtree ({names}) personal) ALL")
            assert b"OK" in client.command("NOOP")


def test_names_that_lead_nowhere(server, client):
    """Each of them would be looked for among all mailboxes, which are read once."""
    for i in range(500):
        client.send(f"m CREATE box{i}")
    for _ in range(500):
        client.answer("m")
    names = " ".join(f"none{i}" for i in range(1000))
    with Peak(server) as peak:
        assert b"OK" in client.command(f"ESEARCH IN (subtree ({names})) ALL")
    assert peak.mib < 32
    group = f"(mailboxes ({names}) (MessageNew MessageExpunge))"
    assert b"OK" in client.command(f"NOTIFY SET {group}")
    assert b"BAD" in client.command(f"NOTIFY SET {group} (mailboxes (more) (MailboxName))")


def test_annotations_asked_for_many_times(server, client):
    value = "v" * 60000
    for i in range(100):
        entry = f"(/private/filters/values/f/{i} {{{len(value)}+}}\r\n{value})"
        assert b"OK" in client.command(f'SETMETADATA "" {entry}')
    assert b"OK" in client.command('SETMETADATA "" (/private/filters/values/f "ALL")')
    client.command("SELECT INBOX")
    with Peak(server) as peak:
        assert b"OK" in client.command("SEARCH " + " ".join(["FILTER f"] * 100))
        names = " ".join(["/private/filters"] * 10)
        answer = client.command(f'GETMETADATA "" (DEPTH infinity) ({names})')
    assert len(answer) > 10 * 100 * len(value)
    assert peak.mib < 100


def test_long_header_asked_for_many_times(server, client):
    header = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 60) for i in range(60000))
    message = header + b"\r\nbody\r\n"
    client.send(b"h APPEND INBOX {%d+}\r\n%s\r\n" % (len(message), message))
    assert b"h OK" in client.answer("h")
    client.command("SELECT INBOX")
    with Peak(server) as peak:
        answer = client.command(f"FETCH 1 ({' '.join(['BODY.PEEK[HEADER]'] * 30)})")
    assert answer.count(header) == 30
    assert peak.mib < 64
