"""Mail for other domains: found through DNS, given to their servers, tried again, returned.

The DNS and the other servers are played here, on loopback addresses: all servers have the port of
the setting remote_port, so each needs an address of its own.
"""
import contextlib
import email
import itertools
import re
import smtplib
import socket
import socketserver
import struct
import threading

import pytest
from aiosmtpd.controller import Controller, UnixSocketController
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP as PeerProtocol, AuthResult

from server import DOMAIN, free_ports, make_certificate, wait_until

A, MX, AAAA = 1, 15, 28
NXDOMAIN, SERVFAIL = 3, 2
addresses = (f"127.0.1.{n}" for n in itertools.count(1))


def wire_name(name):
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(packet):
    """(name, type, the question section's bytes) of a query."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
        at += 1 + packet[at]
    return ".".join(labels), struct.unpack_from("!H", packet, at + 1)[0], packet[12:at + 5]


class Dns:
    """A name server (RFC 1035 section 4) that knows `mx` and `a`: {name: [(preference, host)]} and
    {name: [address]}. Other names do not exist."""

    def __init__(self):
        self.mx, self.a, self.broken = {}, {}, set()
        dns = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                packet, sock = self.request
                sock.sendto(dns.answer(packet), self.client_address)

        self.udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler)
        self.server = "127.0.0.1@%d" % self.udp.server_address[1]
        threading.Thread(target=self.udp.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, packet):
        name, kind, asked = question(packet)
        records = []
        if kind == MX:
            records = [struct.pack("!H", preference) + wire_name(host)
                       for preference, host in self.mx.get(name, [])]
        elif kind == A:
            records = [socket.inet_aton(address) for address in self.a.get(name, [])]
        rcode = 0
        if name in self.broken:
            rcode = SERVFAIL
        elif name not in self.mx and name not in self.a:
            rcode = NXDOMAIN
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) + data
                        for data in records)
        head = packet[:2] + struct.pack("!HHHHH", 0x8580 | rcode, 1, len(records), 0, 0)
        return head + asked + body

    def close(self):
        self.udp.shutdown()
        self.udp.server_close()


class Peer:
    """Somebody else's server: takes mail, or says what the lists in `refusals` hold, one reply for
    each time it is asked."""

    def __init__(self, port, certificates=None, address=None, **options):
        self.address = address or next(addresses)
        self.letters, self.refusals = [], {"RCPT": [], "DATA": []}
        self.connections = set()
        tls = None
        if certificates:
            import ssl
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        self.controller = Controller(self, hostname=self.address, port=port,
                                     server_hostname="peer.test", tls_context=tls,
                                     enable_SMTPUTF8=True, **options)
        self.controller.start()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refusals["RCPT"]:
            return self.refusals["RCPT"].pop(0)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refusals["DATA"]:
            return self.refusals["DATA"].pop(0)
        self.connections.add(session.peer)
        self.letters.append((envelope, session.ssl is not None))
        return "250 2.0.0 taken"

    def only_letter(self):
        wait_until(lambda: self.letters, "the other server has the message")
        assert len(self.letters) == 1
        return self.letters[0]

    def close(self):
        self.controller.stop()


class World:
    def __init__(self, make_server, stack, smtp, resolver):
        self.stack = stack
        self.dns = Dns()
        stack.callback(self.dns.close)
        self.port = free_ports(1)[0]
        settings = {"remote_port": self.port, "retry_last": "1s"}
        self.server = make_server({"smtp": settings | (smtp or {}),
                                   "dns": {"resolver": resolver or self.dns.server}})
        self.sender = self.server.add_account(f"sender@{DOMAIN}")
        stack.enter_context(self.server)

    def peer(self, *domains, preference=10, **options):
        """A running server that is an MX of the domains."""
        peer = Peer(self.port, **options)
        self.stack.callback(peer.close)
        for domain in domains:
            self.add_mx(domain, peer.address, preference)
        return peer

    def add_mx(self, domain, address, preference=10):
        host = f"mx{address.rsplit('.')[-1]}.{domain}"
        self.dns.mx.setdefault(domain, []).append((preference, host))
        self.dns.a[host] = [address]

    def send(self, *recipients, text="hi\r\n.dot\r\n", **options):
        with self.server.submission(self.sender) as smtp:
            smtp.sendmail(self.sender, list(recipients),
                          f"From: {self.sender}\r\nSubject: far\r\n\r\n{text}".encode(), **options)

    def bounce(self):
        self.server.wait_for_mail(self.sender)
        texts = self.server.messages(self.sender)
        assert len(texts) == 1
        message = email.message_from_bytes(texts[0])
        assert message.get_content_type() == "multipart/report"
        self.wait_for_empty_queue()
        return message, message.get_payload(1).as_string()

    def queue(self):
        return self.server.json("queue", "list")

    def wait_for_empty_queue(self):
        wait_until(lambda: self.queue() == [], "the queue is empty")

    def recipient(self):
        number = str(self.queue()[0]["id"])
        return self.server.json("queue", "show", number)["recipients"][0]

    def wait_for_try(self, count=1):
        return wait_until(lambda: self.recipient()["tries"] >= count and self.recipient(),
                          f"{count} tries")


@pytest.fixture
def make_world(make_server):
    with contextlib.ExitStack() as stack:
        yield lambda smtp=None, resolver=None: World(make_server, stack, smtp, resolver)


def test_delivered(make_world):
    world = make_world()
    peer = world.peer("far.test")
    world.send("x@far.test", "y@far.test")
    envelope, secure = peer.only_letter()
    assert not secure
    assert envelope.mail_from == world.sender
    assert sorted(envelope.rcpt_tos) == ["x@far.test", "y@far.test"]
    assert envelope.content.endswith(b"\r\n\r\nhi\r\n.dot\r\n")
    assert envelope.content.startswith(b"Received: ")
    world.wait_for_empty_queue()
    assert world.server.count(world.sender) == 0


def test_large_message_arrives_whole(make_world):
    world = make_world()
    peer = world.peer("far.test")
    text = "".join(f".line {n} \r\n" for n in range(60000))
    world.send("x@far.test", text=text)
    envelope, _ = peer.only_letter()
    assert envelope.content.endswith(("\r\n\r\n" + text).encode())


def test_starttls_with_any_certificate(make_world, tmp_path):
    make_certificate(tmp_path)
    world = make_world()
    peer = world.peer("far.test", certificates=tmp_path)
    world.send("x@far.test")
    _, secure = peer.only_letter()
    assert secure


def test_domain_without_mx(make_world):
    world = make_world()
    peer = world.peer()
    world.dns.a["plain.test"] = [peer.address]
    world.send("x@plain.test")
    peer.only_letter()


def test_address_literal(make_world):
    world = make_world()
    peer = world.peer()
    world.send(f"x@[{peer.address}]")
    peer.only_letter()


def test_next_server_when_the_first_is_down(make_world):
    world = make_world({"retry_first": "1h", "retry_last": "1h"})
    world.add_mx("far.test", next(addresses), preference=1)
    peer = world.peer("far.test", preference=20)
    world.send("x@far.test")
    peer.only_letter()


def test_refused_recipient_is_reported(make_world):
    world = make_world()
    peer = world.peer("far.test")
    peer.refusals["RCPT"] = ["550 5.1.1 no such user here"]
    world.send("gone@far.test", "there@far.test")
    envelope, _ = peer.only_letter()
    assert envelope.rcpt_tos == ["there@far.test"]
    message, status = world.bounce()
    assert message["To"] == world.sender
    assert "gone@far.test" in status and "there@far.test" not in status
    assert "Action: failed" in status and "Status: 5.1.1" in status
    assert "no such user here" in status
    assert re.search(r"Remote-MTA: dns; ?mx\d+\.far\.test", status)


def test_refused_message_is_reported(make_world):
    world = make_world()
    peer = world.peer("far.test")
    peer.refusals["DATA"] = ["554 5.7.1 we do not like it"]
    world.send("x@far.test")
    assert "Status: 5.7.1" in world.bounce()[1]


def test_accepted_at_the_second_try(make_world):
    world = make_world()
    peer = world.peer("far.test")
    peer.refusals["RCPT"] = ["451 4.7.1 greylisted, come back later"]
    world.send("x@far.test")
    peer.only_letter()
    world.wait_for_empty_queue()
    assert world.server.count(world.sender) == 0


def test_connection_refused_until_given_up(make_world):
    world = make_world({"give_up": "3s"})
    world.add_mx("far.test", next(addresses))
    world.send("x@far.test")
    message, status = world.bounce()
    assert "Action: failed" in status and "Status: 4.4.1" in status and "refused" in str(message)


@pytest.mark.parametrize("case", ["null MX", "no such domain", "MX without address", "own name"])
def test_no_way(make_world, case):
    """These can be known at once: nothing is tried again."""
    world = make_world({"retry_first": "1h", "retry_last": "1h"})
    if case == "null MX":
        world.dns.mx["far.test"], expected = [(0, "")], "5.1.10"
    elif case == "no such domain":
        expected = "5.1.2"
    elif case == "MX without address":
        world.dns.mx["far.test"], expected = [(10, "nowhere.test")], "5.4.4"
    else:
        world.dns.mx["far.test"], expected = [(10, "mx.example.test")], "5.4.6"
    world.send("x@far.test")
    assert f"Status: {expected}" in world.bounce()[1]


def test_names_that_cannot_be_looked_up(make_world):
    world = make_world({"retry_first": "1h", "retry_last": "1h"})
    world.dns.broken.add("far.test")
    world.send("x@far.test")
    assert "looked up" in world.wait_for_try()["last_reply"]
    assert len(world.queue()) == 1 and world.server.count(world.sender) == 0


def test_unreachable_resolver_keeps_mail(make_world):
    world = make_world({"retry_first": "1h", "retry_last": "1h"}, resolver="127.0.0.1@1")
    world.send("x@far.test")
    assert "looked up" in world.wait_for_try()["last_reply"]
    assert len(world.queue()) == 1 and world.server.count(world.sender) == 0


class ChunkingHandler(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 peer.test")
        letter = b""
        while line := self.rfile.readline():
            verb, *words = line.split()
            if verb == b"EHLO":
                self.say("250-peer.test\r\n250-8BITMIME\r\n250-BINARYMIME\r\n250 CHUNKING")
            elif verb == b"DATA":
                self.say("554 BDAT only")
            elif verb == b"BDAT":
                letter += self.rfile.read(int(words[0]))
                self.server.letters += [letter] if words[1:] == [b"LAST"] else []
                self.say("250 ok")
            else:
                self.server.said.append(line)
                self.say("221 bye" if verb == b"QUIT" else "250 ok")

    def say(self, reply):
        self.wfile.write(reply.encode() + b"\r\n")


class ChunkingPeer(socketserver.ThreadingTCPServer):
    """Takes messages by BDAT only (RFC 3030)."""
    allow_reuse_address, daemon_threads = True, True

    def __init__(self, address, port):
        super().__init__((address, port), ChunkingHandler)
        self.letters, self.said = [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


def send_binary(world, content):
    with world.server.submission(world.sender) as smtp:
        smtp.ehlo()
        for command in (f"MAIL FROM:<{world.sender}> BODY=BINARYMIME", "RCPT TO:<x@far.test>"):
            assert smtp.docmd(command)[0] == 250
        smtp.send(b"BDAT %d LAST\r\n" % len(content) + content)
        assert smtp.getreply()[0] == 250


def test_messages_in_chunks(make_world):
    """Large ones, and binary ones byte by byte as they are."""
    world = make_world({"retry_first": "1h", "retry_last": "1h"})
    peer = ChunkingPeer(next(addresses), world.port)
    world.stack.callback(peer.close)
    world.add_mx("far.test", peer.server_address[0])
    text = "".join(f".line {n}\r\n" for n in range(60000))
    world.send("x@far.test", text=text)
    wait_until(lambda: peer.letters, "the large one has come")
    assert peer.letters[0].endswith(("\r\n\r\n" + text).encode())
    body = bytes(range(256)) * 20 + b"\n.\r.\r\n.\r\n\0"
    send_binary(world, b"Subject: b\r\nFrom: " + world.sender.encode() + b"\r\n\r\n" + body)
    wait_until(lambda: len(peer.letters) == 2, "the binary one has come")
    assert peer.letters[1].endswith(b"\r\n\r\n" + body)
    assert any(b"BODY=BINARYMIME" in line for line in peer.said)
    world.wait_for_empty_queue()


def test_ipv6(make_world):
    world = make_world()
    try:
        peer = Peer(world.port, address="::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    world.stack.callback(peer.close)
    world.send("x@[IPv6:::1]")
    assert peer.only_letter()[0].rcpt_tos == ["x@[IPv6:::1]"]


class SevenBitPeer(PeerProtocol):
    """Offers neither 8BITMIME nor SMTPUTF8."""

    async def push(self, status):
        text = status if isinstance(status, str) else status.decode()
        await super().push(re.sub(r"8BITMIME|SMTPUTF8", "XNOTHING", text))


def test_8bit_message_for_a_7bit_server(make_world, monkeypatch):
    monkeypatch.setattr(Controller, "factory",
                        lambda self: SevenBitPeer(self.handler, **self.SMTP_kwargs))
    world = make_world({"retry_first": "1h", "retry_last": "1h"})
    peer = world.peer("far.test")
    world.send("x@far.test", text="gr\u00fc\u00dfe\r\n", mail_options=["BODY=8BITMIME"])
    report, status = world.bounce()
    assert "Status: 5.6.3" in status
    assert "quoted-printable" in report.get_payload(0).get_payload()  # what to do
    world.send("x@far.test")
    assert peer.only_letter()[0].content.endswith(b".dot\r\n")


def test_alias_to_a_remote_address(make_world):
    world = make_world()
    peer = world.peer("far.test")
    world.server.run("alias", "add", f"sales@{DOMAIN}", "shop@far.test", world.sender)
    world.server.deliver(f"sales@{DOMAIN}", "Subject: order\n\nten\n", sender="b@elsewhere.test")
    envelope, _ = peer.only_letter()
    assert envelope.rcpt_tos == ["shop@far.test"]
    assert re.fullmatch(rf"SRS0=\w{{4}}=\w\w=elsewhere\.test=b@{DOMAIN}", envelope.mail_from)
    world.server.wait_for_mail(world.sender)


def test_bounce_nobody_takes_is_dropped(make_world):
    """The report of a failed message has the null sender: when it fails too, that is the end."""
    world = make_world({"retry_first": "1h", "retry_last": "1h"})
    world.server.run("alias", "add", f"sales@{DOMAIN}", "shop@nowhere.test")
    world.server.deliver(f"sales@{DOMAIN}", "Subject: order\n\nten\n", sender="b@gone.test")
    world.wait_for_empty_queue()
    wait_until(lambda: " dropped " in world.server.log(), "the report was dropped")


def test_operator_retries_and_removes(make_world):
    world = make_world({"retry_first": "1h", "retry_last": "1h"})
    peer = world.peer("far.test")
    peer.refusals["RCPT"] = ["451 4.7.1 later", "451 4.7.1 later still"]
    world.send("x@far.test")
    assert "4.7.1 later" in world.wait_for_try()["last_reply"]
    world.server.run("queue", "retry", "--all")
    assert "later still" in world.wait_for_try(2)["last_reply"]
    world.server.run("queue", "retry", str(world.queue()[0]["id"]))
    peer.only_letter()
    world.wait_for_empty_queue()
    peer.refusals["RCPT"] = ["451 4.7.1 later"]
    world.send("x@far.test")
    world.wait_for_try()
    world.server.run("queue", "remove", str(world.queue()[0]["id"]), "--yes")
    assert world.queue() == [] and len(peer.letters) == 1


def test_queue_survives_a_kill(make_world):
    world = make_world({"retry_first": "1h", "retry_last": "1h"})
    world.add_mx("far.test", next(addresses))
    world.send("x@far.test")
    world.wait_for_try()
    world.server.kill("smtpd")
    peer = world.peer("far.test")
    wait_until(lambda: world.server.command("status").returncode == 0, "it is back")
    world.server.run("queue", "retry", "--all")
    peer.only_letter()


def test_connections_are_used_again(make_world):
    world = make_world()
    peer = world.peer("far.test")
    for n in range(10):
        world.send(f"x{n}@far.test")
    wait_until(lambda: len(peer.letters) == 10, "all have come")
    assert len(peer.connections) < 10
    assert sorted(e.rcpt_tos for e, _ in peer.letters) == [[f"x{n}@far.test"] for n in range(10)]


def test_connection_is_usable_after_a_refusal(make_world):
    world = make_world({"deliveries_per_site": 1})
    peer = world.peer("far.test")
    peer.refusals["RCPT"] = ["451 4.7.1 later"]
    world.send("x@far.test")
    world.send("y@far.test")
    wait_until(lambda: len(peer.letters) == 2, "both have come")
    world.wait_for_empty_queue()


def test_dead_site_is_not_tried_for_each(make_world):
    """One try is made; the others are deferred with its reason."""
    world = make_world({"retry_first": "1h", "retry_last": "1h"})
    world.add_mx("dead.test", next(addresses))
    peer = world.peer("far.test")
    world.send("first@dead.test")
    world.wait_for_try()
    for n in range(20):
        world.send(f"x{n}@dead.test")
    world.send("x@far.test")
    peer.only_letter()
    waiting = lambda: [m for m in world.queue() if "dead.test" in str(m)]
    wait_until(lambda: all("refused" in row["last_reply"]
                           for m in waiting()
                           for row in world.server.json("queue", "show", str(m["id"]))["recipients"]),
               "all have the reason")
    assert len(waiting()) == 21
    assert world.server.log().count("site backs off") == 1


def test_routes(make_world, tmp_path):
    """A relay for one domain, others thrown away or refused; a relay needs no DNS."""
    relay_address = next(addresses)
    port = free_ports(1)[0]
    world = make_world({"routes": f"far.test=relay:{relay_address}:{port} old.test=discard "
                                  "no.test=reject"})
    peer = Peer(port, address=relay_address)
    world.stack.callback(peer.close)
    world.send("x@far.test")
    assert peer.only_letter()[0].rcpt_tos == ["x@far.test"]
    world.send("x@old.test")
    wait_until(lambda: " discarded " in world.server.log(), "it is thrown away")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        world.send("x@no.test")
    assert refused.value.recipients["x@no.test"][0] == 550
    world.server.run("alias", "add", f"list@{DOMAIN}", "x@no.test")
    world.send(f"list@{DOMAIN}")
    assert "Status: 5.7.1" in world.bounce()[1]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_relay_with_login(make_world, tmp_path, mechanism):
    make_certificate(tmp_path)
    relay_address = next(addresses)
    port = free_ports(1)[0]
    world = make_world({"routes": f"*=relay:{relay_address}:{port},auth", "relay_login": "us",
                        "relay_password": "secret"})
    logins = []

    def authenticate(server, session, envelope, mechanism, data):
        logins.append((mechanism, data.login, data.password))
        return AuthResult(success=True)

    peer = Peer(port, address=relay_address, certificates=tmp_path, auth_required=True,
                auth_exclude_mechanism={"PLAIN", "LOGIN"} - {mechanism},
                authenticator=authenticate)
    world.stack.callback(peer.close)
    world.send("x@far.test")
    world.send("y@elsewhere.test")
    wait_until(lambda: len(peer.letters) == 2, "both have come")
    assert set(logins) == {(mechanism, b"us", b"secret")} and all(s for _, s in peer.letters)


class LmtpController(UnixSocketController):
    def factory(self):
        return LMTP(self.handler, **self.SMTP_kwargs)


class Mailboxes:
    """Takes what is for others than "full"; a reply for each recipient."""

    def __init__(self):
        self.letters = []

    async def handle_DATA(self, server, session, envelope):
        self.letters.append(envelope)
        return "\r\n".join("552 5.2.2 no room" if to.startswith("full") else "250 2.0.0 taken"
                           for to in envelope.rcpt_tos)


def test_lmtp_at_a_unix_socket(make_world, tmp_path):
    path = tmp_path / "lmtp"
    world = make_world({"routes": f"far.test=lmtp:{path}"})
    handler = Mailboxes()
    controller = LmtpController(handler, unix_socket=str(path))
    controller.start()
    world.stack.callback(controller.stop)
    path.chmod(0o777)
    world.send("x@far.test", "full@far.test", "y@far.test")
    status = world.bounce()[1]
    assert "full@far.test" in status and "Status: 5.2.2" in status and "x@far.test" not in status
    assert len(handler.letters) == 1


def test_lmtp_listener_of_our_own(make_world):
    """It trusts this machine, but relays for nobody."""
    world = make_world()
    world.server.settings["smtp"]["routes"] = f"far.test=lmtp:127.0.0.1:{world.server.ports['lmtp']}"
    world.server.write_config()
    world.server.stop()
    world.server.start()
    world.send("x@far.test")
    assert "Status: 5.7.1" in world.bounce()[1]


def test_password_is_not_given_in_clear(make_world):
    relay_address = next(addresses)
    port = free_ports(1)[0]
    world = make_world({"routes": f"*=relay:{relay_address}:{port},auth", "relay_login": "us",
                        "relay_password": "secret", "retry_first": "1h", "retry_last": "1h"})
    peer = Peer(port, address=relay_address)
    world.stack.callback(peer.close)
    world.send("x@far.test")
    assert "TLS" in world.wait_for_try()["last_reply"]
    assert peer.letters == []
