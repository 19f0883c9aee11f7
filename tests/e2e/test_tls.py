"""TLS at all ports: nothing weak (sslscan), and certificates that change under load."""
import re
import signal
import shutil
import socket
import ssl
import subprocess
import threading
import xml.etree.ElementTree as xml

import pytest

from server import Server, make_certificate, wait_until

PORTS = [("smtp", "smtp"), ("submission", "smtp"), ("submissions", None), ("imap", "imap"),
         ("imaps", None), ("pop3", "pop3"), ("pop3s", None)]
GOOD_CIPHERS = {
    "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"} | {
    f"ECDHE-{key}-{cipher}" for key in ["ECDSA", "RSA"]
    for cipher in ["AES256-GCM-SHA384", "AES128-GCM-SHA256", "CHACHA20-POLY1305"]}


def scan(port, starttls):
    options = [f"--starttls-{starttls}"] if starttls else []
    done = subprocess.run(["sslscan", "--no-colour", "--xml=-", *options, f"localhost:{port}"],
                          capture_output=True, text=True, timeout=120, check=True)
    return xml.fromstring(done.stdout).find("ssltest")


def check_scan(test):
    enabled = {(row.get("type"), row.get("version")) for row in test.iter("protocol")
               if row.get("enabled") == "1"}
    assert enabled == {("tls", "1.2"), ("tls", "1.3")}
    assert len(list(test.iter("protocol"))) == 6
    assert {row.get("vulnerable") for row in test.iter("heartbleed")} == {"0"}
    for row in test.iter("renegotiation"):
        assert row.get("supported") == "0" or row.get("secure") == "1"
    for row in test.iter("compression"):
        assert row.get("supported") == "0"
    found = {row.get("cipher") for row in test.iter("cipher")}
    assert len(found) >= 6 and found <= GOOD_CIPHERS, found - GOOD_CIPHERS
    for row in test.iter("cipher"):
        assert row.get("strength") in ("strong", "acceptable") and int(row.get("bits")) >= 128
    for row in test.iter("group"):
        assert int(row.get("bits")) >= 112
    algorithm = test.find("certificates/certificate/signature-algorithm").text
    assert re.search("sha(256|384|512)", algorithm, re.I)
    assert test.find("certificates/certificate/pk").get("error") == "false"


def make_rsa_certificate(folder):
    folder.mkdir(parents=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                    "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, capture_output=True)


@pytest.mark.skipif(not shutil.which("sslscan"), reason="sslscan is not installed")
def test_nothing_weak(tmp_path):
    with Server(tmp_path) as server:
        for name, starttls in PORTS:
            check_scan(scan(server.ports[name], starttls))


@pytest.mark.skipif(not shutil.which("sslscan"), reason="sslscan is not installed")
def test_rsa_key(tmp_path):
    make_rsa_certificate(tmp_path / "s")
    with Server(tmp_path / "s") as server:
        check_scan(scan(server.ports["imaps"], None))


# --- certificates that change ---


def imap_hello(sock):
    read_line(sock)
    sock.sendall(b"a STARTTLS\r\n")
    assert read_line(sock).startswith(b"a OK")


def pop3_hello(sock):
    read_line(sock)
    sock.sendall(b"STLS\r\n")
    assert read_line(sock).startswith(b"+OK")


def smtp_hello(sock):
    read_line(sock)
    sock.sendall(b"EHLO there\r\n")
    while read_line(sock)[3:4] == b"-":
        pass
    sock.sendall(b"STARTTLS\r\n")
    assert read_line(sock).startswith(b"220")


def read_line(sock):
    line = b""
    while not line.endswith(b"\n"):
        byte = sock.recv(1)
        assert byte, "the server hung up"
        line += byte
    return line


HELLOS = {"smtp": smtp_hello, "imap": imap_hello, "pop3": pop3_hello, None: lambda sock: None}


class Shaker(threading.Thread):
    """Shakes hands at one port until told to stop; each time all has to work."""

    def __init__(self, port, starttls, context, stop):
        super().__init__(daemon=True)
        self.port, self.hello, self.context, self.stop = port, HELLOS[starttls], context, stop
        self.count, self.seen, self.failure = 0, set(), None

    def run(self):
        try:
            while not self.stop.is_set():
                self.shake()
        except Exception as failure:  # told by the test
            self.failure = failure

    def shake(self):
        with socket.create_connection(("localhost", self.port), timeout=30) as sock:
            self.hello(sock)
            with self.context.wrap_socket(sock, server_hostname="localhost") as tls:
                self.seen.add(tls.getpeercert(True))
                if self.hello is HELLOS[None]:
                    assert tls.recv(1)
        self.count += 1


def count_reloads(server):
    return len(re.findall(r" reload sessions=", server.log()))


def reload(server, wanted):
    """By SIGHUP; a second one may come before the first was acted on."""
    before = count_reloads(server)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: count_reloads(server) >= before + wanted, "the daemons have reloaded")


def test_reload_under_load(tmp_path):
    rounds, folders = 50, [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        make_certificate(folder)
    with Server(tmp_path / "s") as server:
        context = ssl.create_default_context()
        for folder in folders + [server.folder]:
            context.load_verify_locations(folder / "cert.pem")
        stop = threading.Event()
        shakers = [Shaker(server.ports[name], starttls, context, stop) for name, starttls in PORTS]
        for shaker in shakers:
            shaker.start()
        for number in range(rounds):
            for name in ["cert.pem", "key.pem"]:
                shutil.copy(folders[number % 2] / name, server.folder / f"{name}.new")
                (server.folder / f"{name}.new").rename(server.folder / name)
            reload(server, 3)
            counts = [shaker.count for shaker in shakers]
            wait_until(lambda: all(shaker.failure or shaker.count > count + 1
                                   for shaker, count in zip(shakers, counts)), "handshakes go on")
        stop.set()
        for shaker in shakers:
            shaker.join(60)
        certificates = {ssl.PEM_cert_to_DER_cert((folder / "cert.pem").read_text())
                        for folder in folders}
        for shaker in shakers:
            assert shaker.failure is None, f"port {shaker.port}: {shaker.failure!r}"
            assert certificates <= shaker.seen
        assert "reload failed" not in server.log()


def test_broken_certificate(tmp_path):
    server = Server(tmp_path)
    # GnuTLS 3.7 does not free all of a file that it refuses.
    (tmp_path / "leaks").write_text("leak:gnutls_x509_crt_init\n")
    server.environment["LSAN_OPTIONS"] = f"suppressions={tmp_path / 'leaks'}:print_suppressions=0"
    with server:
        server.add_account("alice@example.test")
        good = [(server.folder / name).read_bytes() for name in ["cert.pem", "key.pem"]]
        for cert, key in [(good[0][:200], good[1]), (b"", good[1]), (good[0], b"nonsense")]:
            (server.folder / "cert.pem").write_bytes(cert)
            (server.folder / "key.pem").write_bytes(key)
            failures = server.log().count("reload failed")
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: server.log().count("reload failed") >= failures + 3, "it is told")
            for login in [server.imap, server.pop3, server.submission]:
                login("alice@example.test")
        for name, content in zip(["cert.pem", "key.pem"], good):
            (server.folder / name).write_bytes(content)
        reload(server, 3)
        server.imap("alice@example.test").logout()
