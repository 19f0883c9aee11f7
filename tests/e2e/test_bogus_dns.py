"""DNSSEC signatures that are wrong, and records of 60 KB: mail is not lost, and not sent to a forger."""
import contextlib

import pytest

import test_proof
import test_remote_tls
from server import DOMAIN, wait_until
from signed import SignedDns
from test_proof import Key, results

SENDER = "someone@signed.test"
LETTER = test_proof.LETTER.format(sender=SENDER, more="")


@pytest.fixture
def key(tmp_path):
    return Key(tmp_path)


@pytest.fixture
def make_world(make_server, tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda: test_remote_tls.World(make_server, stack, tmp_path, None, "mta-sts.far.test")


@pytest.mark.parametrize("name", ["signed.test", "mx.signed.test"])
@pytest.mark.parametrize("fault", ["forged", "tampered"])
def test_forged_servers_get_nothing(make_world, fault, name):
    """Whoever can forge an MX record or an address would have the mail."""
    world = make_world()
    peer = world.peer("signed.test", "no TLS")
    names = getattr(world.dns, fault)
    names.add(name)
    world.send("x@signed.test")
    world.wait_for_reply("validation failure")
    assert peer.letters == [] and world.server.count(world.sender) == 0
    names.clear()
    wait_until(lambda: world.server.run("queue", "retry", "--all") and peer.letters, "it is sent")
    assert len(peer.letters) == 1


class Receiver:
    def __init__(self, make_server, stack, folder):
        self.dns = SignedDns()
        stack.callback(self.dns.close)
        self.server = make_server({
            "smtp": {"trusted_networks": ""},
            "dns": {"resolver": self.dns.server, "trust_anchor": self.dns.write_anchor(folder)}})
        self.user = self.server.add_account(f"user@{DOMAIN}")
        stack.enter_context(self.server)

    def publish(self, key, spf="v=spf1 ip4:127.0.0.0/8 -all", more_key="", dmarc="v=DMARC1; p=reject"):
        self.dns.set("signed.test", "TXT", spf)
        self.dns.set("sel._domainkey.signed.test", "TXT",
                     f"v=DKIM1; k=rsa; {more_key}p={key.public}")
        self.dns.set("_dmarc.signed.test", "TXT", dmarc)

    def results(self, key):
        import dkim
        text = LETTER.encode()
        signature = dkim.sign(text, b"sel", b"signed.test", key.private)
        self.server.deliver(self.user, (signature + text).decode(), sender=SENDER)
        return results(test_proof.World.received(self))


@pytest.fixture
def receiver(make_server, tmp_path):
    with contextlib.ExitStack() as stack:
        yield Receiver(make_server, stack, tmp_path)


@pytest.mark.parametrize("fault, result", [(None, "pass"), ("forged", "temperror"),
                                           ("tampered", "temperror")])
def test_bogus_policies(receiver, key, fault, result):
    receiver.publish(key)
    if fault:
        getattr(receiver.dns, fault).update(
            ["signed.test", "_dmarc.signed.test", "sel._domainkey.signed.test"])
    found = receiver.results(key)
    for method in ("spf", "dkim", "dmarc"):
        assert f"{method}={result}" in found, found


@pytest.mark.parametrize("size, proof, result", [
    (8000, "pass", "pass"), (60000, "permerror", "fail (p=none)")])
def test_giant_records(receiver, key, size, proof, result):
    """Records have a largest size; past it they count as broken ones."""
    receiver.publish(key, "v=spf1 " + "ip4:192.0.2.1 " * (size // 14) + "ip4:127.0.0.0/8 -all",
                     f"n={'x' * size}; ", f"v=DMARC1; p=none; x={'y' * size}")
    found = receiver.results(key)
    for part in (f"spf={proof}", f"dkim={proof}", f"dmarc={result}"):
        assert part in found, found
