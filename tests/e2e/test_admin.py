"""The operator's command beside running daemons: what it changes counts at once."""
import email.message
import gzip
import imaplib
import io
import json
import poplib
import smtplib
import time
import zipfile

import pytest

from server import DOMAIN, PASSWORD, wait_until


def login_fails(server, account, password=PASSWORD):
    with pytest.raises(imaplib.IMAP4.error):
        server.imap(account, password)
    return True


def test_help_of_every_command(server):
    groups = [line.split()[0:2] for line in server.run("--help").splitlines()
              if line.startswith("  ")]
    assert len(groups) > 20
    for words in groups:
        name = words[:1] if words[0] in ("init", "serve", "status", "check", "recover") else words
        assert server.run(*name, "--help").startswith("usage: postane [-c FILE] " + " ".join(name))


@pytest.mark.parametrize("arguments, what", [
    ([], "--help"),
    (["nonsense"], "no such command"),
    (["account"], "postane account --help"),
    (["account", "nonsense"], "no such command: account nonsense"),
    (["init", "--domain", "a b"], '--domain: "a b" is no domain name'),
    (["account", "add"], "ADDRESS is missing"),
    (["account", "list", "--jsn"], "unknown option --jsn"),
    (["domain", "add", "a.test", "b.test"], "one argument too many"),
    (["queue", "show", "abc"], "no message number"),
])
def test_wrong_usage(server, arguments, what):
    done = server.command(*arguments)
    assert done.returncode == 2
    assert what in done.stderr


@pytest.mark.parametrize("arguments, what", [
    (["account", "show", "nobody@example.test"], "no account nobody@example.test"),
    (["account", "add", "x@nowhere.test", "--stdin"], "domain add"),
    (["account", "add", "not an address", "--stdin"], "address"),
    (["domain", "remove", DOMAIN], "has accounts"),
    (["domain", "add", DOMAIN], DOMAIN),
    (["alias", "remove", "nobody@example.test"], "nobody@example.test"),
    (["queue", "show", "99999"], "no message 99999"),
])
def test_failures_say_why(server, account, arguments, what):
    done = server.command(*arguments, stdin=PASSWORD + "\n")
    assert done.returncode == 1
    assert done.stderr.startswith("postane: ") and what in done.stderr


def test_account_life(server):
    address = f"life@{DOMAIN}"
    server.add_account(address, "first", "--name", "A Life", "--bytes", "1G")
    assert server.command("account", "add", address, "--stdin", stdin="x\n").returncode == 1
    shown = server.json("account", "show", address)
    assert (shown["name"], shown["bytes_max"], shown["disabled"]) == ("A Life", 1 << 30, False)
    assert address in [row["address"] for row in server.json("account", "list")]
    assert address in server.run("account", "list", DOMAIN)
    assert server.json("account", "list", "other.test") == []
    server.imap(address, "first").logout()

    server.run("account", "passwd", address, "--stdin", stdin="second\n")
    login_fails(server, address, "first")
    server.imap(address, "second").logout()

    server.run("account", "disable", address)
    login_fails(server, address, "second")
    server.run("account", "enable", address)
    server.imap(address, "second").logout()

    assert server.command("account", "remove", address).returncode == 1  # nobody said yes
    server.run("account", "remove", address, "--yes")
    login_fails(server, address, "second")
    with server.smtp() as smtp:
        smtp.ehlo()
        smtp.mail("a@elsewhere.test")
        assert smtp.rcpt(address)[0] == 550


def test_logins_by_every_protocol(server, account):
    server.pop3(account).quit()
    server.submission(account).quit()
    server.imap(account.upper()).logout()
    with pytest.raises(poplib.error_proto):
        server.pop3(account, "wrong")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        server.submission(account, "wrong")


def test_second_login_is_cheap(make_server):
    """A right password is remembered, so that a phone that reconnects costs no hash."""
    server = make_server({"auth": {"hash_memory": "64M", "hash_passes": 3}})
    account = server.add_account(f"phone@{DOMAIN}")
    with server:
        times = []
        for _ in range(4):
            start = time.monotonic()
            server.imap(account).logout()
            times.append(time.monotonic() - start)
    assert min(times[1:]) < times[0] / 2, times


def test_domains_and_aliases_are_listed(server, account):
    server.run("domain", "add", "lists.test")
    server.run("alias", "add", "all@lists.test", account, "far@away.test")
    rows = {row["name"]: row for row in server.json("domain", "list")}
    assert rows["lists.test"]["aliases"] == 1 and rows["lists.test"]["accounts"] == 0
    rows = {row["address"]: row["targets"] for row in server.json("alias", "list")}
    assert sorted(rows["all@lists.test"]) == sorted([account, "far@away.test"])
    server.run("domain", "remove", "lists.test")
    assert "all@lists.test" not in [row["address"] for row in server.json("alias", "list")]


def test_tables_never_carry_control_characters(server, make_server):
    server.add_account(f"esc@{DOMAIN}", PASSWORD, "--name", "a\x1b[31mb\nc")
    line = next(row for row in server.run("account", "list").splitlines() if "esc@" in row)
    assert "a?[31mb?c" in line


def test_status_and_restart(server):
    rows = {row["daemon"]: row for row in server.json("status")}
    assert {name: row["state"] for name, row in rows.items()} == {
        "smtpd": "running", "imapd": "running", "pop3d": "running"}
    old = server.pids()["pop3d"]
    server.kill("pop3d")
    start = time.monotonic()
    wait_until(lambda: server.pids().get("pop3d", old) != old, "pop3d is back")
    assert time.monotonic() - start < 2


def test_check_is_clean_beside_running_daemons(server, account):
    server.deliver(account, "Subject: x\n\nx\n")
    server.wait_for_mail(account)
    done = server.command("check", "--hashes")
    assert (done.returncode, done.stdout) == (0, "No damage found.\n")
    assert server.json("check") == []


def test_config_show_is_a_config(server, tmp_path):
    shown = server.run("config", "show")
    copy = tmp_path / "copy.conf"
    copy.write_text(shown)
    assert server.run("config", "show", config=copy) == shown
    keys = {(row["section"], row["key"]): row for row in server.json("config", "show")}
    assert keys["postane", "hostname"]["value"] == "mx.example.test"
    assert all(row["help"] for row in keys.values())


REPORT = """<?xml version="1.0"?><feedback><report_metadata><org_name>rep.test</org_name>
<report_id>1</report_id></report_metadata><policy_published><domain>{domain}</domain><p>none</p>
</policy_published>{records}</feedback>"""
RECORD = """<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated>
<disposition>none</disposition><dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row>
<identifiers><header_from>{domain}</header_from></identifiers></record>"""


def report_mail(subtype, content, subject="Report Domain: x Submitter: rep.test Report-ID: <1>"):
    mail = email.message.EmailMessage()
    mail["Subject"] = subject
    mail["From"] = "reports@rep.test"
    mail.set_content("A report.")
    mail.add_attachment(content, maintype="application", subtype=subtype, filename="r")
    return mail.as_string().replace("\n", "\r\n")


def zipped(content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.xml", content)
    return out.getvalue()


def test_dmarc_report(server, account):
    def xml(*rows):
        records = [RECORD.format(source=source, count=count, dkim=dkim, spf=spf, domain=DOMAIN)
                   for source, count, dkim, spf in rows]
        return REPORT.format(domain=DOMAIN, records="".join(records)).encode()

    good = ("192.0.2.1", 100, "pass", "pass")
    server.deliver(account, report_mail("gzip", gzip.compress(xml(good))))
    server.deliver(account, report_mail("zip", zipped(xml(good, ("192.0.2.66", 3, "fail", "fail")))))
    server.deliver(account, report_mail("gzip", b"\x1f\x8b no gzip"))
    server.deliver(account, report_mail("gzip", gzip.compress(xml(good)), subject="holiday"))
    server.wait_for_mail(account, 4)
    rows = server.json("dmarc", "report", account)
    assert [(row["source"], row["messages"], row["reports"], row["spf"]) for row in rows] == [
        ("192.0.2.66", 3, 1, "fail"), ("192.0.2.1", 200, 2, "pass")]
    shown = server.command("dmarc", "report", account)
    assert "192.0.2.66" in shown.stdout
    assert "2 reports read, 1 unreadable" in shown.stderr


def tls_report(*failures, good=10):
    return json.dumps({
        "organization-name": "rep.test", "report-id": "1",
        "policies": [{
            "policy": {"policy-type": "sts", "policy-domain": DOMAIN},
            "summary": {"total-successful-session-count": good,
                        "total-failure-session-count": sum(count for _, count in failures)},
            "failure-details": [{"result-type": result, "receiving-mx-hostname": "mx.test",
                                 "failed-session-count": count} for result, count in failures]}],
    }).encode()


def test_tls_report(server, account):
    """Reports of both kinds lie in one mailbox; each command reads its own."""
    good, bad = tls_report(), tls_report(("certificate-expired", 3), (None, 1))
    server.deliver(account, report_mail("tlsrpt+gzip", gzip.compress(good)))
    server.deliver(account, report_mail("tlsrpt+json", bad))
    server.deliver(account, report_mail("gzip", gzip.compress(bad)))
    server.deliver(account, report_mail("tlsrpt+json", b"{ no json"))
    server.deliver(account, report_mail("tlsrpt+json", b'{"policies": 1}'))
    server.deliver(account, report_mail("xml", REPORT.format(domain=DOMAIN, records="").encode()))
    server.wait_for_mail(account, 6)
    rows = server.json("tls", "report", account)
    assert [(row["result"], row["host"], row["sessions"], row["reports"]) for row in rows] == [
        ("certificate-expired", "mx.test", 6, 2), ("failure", "mx.test", 2, 2),
        ("success", "", 30, 3)]
    assert "3 reports read, 2 unreadable" in server.command("tls", "report", account).stderr
    assert "1 reports read, 0 unreadable" in server.command("dmarc", "report", account).stderr
