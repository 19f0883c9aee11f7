"""TLS to other servers: DANE, MTA-STS, the operator's wish, REQUIRETLS.

The other servers have certificates that are good, expired, for another name, or of nobody. The DNS
is played here, with one signed zone; so is the web host of the policies of MTA-STS.
"""
import contextlib
import http.server
import sqlite3
import ssl
import threading

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as PeerProtocol

from server import DOMAIN, free_ports, wait_until
from signed import Authority, SignedDns, tlsa
from test_remote import Peer

WEB = "127.0.0.1"


class RequireTlsPeer(PeerProtocol):
    """Knows REQUIRETLS, and tells its handler who used it."""

    async def smtp_MAIL(self, arg):
        self.event_handler.required = arg is not None and arg.endswith(" REQUIRETLS")
        await super().smtp_MAIL(arg.removesuffix(" REQUIRETLS"))

    async def push(self, status):
        text = status if isinstance(status, str) else status.decode()
        await super().push(text.replace("250-SMTPUTF8", "250-REQUIRETLS\r\n250-SMTPUTF8"))


class PolicyHost:
    """The web server of all policies: what it answers is `status`, `type` and `text`."""

    def __init__(self, certificates):
        self.status, self.type, self.text, self.asked = 200, "text/plain", "", []
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host.asked.append((self.headers["Host"].split(":")[0], self.path))
                self.send_response(host.status)
                self.send_header("Content-Type", host.type)
                self.send_header("Content-Length", str(len(host.text)))
                self.send_header("Location", "/other")
                self.end_headers()
                self.wfile.write(host.text.encode())

            def log_message(self, *args):
                pass

        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        self.server = http.server.ThreadingHTTPServer((WEB, 0), Handler)
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def set(self, mode, *mx, max_age=86400):
        self.text = f"version: STSv1\nmode: {mode}\nmax_age: {max_age}\n"
        self.text += "".join(f"mx: {pattern}\n" for pattern in mx)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class World:
    """The domains far.test (plain) and signed.test, whose servers are mx.far.test and so on."""

    def __init__(self, make_server, stack, folder, tls, web_name):
        self.stack, self.authority = stack, Authority(folder)
        self.certificates = {
            "good": self.authority.issue("good", "mx.far.test"),
            "signed": self.authority.issue("signed", "mx.signed.test"),
            "expired": self.authority.issue("expired", "mx.far.test", hours=(-48, -24)),
            "wrong name": self.authority.issue("wrong name", "mx.other.test"),
            "self-signed": self.authority.issue("self-signed", "mx.far.test", self_signed=True),
            "no TLS": None,
        }
        self.web = PolicyHost(self.authority.issue("web", web_name))
        stack.callback(self.web.close)
        self.dns = SignedDns()
        stack.callback(self.dns.close)
        self.port = free_ports(1)[0]
        self.server = make_server({
            "smtp": {"remote_port": self.port, "retry_first": "1h", "retry_last": "1h"},
            "tls": {"authorities": self.authority.path, "sts_port": self.web.port} | (tls or {}),
            "dns": {"resolver": self.dns.server, "trust_anchor": self.dns.write_anchor(folder)}})
        self.sender = self.server.add_account(f"sender@{DOMAIN}")
        stack.enter_context(self.server)

    def peer(self, domain, certificate):
        """A server with one of the certificates, as the only one of the domain."""
        peer = Peer(self.port, certificates=self.certificates[certificate])
        peer.required = False
        self.stack.callback(peer.close)
        self.dns.set(domain, "MX", f"10 mx.{domain}.")
        self.dns.set(f"mx.{domain}", "A", peer.address)
        return peer

    def publish(self, id="1", domain="far.test"):
        self.dns.set(f"_mta-sts.{domain}", "TXT", f"v=STSv1; id={id};")
        self.dns.set(f"mta-sts.{domain}", "A", WEB)

    def publish_tlsa(self, certificate, usage=3):
        record = tlsa(self.certificates[certificate] / "cert.pem", usage)
        self.dns.set(f"_{self.port}._tcp.mx.signed.test", "TLSA", record)

    def send(self, recipient, headers="", **options):
        with self.server.submission(self.sender) as smtp:
            text = f"From: {self.sender}\r\nSubject: far\r\n{headers}\r\nhi\r\n"
            smtp.sendmail(self.sender, [recipient], text.encode(), **options)

    def recipient(self):
        queue = self.server.json("queue", "list")
        number = str(queue[0]["id"])
        return self.server.json("queue", "show", number)["recipients"][0]

    def wait_for_reply(self, text):
        """It was tried, and waits in the queue with this reason."""
        found = wait_until(lambda: self.recipient()["tries"] >= 1 and self.recipient(), "a try")
        assert text in found["last_reply"], found

    def bounce(self):
        self.server.wait_for_mail(self.sender)
        return self.server.messages(self.sender)[0].decode()

    def counted(self):
        """What is kept for the reports of RFC 8460, when the server has stopped."""
        self.server.stop()
        with contextlib.closing(sqlite3.connect(self.server.data / "postane.db")) as db:
            return [(domain, key) for domain, key in
                    db.execute("SELECT domain, key FROM tally WHERE kind = 2")]


@pytest.fixture
def make_world(make_server, tmp_path):
    with contextlib.ExitStack() as stack:
        yield lambda tls=None, web_name="mta-sts.far.test": World(make_server, stack, tmp_path, tls,
                                                                  web_name)


REASONS = {"expired": "expired", "wrong name": "another name", "self-signed": "nobody we trust",
           "no TLS": "has no TLS"}


@pytest.mark.parametrize("certificate", ["good", *REASONS])
def test_without_policies_any_certificate_will_do(make_world, certificate):
    world = make_world()
    peer = world.peer("far.test", certificate)
    world.send("x@far.test")
    assert peer.only_letter()[1] == (certificate != "no TLS")


# MTA-STS

def test_policy_that_is_met(make_world):
    world = make_world()
    peer = world.peer("far.test", "good")
    world.web.set("enforce", "*.far.test")
    world.publish()
    world.send("x@far.test")
    assert peer.only_letter()[1]
    assert world.web.asked == [("mta-sts.far.test", "/.well-known/mta-sts.txt")]
    (domain, key), = world.counted()
    assert ', verified"' in world.server.log()
    assert domain == "far.test" and "sts" in key and "mode: enforce" in key


@pytest.mark.parametrize("certificate", REASONS)
def test_policy_that_is_not_met(make_world, certificate):
    world = make_world()
    peer = world.peer("far.test", certificate)
    world.web.set("enforce", "mx.far.test")
    world.publish()
    world.send("x@far.test")
    world.wait_for_reply(REASONS[certificate])
    assert peer.letters == []
    results = {"expired": "certificate-expired", "wrong name": "certificate-host-mismatch",
               "self-signed": "certificate-not-trusted", "no TLS": "starttls-not-supported"}
    assert any(results[certificate] in key for _, key in world.counted())


def test_host_that_the_policy_does_not_name(make_world):
    world = make_world()
    peer = world.peer("far.test", "good")
    world.web.set("enforce", "*.mail.far.test")
    world.publish()
    world.send("x@far.test")
    world.wait_for_reply("does not name")
    assert peer.letters == []


def test_policy_that_is_only_tested(make_world):
    world = make_world()
    peer = world.peer("far.test", "expired")
    world.web.set("testing", "mx.far.test")
    world.publish()
    world.send("x@far.test")
    assert peer.only_letter()[1]
    assert any("certificate-expired" in key for _, key in world.counted())


@pytest.mark.parametrize("fault", ["not found", "redirect", "HTML", "no policy", "wrong name"])
def test_policy_that_cannot_be_fetched(make_world, fault):
    """Without a policy from before there is none (RFC 8461 section 5)."""
    world = make_world(web_name="www.far.test" if fault == "wrong name" else "mta-sts.far.test")
    peer = world.peer("far.test", "self-signed")
    world.web.set("enforce", "mx.far.test")
    if fault in ("not found", "redirect"):
        world.web.status = {"not found": 404, "redirect": 301}[fault]
    if fault == "HTML":
        world.web.type = "text/html"
    if fault == "no policy":
        world.web.text = "nothing to see"
    world.publish()
    world.send("x@far.test")
    peer.only_letter()
    assert len(world.web.asked) == (fault != "wrong name")
    result = {"no policy": "sts-policy-invalid", "wrong name": "sts-webpki-invalid"}
    assert any(result.get(fault, "sts-policy-fetch-error") in key for _, key in world.counted())


def test_policy_binds_when_it_is_gone(make_world):
    """An attacker who takes the record away, and the web host, and the server's certificate."""
    world = make_world()
    peer = world.peer("far.test", "good")
    world.web.set("enforce", "mx.far.test")
    world.publish()
    world.send("x@far.test")
    peer.only_letter()
    wait_until(lambda: world.server.json("queue", "list") == [], "the queue is empty")
    world.server.stop()
    world.web.status = 404
    world.dns.set("_mta-sts.far.test", "TXT")
    false_peer = world.peer("far.test", "self-signed")
    world.server.start()
    world.send("x@far.test")
    world.wait_for_reply("nobody we trust")
    assert false_peer.letters == []


def test_policy_that_was_changed(make_world):
    world = make_world()
    world.peer("far.test", "good")
    world.web.set("enforce", "mx.other.test")
    world.publish()
    world.send("x@far.test")
    world.wait_for_reply("does not name")
    world.server.run("queue", "remove", "--yes", str(world.server.json("queue", "list")[0]["id"]))
    world.web.set("none")
    world.publish(id="2")
    other = world.peer("far.test", "self-signed")
    world.server.stop()  # the DNS is cached
    world.server.start()
    world.send("x@far.test")
    other.only_letter()
    assert len(world.web.asked) == 2


# DANE

@pytest.mark.parametrize("usage", [2, 3])
def test_certificate_that_is_in_the_dns(make_world, usage):
    world = make_world()
    peer = world.peer("signed.test", "signed")
    if usage == 3:
        world.publish_tlsa("signed")
    else:
        world.dns.set(f"_{world.port}._tcp.mx.signed.test", "TLSA",
                      tlsa(world.authority.path, 2))
    world.send("x@signed.test")
    assert peer.only_letter()[1]
    assert any("tlsa" in key for _, key in world.counted())
    assert ', DANE"' in world.server.log()


@pytest.mark.parametrize("certificate", ["expired", "self-signed", "wrong name"])
def test_key_in_the_dns_is_enough(make_world, certificate):
    """RFC 7672 section 3.1.1: no names, no dates."""
    world = make_world()
    peer = world.peer("signed.test", certificate)
    world.publish_tlsa(certificate)
    world.send("x@signed.test")
    assert peer.only_letter()[1]


@pytest.mark.parametrize("case", ["other certificate", "no TLS", "wrong name of an authority's"])
def test_server_that_does_not_fit_its_record(make_world, case):
    world = make_world()
    peer = world.peer("signed.test", {"other certificate": "good", "no TLS": "no TLS"}.get(
        case, "wrong name"))
    world.publish_tlsa("signed")
    if case.startswith("wrong name"):
        world.dns.set(f"_{world.port}._tcp.mx.signed.test", "TLSA", tlsa(world.authority.path, 2))
    world.send("x@signed.test")
    world.wait_for_reply({"other certificate": "fits no TLSA record",
                          "no TLS": "has no TLS"}.get(case, "another name"))
    assert peer.letters == []


@pytest.mark.parametrize("fault", ["broken", "forged"])
def test_records_that_cannot_be_seen(make_world, fault):
    """Whoever can suppress them could read the mail: it waits (RFC 7672 section 2.1.2)."""
    world = make_world()
    peer = world.peer("signed.test", "signed")
    world.publish_tlsa("signed")
    getattr(world.dns, fault).add(f"_{world.port}._tcp.mx.signed.test")
    world.send("x@signed.test")
    world.wait_for_reply("TLSA records cannot be looked up")
    assert peer.letters == []


def test_records_that_are_not_signed(make_world):
    world = make_world()
    peer = world.peer("far.test", "self-signed")
    record = tlsa(world.certificates["good"] / "cert.pem", 3)
    world.dns.set(f"_{world.port}._tcp.mx.far.test", "TLSA", record)
    world.send("x@far.test")
    assert peer.only_letter()[1]


# What the operator wants

@pytest.mark.parametrize("wish, certificate, reason", [
    ("encrypt", "self-signed", None), ("encrypt", "no TLS", "has no TLS"),
    ("verify", "good", None), ("verify", "self-signed", "nobody we trust")])
def test_wish_of_the_operator(make_world, wish, certificate, reason):
    world = make_world({"outgoing": wish})
    peer = world.peer("far.test", certificate)
    world.send("x@far.test")
    if reason:
        world.wait_for_reply(reason)
        assert peer.letters == []
    else:
        assert peer.only_letter()[1]


# What the sender wants (RFC 8689)

@pytest.fixture
def require_tls_peers(monkeypatch):
    monkeypatch.setattr(Controller, "factory",
                        lambda self: RequireTlsPeer(self.handler, **self.SMTP_kwargs))


@pytest.mark.parametrize("proof", ["DANE", "DNSSEC", "MTA-STS"])
def test_tls_that_the_sender_requires(make_world, require_tls_peers, proof):
    world = make_world()
    domain = "far.test" if proof == "MTA-STS" else "signed.test"
    peer = world.peer(domain, "good" if proof == "MTA-STS" else "signed")
    if proof == "MTA-STS":
        world.web.set("testing", "mx.far.test")
        world.publish()
    elif proof == "DANE":
        world.publish_tlsa("signed")
    world.send(f"x@{domain}", mail_options=["REQUIRETLS"])
    assert peer.only_letter()[1] and peer.required


@pytest.mark.parametrize("case, status", [
    ("not promised", "5.7.30"), ("name not proven", "5.7.10"), ("no TLS", "5.7.10")])
def test_tls_that_the_sender_cannot_have(make_world, request, case, status):
    """The sender is told at once, and gets the header only."""
    if case != "not promised":
        request.getfixturevalue("require_tls_peers")
    world = make_world()
    domain = "far.test" if case == "name not proven" else "signed.test"
    peer = world.peer(domain, {"name not proven": "good", "no TLS": "no TLS"}.get(case, "signed"))
    world.send(f"x@{domain}", mail_options=["REQUIRETLS", "RET=FULL"])
    bounce = world.bounce()
    assert f"Status: {status}" in bounce and "text/rfc822-headers" in bounce
    assert peer.letters == []


def test_ordinary_mail_does_not_say_requiretls(make_world, require_tls_peers):
    world = make_world()
    peer = world.peer("signed.test", "signed")
    world.send("x@signed.test")
    assert peer.only_letter()[1] and not peer.required


@pytest.mark.parametrize("policy", ["MTA-STS", "DANE"])
@pytest.mark.parametrize("certificate", ["self-signed", "no TLS"])
def test_tls_that_the_sender_does_not_require(make_world, policy, certificate):
    """What else could tell a postmaster that his certificate has expired?"""
    world = make_world()
    domain = "far.test" if policy == "MTA-STS" else "signed.test"
    peer = world.peer(domain, certificate)
    if policy == "MTA-STS":
        world.web.set("enforce", "mx.far.test")
        world.publish()
    else:
        world.publish_tlsa("signed")
    world.send(f"x@{domain}", headers="TLS-Required: No\r\n")
    assert peer.only_letter()[1] == (certificate != "no TLS")
