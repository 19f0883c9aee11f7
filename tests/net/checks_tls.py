"""DANE and MTA-STS between servers that know nothing of each other but the DNS."""
import hashlib
import http.server
import json
import ssl
import subprocess
import threading

from lab import NETWORK, wait_until

PATIENCE = 30
POLICY = "version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"


def digest_of_key(certificate):
    """For TLSA 3 1 1: SHA-256 of the public key (RFC 6698 section 2.1)."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True,
                         capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, check=True,
                         capture_output=True).stdout
    return hashlib.sha256(der).hexdigest()


def publish_tlsa(net, peer, digest):
    net.lab.change_dns(f"_25._tcp.{peer.mx}", [f"TLSA 3 1 1 {digest}"])


def waits(domain, address):
    """The recipient's entry in the queue, after a try."""
    for row in domain.queue():
        shown = domain.server.command("queue", "show", str(row["id"]), "--json")
        for to in json.loads(shown.stdout or '{"recipients": []}')["recipients"]:
            if to["address"] == address and to["tries"] > 0 and to["state"] != "ended":
                return to
    return None


def tls_dane_is_met(net):
    publish_tlsa(net, net.three, digest_of_key(net.three.folder / "cert.pem"))
    net.one.send(net.three.user, "with DANE")
    net.three.wait_for("with DANE")


def tls_dane_is_not_met(net):
    """The message waits, says why, and goes when the record is right. (Nobody at two.test has asked
    for this record before: the resolver remembers.)"""
    publish_tlsa(net, net.four, "00" * 32)
    net.two.send(net.four.user, "with wrong DANE")
    to = wait_until(lambda: waits(net.two, net.four.user), "the message waits", PATIENCE)
    assert "TLS" in str(to) or "certificate" in str(to), to
    publish_tlsa(net, net.four, digest_of_key(net.four.folder / "cert.pem"))
    net.four.wait_for("with wrong DANE", PATIENCE)


def tls_from_postfix_by_dane(net):
    """Postfix demands what we publish (see PostfixPeer)."""
    records = net.one.records()
    assert any(name.startswith("_25._tcp") for name in records), sorted(records)
    net.three.send(net.one.user, "from Postfix with DANE")
    net.one.wait_for("from Postfix with DANE")
    assert "Verified TLS connection established to mx.one.test" in net.three.log()


class PolicyHost:
    """https://mta-sts.DOMAIN/.well-known/mta-sts.txt for domains of the lab."""

    def __init__(self, net):
        self.policies = {}
        self.host = net.lab.host("web", f"{NETWORK}.80")
        folder = net.lab.folder / "web"
        net.ca.issue(folder, "mta-sts.four.test", "mta-sts.six.test")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                text = owner.policies.get(self.headers["Host"].split(":")[0], "").encode()
                self.send_response(200 if text else 404)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        with self.host.inside():
            self.server = http.server.ThreadingHTTPServer(("0.0.0.0", 443), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        net.lab.stack.callback(self.server.server_close)
        net.lab.stack.callback(self.server.shutdown)

    def publish(self, net, domain, mode, mx):
        self.policies[f"mta-sts.{domain}"] = POLICY.format(mode=mode, mx=mx)
        net.lab.change_dns(f"mta-sts.{domain}", [f"A {self.host.address}"])
        net.lab.change_dns(f"_mta-sts.{domain}", ['TXT "v=STSv1; id=1;"'])


def policy_host(net):
    if not hasattr(net, "policy_host"):
        net.policy_host = PolicyHost(net)
    return net.policy_host


def tls_mta_sts_is_met(net):
    policy_host(net).publish(net, "four.test", "enforce", net.four.mx)
    net.two.send(net.four.user, "with MTA-STS")
    net.four.wait_for("with MTA-STS", PATIENCE)


def tls_mta_sts_is_not_met(net):
    """six.test has no STARTTLS: the message waits."""
    policy_host(net).publish(net, "six.test", "enforce", net.six.mx)
    net.two.send(net.six.user, "with unmet MTA-STS")
    to = wait_until(lambda: waits(net.two, net.six.user), "the message waits", PATIENCE)
    assert "STARTTLS" in str(to) or "TLS" in str(to), to
    assert not [m for m in net.six.messages() if m["Subject"] == "with unmet MTA-STS"]
    for row in net.two.queue():
        net.two.server.run("queue", "remove", str(row["id"]), "--yes")


CHECKS = [tls_dane_is_met, tls_dane_is_not_met, tls_from_postfix_by_dane, tls_mta_sts_is_met,
          tls_mta_sts_is_not_met]
