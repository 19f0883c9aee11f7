"""App passwords: what they open, who used them, and how they are taken back."""
import imaplib
import poplib
import smtplib
import ssl

import pytest

from sasl import Scram
from server import PASSWORD, Server, wait_until

ALICE = "alice@example.test"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server")) as server:
        server.add_account(ALICE)
        yield server


def add(server, name, *options):
    return server.json("app-password", "add", ALICE, name, *options)["password"]


def row(server, name):
    return next(row for row in server.json("app-password", "list", ALICE) if row["name"] == name)


def by_scram(server, password):
    imap = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls)
    imap.authenticate("SCRAM-SHA-256", Scram(ALICE, password).answer)
    return imap


def smtp_by_scram(server, password):
    smtp = smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls)
    smtp.ehlo()
    client = Scram(ALICE, password)
    smtp.auth("SCRAM-SHA-256", lambda challenge=None: client.answer(challenge or b"").decode(),
              initial_response_ok=False)
    return smtp


def test_shown_once_and_only_to_the_operator(server):
    text = server.run("app-password", "add", ALICE, "once").strip()
    assert len(text) == 34 and text.count("-") == 6
    assert text not in server.run("app-password", "list", ALICE)
    assert text.encode() not in (server.data / "postane.db").read_bytes()
    assert text.encode() not in (server.data / "postane.db-wal").read_bytes()


def test_opens_what_it_is_for(server):
    password = add(server, "Alices Gerät", "--for", "imap,smtp")
    for login in [server.imap, server.submission]:
        with login(ALICE, password):
            pass
    with pytest.raises(poplib.error_proto, match="Wrong user or password"):
        server.pop3(ALICE, password)
    by_scram(server, password).logout()
    smtp_by_scram(server, password).quit()
    assert 'app_password="Alices Gerät"' in server.log()
    assert 'reason="app password is not for this protocol"' in server.log()
    server.pop3(ALICE, add(server, "pop", "--for", "pop3")).quit()
    with pytest.raises(imaplib.IMAP4.error):
        by_scram(server, add(server, "pop again", "--for", "pop3"))


def test_tells_its_last_use(server):
    password = add(server, "used")
    assert row(server, "used")["used_ms"] is None
    server.imap(ALICE, password).logout()
    wait_until(lambda: row(server, "used")["used_ms"] is not None, "the use is noted")
    first = row(server, "used")
    assert first["used_with"] == ["imap"] and first["used_from"] == "127.0.0.1"
    server.imap(ALICE, password).logout()  # within the hour: not noted again
    assert row(server, "used") == first


def test_ends_its_sessions_when_revoked(server):
    password, other = add(server, "lost"), add(server, "kept")
    lost = [server.imap(ALICE, password).sock, server.submission(ALICE, password).sock,
            server.pop3(ALICE, password).sock]
    kept = [server.imap(ALICE, other), server.imap(ALICE)]
    server.run("app-password", "revoke", ALICE, "lost")
    for sock in lost:
        sock.settimeout(30)
        try:
            assert sock.recv(1) == b""
        except (ConnectionError, ssl.SSLEOFError):
            pass  # cut without a goodbye
    for imap in kept:
        assert imap.noop()[0] == "OK"
        imap.logout()
    for login in [server.imap, server.submission, server.pop3]:
        with pytest.raises((imaplib.IMAP4.error, smtplib.SMTPException, poplib.error_proto)):
            login(ALICE, password)


def test_stays_when_the_main_password_changes(server):
    password = add(server, "stays")
    server.run("account", "passwd", ALICE, "--stdin", stdin="another horse\n")
    by_scram(server, password).logout()
    by_scram(server, "another horse").logout()
    with pytest.raises(imaplib.IMAP4.error):
        by_scram(server, PASSWORD)
    server.run("account", "passwd", ALICE, "--stdin", stdin=PASSWORD + "\n")


@pytest.mark.parametrize("arguments, error", [
    (["add", ALICE, "x", "--for", "ftp"], "--for takes"),
    (["add", ALICE, "x", "--for", ""], "--for takes"),
    (["add", ALICE, "x", "--for", "imap,imap"], "--for takes"),
    (["add", ALICE, "x", "--days", "0"], "--days takes"),
    (["add", ALICE, "a\nb"], "control"),
    (["add", "nobody@example.test", "x"], "no account"),
    (["revoke", ALICE, "none"], 'no app password "none"'),
])
def test_explains_mistakes(server, arguments, error):
    done = server.command("app-password", *arguments)
    assert done.returncode in (1, 2) and error in done.stderr


def test_nobodys_account_has_none(server):
    server.run("account", "add", "team@example.test", "--shared")
    assert "nobody logs in" in server.command("app-password", "add", "team@example.test",
                                              "x").stderr
