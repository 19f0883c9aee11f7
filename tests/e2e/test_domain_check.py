"""`postane domain check`: what should be published, and what is."""
import json
import subprocess

import pytest

from nameserver import Dns
from server import DOMAIN, Server

HOST = "mx.example.test"
ADDRESS = "198.51.100.25"
REVERSE = "25.100.51.198.in-addr.arpa"


def make_certificate(folder, name, days=90):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", str(days), "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"],
        check=True, capture_output=True)


class World:
    """A domain whose records are all as they should be."""

    def __init__(self, folder):
        self.dns = Dns()
        folder.mkdir(exist_ok=True)
        make_certificate(folder, HOST)
        self.server = Server(folder, {"dns": {"resolver": self.dns.server,
                                              "trust_anchor": "none"}})
        self.published = [
            (row["name"], row["type"], row["value"])
            for row in self.server.json("domain", "dns", DOMAIN)["records"]
            if row["type"] not in ("A", "AAAA")]
        self.selectors = [key["selector"] for key in self.server.json("dkim", "list", DOMAIN)]
        self.publish()

    def publish(self):
        self.dns.records.clear()
        self.dns.broken.clear()
        for name, kind, value in self.published:
            self.dns.add(name, kind, value)
        self.dns.add(HOST, "A", ADDRESS)
        self.dns.add(REVERSE, "PTR", HOST + ".")
        self.dns.add(f"mta-sts.{DOMAIN}", "A", ADDRESS)

    def check(self):
        """The exit code, and {(level, type): [texts]}."""
        done = self.server.command("domain", "check", DOMAIN, "--json")
        assert done.returncode in (0, 3), done.stderr
        found = {}
        for row in json.loads(done.stdout):
            found.setdefault((row["level"], row["type"]), []).append(
                f"{row['name']}: {row['text']} {row['publish'] or ''}")
        return done.returncode, found


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("check"))
    yield made
    made.dns.close()


@pytest.fixture(autouse=True)
def whole_zone(world):
    world.publish()


def test_all_is_well(world):
    code, found = world.check()
    assert code == 0 and not [key for key in found if key[0] == "wrong"], found
    for kind in ("MX", "A", "PTR", "SPF", "DKIM", "TLSRPT", "MTA-STS", "TLS", "TLSA", "SRV"):
        assert ("ok", kind) in found, kind
    assert len(found["ok", "DKIM"]) == 2
    assert "p=quarantine" in found["hint", "DMARC"][0]


# What is set instead, the level and type of what is found then, and words of it.
CASES = [
    (DOMAIN, "MX", [], "wrong", "MX", ["no MX record", f"{DOMAIN}. IN MX 10 {HOST}."]),
    (DOMAIN, "MX", ["0 ."], "wrong", "MX", ["takes no mail at all"]),
    (DOMAIN, "MX", ["10 other.test."], "wrong", "MX", ["other.test", "not this machine"]),
    (DOMAIN, "MX", [f"10 {HOST}.", "20 other.test."], "hint", "MX", ["other.test", "pass it on"]),
    (HOST, "A", [], "wrong", "A", ["no address"]),
    (REVERSE, "PTR", [], "wrong", "PTR", ["no reverse name", HOST]),
    (REVERSE, "PTR", ["elsewhere.test."], "wrong", "PTR", ["does not lead back"]),
    (DOMAIN, "TXT", [], "wrong", "SPF", ["no SPF record", '"v=spf1 mx -all"']),
    (DOMAIN, "TXT", ["v=spf1 -all", "v=spf1 mx -all"], "wrong", "SPF", ["2 SPF records"]),
    (DOMAIN, "TXT", ["v=spf1 ip4:192.0.2.1 -all"], "wrong", "SPF", [ADDRESS, '"fail"']),
    (DOMAIN, "TXT", ["v=spf1 mx +all"], "wrong", "SPF", ["everybody"]),
    (DOMAIN, "TXT", ["v=spf1 nonsense:x -all"], "wrong", "SPF", ['"permerror"']),
    (DOMAIN, "TXT", ["v=spf1 " + " ".join(f"a:a{n}.{DOMAIN}" for n in range(11)) + " -all"],
     "wrong", "SPF", ['"permerror"']),
    (f"_dmarc.{DOMAIN}", "TXT", [], "wrong", "DMARC", ["no DMARC record"]),
    (f"_dmarc.{DOMAIN}", "TXT", ["v=DMARC1; p=none", "v=DMARC1; p=reject"], "wrong", "DMARC",
     ["2 DMARC records"]),
    (f"_dmarc.{DOMAIN}", "TXT", ["v=DMARC1; p=perhaps"], "wrong", "DMARC", ["cannot make sense"]),
    (f"_dmarc.{DOMAIN}", "TXT", ["v=DMARC1; p=reject"], "hint", "DMARC", ["rua="]),
    (f"_dmarc.{DOMAIN}", "TXT", ["v=DMARC1; p=reject; rua=mailto:d@collector.test"], "wrong",
     "DMARC", [f"{DOMAIN}._report._dmarc.collector.test"]),
    (f"_mta-sts.{DOMAIN}", "TXT", [], "hint", "MTA-STS", ["not published"]),
    (f"_mta-sts.{DOMAIN}", "TXT", ["v=STSv1"], "wrong", "MTA-STS", ["no id="]),
    (f"_mta-sts.{DOMAIN}", "TXT", ["v=STSv1; id=1", "v=STSv1; id=2"], "wrong", "MTA-STS", ["2 such"]),
    (f"mta-sts.{DOMAIN}", "A", [], "wrong", "MTA-STS", ["has no address"]),
    (f"_smtp._tls.{DOMAIN}", "TXT", [], "hint", "TLSRPT", ["not published"]),
    (f"_smtp._tls.{DOMAIN}", "TXT", ["v=TLSRPTv1"], "wrong", "TLSRPT", ["no rua="]),
    (f"_25._tcp.{HOST}", "TLSA", ["3 1 1 " + "ab" * 32], "wrong", "TLSA", ["3 1 1"]),
    (f"_25._tcp.{HOST}", "TLSA", ["2 1 1 " + "ab" * 32], "hint", "TLSA", ["authority"]),
    (f"_25._tcp.{HOST}", "TLSA", [], "hint", "TLSA", ["no DANE"]),
    (f"_imaps._tcp.{DOMAIN}", "SRV", [], "hint", "SRV", ["not published"]),
    (f"_imaps._tcp.{DOMAIN}", "SRV", [f"0 1 1 {HOST}."], "hint", "SRV", ["another server"]),
]


@pytest.mark.parametrize("name, kind, values, level, found_as, words", CASES)
def test_differences_are_explained(world, name, kind, values, level, found_as, words):
    world.dns.set(name, kind, *values)
    code, found = world.check()
    texts = found.get((level, found_as), [])
    assert any(all(word in text for word in words) for text in texts), found
    assert code == (3 if [key for key in found if key[0] == "wrong"] else 0)


def test_keys_not_published(world):
    name = f"{world.selectors[0]}._domainkey.{DOMAIN}"
    for values, words in (([], "not published"), (["v=DKIM1; k=rsa; p="], "no key"),
                          (["v=DKIM1; k=rsa; p=AAAA"], "another key"),
                          (["v=DKIM1; p=AAAA", "v=DKIM1; p=BBBB"], "2 records")):
        world.dns.set(name, "TXT", *values)
        code, found = world.check()
        assert code == 3 and len(found["wrong", "DKIM"]) == 1
        assert words in found["wrong", "DKIM"][0] and f"{name}. IN TXT" in found["wrong", "DKIM"][0]


def test_reports_may_go_elsewhere_by_consent(world):
    world.dns.set(f"_dmarc.{DOMAIN}", "TXT", "v=DMARC1; p=reject; rua=mailto:d@collector.test")
    world.dns.set(f"{DOMAIN}._report._dmarc.collector.test", "TXT", "v=DMARC1")
    code, found = world.check()
    assert code == 0 and ("wrong", "DMARC") not in found and ("ok", "DMARC") in found


def test_dns_that_does_not_answer(world):
    world.dns.broken.add(DOMAIN)
    code, found = world.check()
    assert code == 3
    assert "no answer" in found["wrong", "MX"][0] and "no answer" in found["wrong", "SPF"][0]
    text = world.server.command("domain", "check", DOMAIN).stdout
    assert "questions were not answered" in text and world.dns.server in text


def test_certificate_of_another_name(world, tmp_path):
    make_certificate(tmp_path, "other.test", days=3)
    kept = dict(world.server.settings["tls"])
    world.server.settings["tls"]["certificate"] = tmp_path / "cert.pem"
    world.server.write_config()
    try:
        code, found = world.check()
    finally:
        world.server.settings["tls"] = kept
        world.server.write_config()
    assert code == 3 and "another name" in found["wrong", "TLS"][0]
    assert "expires in" in found["hint", "TLS"][0]
    assert "not that of the certificate" in found["wrong", "TLSA"][0]


def test_for_people(world):
    world.dns.set(DOMAIN, "MX", "10 other.test.")
    done = world.server.command("domain", "check", DOMAIN)
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    assert lines[0].startswith("wrong  MX ") and lines[1].strip() == f"{DOMAIN}. IN MX 10 {HOST}."
    assert " wrong, " in lines[-1]
