"""Users with a valid login who mean harm: the daemon lives on, its memory stays bounded, and others
are served meanwhile."""
import re

from server import DOMAIN
from wire_client import WireClient


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
