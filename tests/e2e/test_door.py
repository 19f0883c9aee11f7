"""At the door of the MX port: DNS lists, names of clients, early talkers, rates, greylisting."""
import smtplib
import socket

import pytest

from nameserver import Dns
from server import DOMAIN, PATIENCE, wait_until

ALICE = f"alice@{DOMAIN}"
NOTE = "Subject: note\n\nHello.\n"


@pytest.fixture
def names():
    server = Dns()
    yield server
    server.close()


@pytest.fixture
def make_door(make_server, names):
    """A server that looks at loopback clients as if they were strangers."""
    def make(**settings):
        server = make_server({"door": settings, "smtp": {"trusted_networks": "", "errors": 100},
                              "dns": {"resolver": names.server, "trust_anchor": "none"}})
        server.add_account(ALICE)
        return server
    return make


NAMELESS = "127.0.0.2"  # the resolver itself knows that 127.0.0.1 is localhost, and no others


def rcpt(server, to=ALICE, address="127.0.0.1"):
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=PATIENCE,
                      source_address=(address, 0)) as smtp:
        smtp.ehlo("client.test")
        smtp.mail("a@elsewhere.test")
        code, text = smtp.rcpt(to)
    return code, text.decode()


def test_listed_client(make_door, names):
    names.add("1.0.0.127.bl.test", "A", "127.0.0.2")
    names.add("1.0.0.127.bl.test", "TXT", '"See https://bl.test/"')
    with make_door(dnsbl="other.test bl.test=127.0.0.2") as server:
        assert rcpt(server) == (
            550, "5.7.1 Client [127.0.0.1] is listed by bl.test: See https://bl.test/")
        assert rcpt(server, f"postmaster@{DOMAIN}")[0] == 250
        with server.submission(ALICE) as smtp:
            smtp.sendmail(ALICE, [ALICE], NOTE)
        server.wait_for_mail(ALICE)
        assert 'reason="5.7.1 Client [127.0.0.1] is listed by bl.test' in server.log()


def test_a_list_that_fails_refuses_nobody(make_door, names):
    names.broken.add("1.0.0.127.bl.test")
    names.add("1.0.0.127.lies.test", "A", "192.0.2.1")
    with make_door(dnsbl="bl.test lies.test") as server:
        assert rcpt(server)[0] == 250


def test_name_of_the_client(make_door):
    with make_door(iprev="refuse") as server:
        assert rcpt(server, address=NAMELESS)[1].startswith("5.7.25 ")
        assert rcpt(server)[0] == 250


def first_line(server, say):
    with socket.create_connection(("127.0.0.1", server.ports["smtp"]), PATIENCE) as sock:
        sock.sendall(say)
        return sock.makefile("rb").readline()


def test_early_talker(make_door):
    with make_door(greeting_delay="200ms", early_talkers="refuse") as server:
        assert first_line(server, b"EHLO x\r\n").startswith(b"554 5.5.1 ")
        assert first_line(server, b"").startswith(b"220 ")
        assert "early talker" in server.log()


def test_connection_rate(make_door):
    with make_door(address_rate=3) as server:
        lines = [first_line(server, b"") for _ in range(5)]
        assert [line[:3] for line in lines] == [b"220"] * 3 + [b"421"] * 2
        assert b"Too many connections from [127.0.0.1]" in lines[4]
        with server.submission(ALICE) as smtp:
            smtp.noop()


def test_greylist(make_door):
    with make_door(greylist="yes", greylist_delay="1s") as server:
        code, text = rcpt(server, address=NAMELESS)
        assert code == 451 and "greylisted, it has no name" in text
        assert rcpt(server)[0] == 250
        wait_until(lambda: rcpt(server, address=NAMELESS)[0] == 250, "passed after its delay")
        server.stop()
        server.start()
        assert rcpt(server, address=NAMELESS)[0] == 250


def test_wrong_setting(make_door):
    server = make_door(dnsbl="nonsense*0")
    with pytest.raises(AssertionError):
        server.start()
    assert "[door] dnsbl" in server.log()
    server.process.kill()
    server.process.wait()


def proxied(server, port, address):
    """A connection through a proxy on loopback, for a client that is elsewhere."""
    sock = socket.create_connection(("127.0.0.1", server.ports[port]), PATIENCE)
    sock.sendall(f"PROXY TCP4 {address} 127.0.0.1 5000 25\r\n".encode())
    return sock


def test_proxy(make_server):
    server = make_server({"listen": {"proxy_hosts": "127.0.0.1"}})
    server.add_account(ALICE)
    with server:
        with proxied(server, "smtp", "192.0.2.44") as sock:
            stream = sock.makefile("rb")
            assert stream.readline().startswith(b"220 ")
            for command in ("EHLO x", "MAIL FROM:<a@far.test>", f"RCPT TO:<{ALICE}>", "DATA",
                            NOTE.replace("\n", "\r\n") + "."):
                sock.sendall(command.encode() + b"\r\n")
                line = stream.readline()
                while line[3:4] == b"-":
                    line = stream.readline()
                assert line[0:1] in b"23", line
        with server.tls.wrap_socket(proxied(server, "imaps", "2.3.4.5"),
                                    server_hostname="localhost") as sock:
            assert sock.makefile("rb").readline().startswith(b"* OK")
        with socket.create_connection(("127.0.0.1", server.ports["pop3"]), PATIENCE) as sock:
            sock.sendall(b"QUIT\r\n")
            assert sock.recv(100) == b""
        assert 'peer="192.0.2.44"' in server.log() or "peer=192.0.2.44" in server.log()
        assert "no PROXY header from a proxy" in server.log()


def test_a_proxy_that_is_none(server):
    with proxied(server, "smtp", "192.0.2.44") as sock:
        stream = sock.makefile("rb")
        assert stream.readline().startswith(b"220 ")
        assert stream.readline().startswith(b"500 ")
