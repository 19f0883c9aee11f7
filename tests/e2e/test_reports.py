"""Reports to other domains: what was counted leaves as mail, once, to those who ask for it."""
import email
import email.policy
import gzip
import json
import sqlite3
import time
import xml.etree.ElementTree

import pytest

from nameserver import Dns
from server import DOMAIN, free_ports, wait_until
from test_remote import Peer

DMARC, TLS = 1, 2
DAY = int(time.time()) // 86400 - 1
BEGIN = DAY * 86400


class World:
    """A server that has counted yesterday, and has not looked for reports yet."""

    def __init__(self, make_server):
        [self.port] = free_ports(1)
        self.dns = Dns()
        self.server = make_server({
            "dns": {"resolver": self.dns.server, "trust_anchor": "none"},
            "smtp": {"remote_port": self.port}, "reports": {"delay": "0s"}})
        self.peers = []

    def peer(self, domain):
        peer = Peer(self.port)
        self.peers.append(peer)
        self.dns.add(domain, "MX", f"10 mx.{domain}.")
        self.dns.add(f"mx.{domain}", "A", peer.address)
        return peer

    def count(self, kind, domain, *parts, count=1, day=DAY):
        with sqlite3.connect(self.server.data / "postane.db") as database:
            database.execute("INSERT INTO tally VALUES(?, ?, ?, ?, ?)",
                             (kind, day, domain, "\t".join(parts), count))

    def counted(self, domain):
        with sqlite3.connect(self.server.data / "postane.db") as database:
            return database.execute("SELECT sum(count) FROM tally WHERE domain = ?",
                                    (domain,)).fetchone()[0]

    def close(self):
        self.server.stop()
        for peer in self.peers:
            peer.close()
        self.dns.close()


@pytest.fixture
def world(make_server):
    made = World(make_server)
    yield made
    made.close()


def row(source="192.0.2.1", disposition="none", dkim="pass", spf="fail", reason="",
        header_from="far.test", envelope_from="", selector="s1", spf_domain="bounce.test"):
    return (source, disposition, dkim, spf, reason, header_from, envelope_from, header_from,
            selector, "pass", spf_domain, "mfrom", "softfail")


def open_report(letter):
    """(message, the unpacked file)."""
    envelope, _ = letter
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    [file] = message.iter_attachments()
    return message, file, gzip.decompress(file.get_content())


def test_dmarc(world):
    peer = world.peer("far.test")
    world.dns.add("_dmarc.far.test", "TXT",
                  "v=DMARC1; p=reject; adkim=s; pct=50; rua=mailto:agg@far.test!10m,https://far.test/")
    world.count(DMARC, "far.test", *row(), count=7)
    world.count(DMARC, "far.test", *row(source="2001:db8::1", dkim="fail", disposition="reject",
                                        envelope_from="<&>.test"))
    world.server.start()
    letter = peer.only_letter()
    message, file, xml_text = open_report(letter)
    assert letter[0].mail_from == f"postmaster@{DOMAIN}"
    assert letter[0].rcpt_tos == ["agg@far.test"]
    assert message["From"] == f"postmaster@{DOMAIN}" and message["To"] == "agg@far.test"
    subject = " ".join(message["Subject"].split())
    assert subject.startswith(f"Report Domain: far.test Submitter: {DOMAIN} Report-ID: <dmarc")
    name = file.get_filename().split("!")
    assert name[:4] == [DOMAIN, "far.test", str(BEGIN), str(BEGIN + 86399)]
    assert name[4].endswith(".xml.gz") and file.get_content_type() == "application/gzip"
    root = xml.etree.ElementTree.fromstring(xml_text)
    assert root.findtext("report_metadata/org_name") == DOMAIN
    assert root.findtext("report_metadata/date_range/begin") == str(BEGIN)
    assert root.findtext("policy_published/p") == "reject"
    assert root.findtext("policy_published/adkim") == "s"
    assert root.findtext("policy_published/pct") == "50"
    records = {record.findtext("row/source_ip"): record for record in root.iter("record")}
    assert records["192.0.2.1"].findtext("row/count") == "7"
    assert records["192.0.2.1"].findtext("auth_results/spf/scope") == "mfrom"
    assert records["2001:db8::1"].findtext("row/policy_evaluated/disposition") == "reject"
    assert records["2001:db8::1"].findtext("identifiers/envelope_from") == "<&>.test"
    wait_until(lambda: not world.counted("far.test"), "the counts are dropped")


def test_tls(world):
    peer = world.peer("far.test")
    world.dns.add("_smtp._tls.far.test", "TXT", "v=TLSRPTv1; rua=https://far.test/,mailto:tls@far.test")
    sts = "version: STSv1\nmode: enforce\nmx: *.far.test"
    world.count(TLS, "far.test", "sts", sts, "", "", "", "", count=5)
    world.count(TLS, "far.test", "sts", sts, "certificate-expired", "mx.far.test", "192.0.2.9", "")
    world.count(TLS, "far.test", "no-policy-found", "", "", "", "", "", count=2)
    world.server.start()
    letter = peer.only_letter()
    message, file, text = open_report(letter)
    assert message.get_content_type() == "multipart/report"
    assert message["TLS-Report-Domain"] == "far.test"
    assert message["TLS-Report-Submitter"] == DOMAIN and message["TLS-Required"] == "No"
    assert file.get_content_type() == "application/tlsrpt+gzip"
    assert file.get_filename().endswith(".json.gz")
    report = json.loads(text)
    assert report["organization-name"] == DOMAIN
    assert report["date-range"]["start-datetime"] == time.strftime("%Y-%m-%dT00:00:00Z",
                                                                   time.gmtime(BEGIN))
    policies = {policy["policy"]["policy-type"]: policy for policy in report["policies"]}
    assert policies["no-policy-found"]["summary"] == {
        "total-successful-session-count": 2, "total-failure-session-count": 0}
    sts_policy = policies["sts"]
    assert sts_policy["policy"]["policy-string"] == sts.split("\n")
    assert sts_policy["policy"]["mx-host"] == ["*.far.test"]
    assert sts_policy["summary"] == {"total-successful-session-count": 5,
                                     "total-failure-session-count": 1}
    assert sts_policy["failure-details"] == [
        {"result-type": "certificate-expired", "receiving-mx-hostname": "mx.far.test",
         "receiving-ip": "192.0.2.9", "failed-session-count": 1}]


def test_only_who_asks(world):
    """Whoever wants no reports gets none; and nobody gets any before the day is over."""
    peer = world.peer("far.test")
    for n, record in enumerate(["v=DMARC1; p=none", "v=DMARC1; p=none; rua=https://x.test/",
                                "v=DMARC1; p=none; rua=mailto:a@far.test!1",
                                "v=DMARC1; p=none; rua=mailto:a@far.test", "no DMARC"]):
        world.dns.add(f"_dmarc.d{n}.test", "TXT", record)
        world.count(DMARC, f"d{n}.test", *row())
    world.dns.add("_dmarc.today.test", "TXT", "v=DMARC1; p=none; rua=mailto:a@today.test")
    world.count(DMARC, "today.test", *row(), day=DAY + 2)
    world.dns.add("d9.test._report._dmarc.far.test", "TXT", "v=DMARC1;")
    world.dns.add("_dmarc.d9.test", "TXT", "v=DMARC1; p=none; rua=mailto:a@far.test")
    world.count(DMARC, "d9.test", *row())
    world.server.start()
    message, _, _ = open_report(peer.only_letter())
    assert "Report Domain: d9.test " in " ".join(message["Subject"].split())
    wait_until(lambda: not world.counted("d9.test"), "the counts are dropped")
    assert [world.counted(f"d{n}.test") for n in range(5)] == [None] * 5
    assert world.counted("today.test") == 1


def test_kept_while_the_dns_fails(world):
    for days, domain in ((1, "soon.test"), (9, "never.test")):
        world.dns.broken.add(f"_dmarc.{domain}")
        world.count(DMARC, domain, *row(), day=DAY + 1 - days)
    world.dns.add("_dmarc.consent.test", "TXT", "v=DMARC1; p=none; rua=mailto:a@far.test")
    world.dns.broken.add("consent.test._report._dmarc.far.test")
    world.count(DMARC, "consent.test", *row())
    world.server.start()
    wait_until(lambda: world.server.log().count("report kept") == 3, "it says so")
    wait_until(lambda: not world.counted("never.test"), "a week is enough")
    assert world.counted("soon.test") == 1 and world.counted("consent.test") == 1


def test_settings(world):
    world.server.settings["reports"] |= {"dmarc": "no", "sender": f"reports@{DOMAIN}"}
    world.server.write_config()
    peer = world.peer("far.test")
    world.dns.add("_dmarc.far.test", "TXT", "v=DMARC1; p=none; rua=mailto:a@far.test")
    world.dns.add("_smtp._tls.far.test", "TXT", "v=TLSRPTv1; rua=mailto:tls@far.test")
    world.count(DMARC, "far.test", *row())
    world.count(TLS, "far.test", "no-policy-found", "", "", "", "", "")
    world.server.start()
    letter = peer.only_letter()
    assert letter[0].mail_from == f"reports@{DOMAIN}" and letter[0].rcpt_tos == ["tls@far.test"]
    wait_until(lambda: not world.counted("far.test"), "the counts are dropped")


def test_sent_once_over_restarts(world):
    """However it is stopped and started: no report is lost, none is made twice. (One that is on its
    way when all stops may be sent again: the same message, with its Message-ID.)"""
    peer = world.peer("far.test")
    for n in range(30):
        domain = f"d{n}.test"
        world.dns.add(f"_smtp._tls.{domain}", "TXT", f"v=TLSRPTv1; rua=mailto:d{n}@far.test")
        world.count(TLS, domain, "no-policy-found", "", "", "", "", "")

    def made():
        return {email.message_from_bytes(letter[0].content)["Message-ID"]: letter[0].rcpt_tos[0]
                for letter in peer.letters}

    for wanted in (5, 10, 15, 20, 25, 30):
        world.server.start()
        wait_until(lambda: len(made()) >= wanted, f"{wanted} reports have left")
        world.server.stop()
    assert sorted(made().values()) == sorted(f"d{n}@far.test" for n in range(30))


def test_signed_like_all_our_mail(world):
    """Reports are the domain's own by DKIM (RFC 7489 section 7.2.1.1, RFC 8460 section 5.3)."""
    dkim = pytest.importorskip("dkim")
    peer = world.peer("far.test")
    world.dns.add("_smtp._tls.far.test", "TXT", "v=TLSRPTv1; rua=mailto:tls@far.test")
    world.count(TLS, "far.test", "no-policy-found", "", "", "", "", "")
    keys = {row["name"] + ".": row["value"] for row in world.server.json("dkim", "dns", DOMAIN)}
    with sqlite3.connect(world.server.data / "postane.db") as database:
        database.execute("UPDATE signing_key SET state = 2")
    world.server.start()
    content = peer.only_letter()[0].content
    assert content.count(b"DKIM-Signature:") == 2
    for place in range(2):
        assert dkim.DKIM(content).verify(
            place, dnsfunc=lambda name, **_: keys[name.decode()].encode())
