"""Codes beside the main password, as an operator turns them on and clients send them."""
import base64
import hmac
import imaplib
import poplib
import smtplib
import struct
import time
import urllib.parse

import pytest

from sasl import Scram
from server import PASSWORD, Server

ALICE = "alice@example.test"
REFUSED = (imaplib.IMAP4.error, smtplib.SMTPException, poplib.error_proto)


def code_of(uri, steps):
    """RFC 6238, written anew from what an authenticator would read."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(uri).query))
    assert (query["algorithm"], query["digits"], query["period"]) == ("SHA1", "6", "30")
    step = int(time.time()) // 30 + steps
    mac = hmac.digest(base64.b32decode(query["secret"]), struct.pack(">Q", step), "sha1")
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at:at + 4], 'big') & 0x7FFFFFFF) % 1000000:06}"


def test_totp(tmp_path):
    with Server(tmp_path) as server:
        server.add_account(ALICE)
        server.imap(ALICE).logout()
        assert server.json("totp", "status", ALICE) == {"address": ALICE, "enabled": False,
                                                        "used_ms": None}
        uri = server.run("totp", "enable", ALICE).strip()
        assert uri.startswith("otpauth://totp/example.test:alice%40example.test?secret=")
        assert server.json("totp", "status", ALICE)["enabled"]
        assert "on already" in server.command("totp", "enable", ALICE).stderr

        logins = [server.imap, server.pop3, server.submission]
        for login in logins:
            with pytest.raises(REFUSED):
                login(ALICE)
        # One code is good for one login, in whichever daemon: now, and the next one.
        code = code_of(uri, 0)
        server.pop3(ALICE, PASSWORD + code).quit()
        for login in logins:
            with pytest.raises(REFUSED):
                login(ALICE, PASSWORD + code)
        server.submission(ALICE, PASSWORD + code_of(uri, 1)).quit()
        assert 'reason="main password without a code"' in server.log()
        assert 'reason="the code was used before"' in server.log()

        imap = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls)
        with pytest.raises(imaplib.IMAP4.error):
            imap.authenticate("SCRAM-SHA-256", Scram(ALICE, PASSWORD).answer)
        app = server.json("app-password", "add", ALICE, "phone")["password"]
        imap.authenticate("SCRAM-SHA-256", Scram(ALICE, app).answer)
        imap.logout()

        server.run("totp", "disable", ALICE)
        for login in logins:
            login(ALICE)
