"""Proof of origin: what comes in is checked, what goes out is signed, what is forwarded is sealed.

DKIM and ARC are looked at with Debian's dkimpy, which shares no code with ours.
"""
import contextlib
import email
import email.policy
import itertools
import re

import dkim
import pytest
from aiosmtpd.controller import Controller

from nameserver import Dns
from server import DOMAIN, free_ports, wait_until

STRANGER = "someone@far.test"
LETTER = ("From: <{sender}>\r\nTo: <user@example.test>\r\nSubject: hello\r\n"
          "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@far.test>\r\n{more}"
          "\r\nA line.\r\n")


class Peer:
    """Another server that takes everything."""

    def __init__(self, address, port):
        self.letters = []
        self.controller = Controller(self, hostname=address, port=port)
        self.controller.start()

    async def handle_DATA(self, server, session, envelope):
        self.letters.append(envelope)
        return "250 2.0.0 taken"

    def only_letter(self):
        wait_until(lambda: self.letters, "the other server has the message")
        assert len(self.letters) == 1
        return self.letters[0]


class World:
    def __init__(self, make_server, stack, settings):
        self.dns = Dns()
        stack.callback(self.dns.close)
        self.port = free_ports(1)[0]
        self.stack = stack
        self.server = make_server({
            "smtp": {"trusted_networks": "", "remote_port": self.port},
            "dns": {"resolver": self.dns.server},
            "proof": settings})
        self.user = self.server.add_account(f"user@{DOMAIN}")
        stack.enter_context(self.server)

    def peer(self, domain, address):
        peer = Peer(address, self.port)
        self.stack.callback(peer.controller.stop)
        self.dns.add(domain, "MX", f"10 mx.{domain}.")
        self.dns.add(f"mx.{domain}", "A", address)
        return peer

    def policy(self, spf="v=spf1 -all", dmarc=None):
        """Of far.test."""
        self.dns.set("far.test", "TXT", spf)
        if dmarc:
            self.dns.set("_dmarc.far.test", "TXT", dmarc)

    def letter(self, more="", sender=STRANGER):
        return LETTER.format(sender=sender, more=more)

    def signed(self, key, text, domain="far.test"):
        self.dns.set(f"sel._domainkey.{domain}", "TXT", "v=DKIM1; k=rsa; p=" + key.public)
        return (dkim.sign(text.encode(), b"sel", domain.encode(), key.private) + text.encode()
                ).decode()

    def received(self, mailbox="INBOX"):
        self.server.wait_for_mail(self.user, mailbox=mailbox)
        texts = self.server.messages(self.user, mailbox)
        assert len(texts) == 1
        return email.message_from_bytes(texts[0], policy=email.policy.compat32)

    def txt(self, name, timeout=5):
        """For dkimpy: the text of a record."""
        found = self.dns.records.get(self.dns.key(name.decode().rstrip("."), "TXT"))
        return b"".join(found[0].strings) if found else None

    def publish_keys(self):
        """What `postane dkim dns` says, into the DNS; and until it signs."""
        for record in self.server.json("dkim", "dns", DOMAIN):
            self.dns.set(record["name"], "TXT", record["value"])
        numbers = itertools.count()

        def is_active():
            # any change makes the server look again, without waiting for its minute
            self.server.run("alias", "add", f"poke{next(numbers)}@{DOMAIN}", self.user)
            states = {row["state"] for row in self.server.json("dkim", "list", DOMAIN)}
            return states == {"active"}
        wait_until(is_active, "the keys are active")


class Key:
    def __init__(self, folder):
        import base64
        import subprocess
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", folder / "k.pem", "1024"],
                       check=True, capture_output=True)
        der = subprocess.run(["openssl", "rsa", "-in", folder / "k.pem", "-pubout", "-outform",
                              "DER"], check=True, capture_output=True).stdout
        self.private = (folder / "k.pem").read_bytes()
        self.public = base64.b64encode(der).decode()


@pytest.fixture(scope="session")
def key(tmp_path_factory):
    return Key(tmp_path_factory.mktemp("key"))


@pytest.fixture
def make_world(make_server):
    with contextlib.ExitStack() as stack:
        yield lambda **settings: World(make_server, stack, settings)


def results(message):
    return " ".join(message["Authentication-Results"].split())


def test_nothing_published(make_world):
    world = make_world()
    world.server.deliver(world.user, world.letter(), sender=STRANGER)
    found = results(world.received())
    assert found.startswith("mx.example.test;")
    for part in ("spf=none", "dkim=none", "dmarc=none"):
        assert part in found, found


def test_everything_passes(make_world, key):
    world = make_world()
    world.policy("v=spf1 ip4:127.0.0.0/8 -all", "v=DMARC1; p=reject")
    world.server.deliver(world.user, world.signed(key, world.letter()), sender=STRANGER)
    found = results(world.received())
    for part in ("spf=pass", "smtp.mailfrom=", "dkim=pass", "header.d=far.test",
                 "dmarc=pass", "header.from=far.test"):
        assert part in found, found


def test_rejected_by_policy(make_world):
    world = make_world()
    world.policy(dmarc="v=DMARC1; p=reject")
    with pytest.raises(Exception) as refused:
        world.server.deliver(world.user, world.letter(), sender=STRANGER)
    assert refused.value.smtp_code == 550 and b"5.7.26" in refused.value.smtp_error
    assert b"far.test" in refused.value.smtp_error
    assert world.server.count(world.user) == 0


def test_quarantined_by_policy(make_world):
    world = make_world()
    world.policy(dmarc="v=DMARC1; p=quarantine")
    world.server.deliver(world.user, world.letter(), sender=STRANGER)
    assert "dmarc=fail" in results(world.received("Junk"))
    assert world.server.count(world.user) == 0


def test_settings_soften(make_world):
    world = make_world(dmarc_reject="junk", dmarc_quarantine="accept")
    world.policy(dmarc="v=DMARC1; p=reject")
    world.server.deliver(world.user, world.letter(), sender=STRANGER)
    assert "dmarc=fail" in results(world.received("Junk"))


def test_spf_fail_by_setting(make_world):
    world = make_world(spf_fail="refuse")
    world.policy()
    with pytest.raises(Exception) as refused:
        world.server.deliver(world.user, world.letter(), sender=STRANGER)
    assert b"5.7.23" in refused.value.smtp_error


def test_forged_results_are_removed(make_world):
    world = make_world()
    forged = ("Authentication-Results: mx.example.test;\r\n dkim=pass header.d=bank.test\r\n"
              "Authentication-Results: other.test; spf=pass\r\n")
    world.server.deliver(world.user, world.letter(forged), sender=STRANGER)
    fields = world.received().get_all("Authentication-Results")
    assert len(fields) == 2 and not any("bank.test" in field for field in fields)


def test_signature_over_a_removed_field(make_world, key):
    """What is verified is the message as it came."""
    world = make_world()
    text = world.letter("Authentication-Results: mx.example.test; spf=pass\r\n")
    world.server.deliver(world.user, world.signed(key, text), sender=STRANGER)
    message = world.received()
    assert "dkim=pass" in results(message) and len(message.get_all("Authentication-Results")) == 1


def test_dns_failures_lose_nothing(make_world, key):
    world = make_world()
    text = world.signed(key, world.letter())
    world.dns.broken |= {"far.test", "_dmarc.far.test", "sel._domainkey.far.test"}
    world.server.deliver(world.user, text, sender=STRANGER)
    found = results(world.received())
    for part in ("spf=temperror", "dkim=temperror", "dmarc=temperror"):
        assert part in found, found


def test_outgoing_mail_is_signed_twice(make_world):
    world = make_world()
    peer = world.peer("far.test", "127.0.3.1")
    world.publish_keys()
    with world.server.submission(world.user) as smtp:
        smtp.sendmail(world.user, [STRANGER], world.letter(sender=world.user))
    content = peer.only_letter().content
    assert content.count(b"DKIM-Signature:") == 2
    verifier = dkim.DKIM(content)
    for index in range(2):
        assert verifier.verify(index, dnsfunc=world.txt)
    added = b"Subject: another\r\n" + content
    assert not dkim.DKIM(added).verify(0, dnsfunc=world.txt)


def test_nobody_signs_as_another_domain(make_world):
    """A user of ours with another of our domains in From: no signature of that domain."""
    world = make_world()
    world.server.run("domain", "add", "two.test")
    peer = world.peer("far.test", "127.0.3.2")
    world.publish_keys()
    with world.server.submission(world.user) as smtp:
        smtp.sendmail(world.user, [STRANGER], world.letter(sender="boss@two.test"))
    assert b"d=two.test" not in peer.only_letter().content


def test_forwarded_mail(make_world, key):
    """SRS keeps SPF whole, ARC tells what was seen; a report comes back to the sender."""
    world = make_world()
    peer = world.peer("away.test", "127.0.3.3")
    back = world.peer("far.test", "127.0.3.4")
    world.policy("v=spf1 ip4:127.0.0.0/8 -all", "v=DMARC1; p=reject")
    world.publish_keys()
    world.server.run("alias", "add", f"away@{DOMAIN}", "me@away.test")
    world.server.deliver(f"away@{DOMAIN}", world.signed(key, world.letter()), sender=STRANGER)
    envelope = peer.only_letter()
    assert re.fullmatch(rf"SRS0=\w{{4}}=\w\w=far\.test=someone@{DOMAIN}", envelope.mail_from)
    cv, sets, reason = dkim.ARC(envelope.content).verify(dnsfunc=world.txt)
    assert cv == b"pass", reason
    assert dkim.DKIM(envelope.content).verify(dnsfunc=world.txt)
    world.server.deliver(envelope.mail_from, "Subject: report\r\n\r\nfailed\r\n", sender="")
    assert back.only_letter().rcpt_tos == [STRANGER]


def test_return_paths_are_not_for_mail(make_world):
    world = make_world()
    for sender, to in (("", f"SRS0=AAAA=BB=far.test=someone@{DOMAIN}"),
                       (STRANGER, f"SRS1=AAAA=far.test==x@{DOMAIN}")):
        with pytest.raises(Exception) as refused:
            world.server.deliver(to, "Subject: x\r\n\r\n", sender=sender)
        assert refused.value.recipients[to][0] == 550
