"""SMTP as Python's smtplib speaks it: the MX port, submission, LMTP."""
import email
import smtplib
import socket

import pytest

from server import DOMAIN, PASSWORD, wait_until

NOTE = "From: someone@elsewhere.test\nSubject: note\n\nHello.\n.dot\n"


def only_message(server, account, mailbox="INBOX"):
    server.wait_for_mail(account, 1, mailbox)
    texts = server.messages(account, mailbox)
    assert len(texts) == 1
    return email.message_from_bytes(texts[0])


def code_of(call, *args):
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        call(*args)
    return caught.value.smtp_code, caught.value.smtp_error.decode().split()[0]


def refusals(smtp, sender, *recipients):
    """{address: (code, enhanced)} of those refused."""
    smtp.ehlo()
    smtp.mail(sender)
    answers = {to: smtp.rcpt(to) for to in recipients}
    smtp.rset()
    return {to: (code, text.decode().split()[0])
            for to, (code, text) in answers.items() if code >= 400}


def test_extensions(server):
    with server.smtp() as smtp:
        smtp.ehlo()
        for name in ("pipelining", "8bitmime", "smtputf8", "enhancedstatuscodes", "chunking",
                     "binarymime", "dsn", "starttls", "size", "limits"):
            assert smtp.has_extn(name), name
        assert not smtp.has_extn("auth")


def test_delivery_with_trace(server, account):
    server.deliver(account, NOTE)
    message = only_message(server, account)
    assert message["Return-Path"] == "<someone@elsewhere.test>"
    assert message["Delivered-To"] == account
    assert "by mx.example.test" in message["Received"]
    assert message.get_payload() == "Hello.\r\n.dot\r\n"


def test_starttls_then_delivery(server, account):
    with server.smtp() as smtp:
        smtp.starttls(context=server.tls)
        smtp.sendmail("a@elsewhere.test", [account], NOTE)
    assert "ESMTPS" in only_message(server, account)["Received"]


def test_refused_recipients(server, account):
    with server.smtp() as smtp:
        assert refusals(smtp, "a@elsewhere.test", account, f"nobody@{DOMAIN}", "x@far.test") == {
            f"nobody@{DOMAIN}": (550, "5.1.1"), "x@far.test": (550, "5.7.1")}


def test_disabled_account_is_refused_at_once(server, account):
    server.run("account", "disable", account)
    with server.smtp() as smtp:
        assert refusals(smtp, "a@elsewhere.test", account) == {account: (550, "5.2.1")}
    server.run("account", "enable", account)
    server.deliver(account, NOTE)


def test_over_quota(server, account):
    server.run("account", "quota", account, "--bytes", "2K")
    server.deliver(account, NOTE + "x" * 1500)
    server.wait_for_mail(account)
    with pytest.raises(smtplib.SMTPException) as caught:
        server.deliver(account, NOTE + "x" * 1500)
    assert "2.2" in str(caught.value) or "mailbox" in str(caught.value)
    assert server.count(account) == 1


def test_message_too_large(server, account):
    with server.smtp() as smtp:
        smtp.ehlo()
        code, text = smtp.mail("a@elsewhere.test", [f"SIZE={60 << 20}"])
        assert (code, text.split()[0]) == (552, b"5.3.4")


def test_subaddress(server, account):
    """Delivered-To is the account, so that a message sent in a circle is recognised."""
    server.deliver(account.replace("@", "+lists@"), NOTE)
    assert only_message(server, account)["Delivered-To"] == account


def test_alias_to_several(server, account, second_account):
    alias = f"team-{account}"
    server.run("alias", "add", alias, account, second_account)
    server.deliver(alias, NOTE)
    only_message(server, account)
    only_message(server, second_account)
    server.run("alias", "remove", alias)
    with server.smtp() as smtp:
        assert refusals(smtp, "a@elsewhere.test", alias) == {alias: (550, "5.1.1")}


def test_catch_all_and_postmaster(server, account):
    server.run("domain", "add", "catch.test")
    server.run("alias", "add", "*@catch.test", account)
    server.deliver("whoever@catch.test", NOTE)
    only_message(server, account)
    with server.smtp() as smtp:
        assert refusals(smtp, "", f"postmaster@{DOMAIN}", f"Postmaster@{DOMAIN}") == {}


@pytest.mark.parametrize("bare", [b"a\nb", b"a\rb", b"a\n.\r\nMAIL FROM:<x@y.test>\r\n", b"a\r\n.\n"])
def test_bare_newlines_are_refused(server, account, bare):
    with socket.create_connection(("localhost", server.ports["smtp"]), timeout=30) as raw:
        stream = raw.makefile("rb")

        def say(line):
            raw.sendall(line)
            answer = stream.readline()
            while answer[3:4] == b"-":
                answer = stream.readline()
            return answer

        stream.readline()
        say(b"EHLO client.test\r\n")
        say(b"MAIL FROM:<a@elsewhere.test>\r\n")
        say(b"RCPT TO:<%s>\r\n" % account.encode())
        assert say(b"DATA\r\n").startswith(b"354")
        assert say(b"Subject: x\r\n\r\n" + bare + b"\r\n.\r\n").startswith(b"5")
        assert say(b"NOOP\r\n").startswith(b"250")
    assert server.count(account) == 0


def test_loop_is_stopped(server, account):
    hops = "".join(f"Received: from h{i} by h{i + 1}; Mon, 2 Mar 2026 10:00:00 +0000\n"
                   for i in range(60))
    with pytest.raises(smtplib.SMTPDataError) as caught:
        server.deliver(account, hops + NOTE)
    assert caught.value.smtp_error.startswith(b"5.4.6")


def test_submission_needs_tls_and_login(server, account):
    with smtplib.SMTP("localhost", server.ports["submission"], timeout=30) as smtp:
        smtp.ehlo()
        assert not smtp.has_extn("auth")
        assert smtp.mail(account)[0] == 530
        smtp.starttls(context=server.tls)
        smtp.ehlo()
        assert smtp.has_extn("auth")
        assert smtp.mail(account)[0] == 530
        assert code_of(smtp.login, account, "wrong") == (535, "5.7.8")


def test_submission_completes_and_hides(server, account, second_account):
    text = f"From: {account}\nTo: {second_account}\nBcc: {second_account}\nSubject: s\n\nhi\n"
    with smtplib.SMTP("localhost", server.ports["submission"], timeout=30) as smtp:
        smtp.starttls(context=server.tls)
        smtp.login(account, PASSWORD)
        smtp.sendmail(account, [second_account], text)
    message = only_message(server, second_account)
    assert message["Date"] and message["Message-ID"] and message["Bcc"] is None
    assert "127.0.0.1" not in message["Received"]


def test_submission_only_as_oneself(server, account, second_account):
    with server.submission(account) as smtp:
        assert smtp.mail(second_account)[0] in (550, 553)
        smtp.rset()
        assert smtp.mail(account.replace("@", "+tag@"))[0] == 250
        smtp.rset()
        server.run("alias", "add", f"info-{account}", account)
        assert smtp.mail(f"info-{account}")[0] == 250


def test_lmtp_answers_per_recipient(server, account):
    with smtplib.LMTP("localhost", server.ports["lmtp"]) as lmtp:
        lmtp.ehlo("client.test")
        lmtp.mail("a@elsewhere.test")
        assert lmtp.rcpt(account)[0] == 250
        assert lmtp.rcpt(f"nobody@{DOMAIN}")[0] == 550
        code, _ = lmtp.data(NOTE)
        assert code == 250
    only_message(server, account)


def test_undeliverable_mail_comes_back(make_server):
    """No name server answers and mail is given up after seconds: the sender gets a DSN."""
    server = make_server({"smtp": {"give_up": "2s", "retry_last": "1s"}})
    sender = server.add_account(f"sender@{DOMAIN}")
    with server:
        with server.submission(sender) as smtp:
            smtp.sendmail(sender, ["x@far.test"], f"From: {sender}\nSubject: far\n\nhi\n")
        assert [row["to"] for row in server.json("queue", "list")] == [["x@far.test"]]
        server.wait_for_mail(sender)
        bounce = email.message_from_bytes(server.messages(sender)[0])
        assert bounce.get_content_type() == "multipart/report"
        assert bounce["Return-Path"] == "<>"
        status = bounce.get_payload(1).as_string()
        assert "Final-Recipient: rfc822;x@far.test" in status.replace("; ", ";")
        assert "Action: failed" in status
        wait_until(lambda: server.json("queue", "list") == [], "the queue is empty")


def test_queue_commands(make_server):
    server = make_server({"smtp": {"retry_first": "1h"}})
    sender = server.add_account(f"sender@{DOMAIN}")
    with server:
        with server.submission(sender) as smtp:
            smtp.sendmail(sender, ["x@far.test"], f"From: {sender}\nSubject: far\n\nhi\n")
        number = str(server.json("queue", "list")[0]["id"])
        tries = lambda: server.json("queue", "show", number)["recipients"][0]["tries"]
        wait_until(lambda: tries() == 1, "the first try has failed")
        server.run("queue", "retry", number)
        wait_until(lambda: tries() == 2, "the second try has failed")
        server.run("queue", "remove", number, "--yes")
        assert server.json("queue", "list") == []
        assert server.command("queue", "show", number).returncode == 1


def test_draft_is_sent_from_where_it_lies(server, account, second_account):
    """APPEND, GENURLAUTH, BURL (RFC 4467, 4468): 3 MB that the client sends once."""
    header = f"From: {account}\r\nTo: {second_account}\r\nSubject: a long draft\r\n\r\n"
    text = (header + "0123456789012345678901234567890123456789\r\n" * 75000).encode()
    user = account.replace("@", "%40")
    with server.imap(account) as imap:
        imap.append("Drafts", r"(\Draft)", None, text)
        imap.select("Drafts")
        uid = imap.uid("SEARCH", "ALL")[1][0].decode()
        imap.xatom("GENURLAUTH", f'"imap://{user}@{DOMAIN}/Drafts/;UID={uid};'
                                 f'URLAUTH=submit+{user}"', "INTERNAL")
        url = imap.untagged_responses["GENURLAUTH"][0].decode().strip('"')
    with server.submission(account) as smtp:
        smtp.ehlo()
        assert smtp.esmtp_features["burl"].strip() == "imap"
        smtp.mail(account)
        smtp.rcpt(second_account)
        assert smtp.docmd("BURL", f"{url} LAST")[0] == 250
    message = only_message(server, second_account)
    assert message["Subject"] == "a long draft" and message["Message-ID"]
    assert len(message.get_payload()) == len(text) - len(header)
    # Nobody else can use it.
    with server.submission(second_account) as smtp:
        smtp.mail(second_account)
        smtp.rcpt(account)
        assert smtp.docmd("BURL", f"{url} LAST")[0] == 554
