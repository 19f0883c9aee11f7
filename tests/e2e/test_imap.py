"""IMAP as Python's imaplib speaks it; what needs exact dialogues is in tests/wire."""
import email
import imaplib
import re

import pytest

from server import PASSWORD, wait_until

TEXT = b"From: a@elsewhere.test\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\n\r\nFirst line\r\nSecond\r\n"


def append(imap, count=1, mailbox="INBOX"):
    for i in range(count):
        imap.append(mailbox, None, None, b"Subject: number %d\r\n\r\nbody %d\r\n" % (i + 1, i + 1))


def uids(imap, *criteria):
    return [int(n) for n in imap.uid("SEARCH", *criteria)[1][0].split()]


def read_until(imap, pattern):
    """Untagged lines up to one that matches."""
    while True:
        line = imap.readline()
        assert line, "the server hung up"
        if re.search(pattern, line):
            return line


def test_starttls_and_capabilities(server, account):
    imap = imaplib.IMAP4("localhost", server.ports["imap"], timeout=30)
    assert "STARTTLS" in imap.capabilities and "LOGINDISABLED" in imap.capabilities
    with pytest.raises(imaplib.IMAP4.error):
        imap.login(account, PASSWORD)
    imap.starttls(ssl_context=server.tls)
    imap.login(account, PASSWORD)
    imap.capability()
    _, (words,) = imap.capability()
    for word in (b"IMAP4rev1 SASL-IR ID ENABLE NAMESPACE CHILDREN UNSELECT IDLE UIDPLUS MOVE "
                 b"SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE CONDSTORE "
                 b"QRESYNC ESEARCH SEARCHRES UTF8=ACCEPT QUOTA MULTIAPPEND CATENATE BINARY REPLACE "
                 b"URLAUTH").split():
        assert word in words.split(), word
    assert b"LITERAL+" in words or b"LITERAL-" in words
    assert b"APPENDLIMIT" in words
    imap.logout()


def test_wrong_password(server, account):
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        server.imap(account, "wrong")


def test_special_mailboxes(server, account):
    with server.imap(account) as imap:
        lines = b"\n".join(imap.list()[1])
    for name in (b"Drafts", b"Sent", b"Trash", b"Junk", b"Archive"):
        assert re.search(rb"\\" + name + rb'.*"?' + name + rb'"?$', lines, re.M), name


def test_append_and_fetch(server, account):
    with server.imap(account) as imap:
        imap.append("INBOX", r"(\Seen \Flagged)", '"02-Mar-2026 10:00:00 +0100"', TEXT)
        assert imap.select("INBOX")[1] == [b"1"]
        parts = imap.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY.PEEK[])")[1]
    head = parts[0][0]
    assert parts[0][1] == TEXT
    assert rb"\Seen" in head and rb"\Flagged" in head
    assert b"RFC822.SIZE %d" % len(TEXT) in head
    assert b'INTERNALDATE " 2-Mar-2026 09:00:00 +0000"' in head
    assert b"=?utf-8?q?gr=C3=BCn?=" in head


def test_partial_and_sections(server, account):
    with server.imap(account) as imap:
        imap.append("INBOX", None, None, TEXT)
        imap.select("INBOX")
        body = TEXT.split(b"\r\n\r\n", 1)[1]
        assert imap.fetch("1", "(BODY.PEEK[TEXT])")[1][0][1] == body
        assert imap.fetch("1", "(BODY.PEEK[]<5.10>)")[1][0][1] == TEXT[5:15]
        assert imap.fetch("1", "(BODY.PEEK[HEADER.FIELDS (FROM)])")[1][0][1] == (
            b"From: a@elsewhere.test\r\n\r\n")


def test_flags_and_expunge(server, account):
    with server.imap(account) as imap:
        append(imap, 4)
        imap.select("INBOX")
        imap.store("2,4", "+FLAGS", r"(\Deleted $Label)")
        assert uids(imap, "DELETED") == [2, 4]
        assert uids(imap, "KEYWORD", "$Label") == [2, 4]
        imap.uid("EXPUNGE", "4")
        imap.untagged_responses.clear()
        assert uids(imap, "ALL") == [1, 2, 3]
        assert imap.expunge()[1] == [b"2"]
        assert uids(imap, "ALL") == [1, 3]
    status = server.json("mailbox", "status", account)
    assert (status["messages"], status["uidnext"]) == (2, 5)


def test_copy_move_and_uidplus(server, account):
    with server.imap(account) as imap:
        append(imap, 3)
        imap.select("INBOX")
        imap.send(b"c1 UID COPY 1:2 Archive\r\n")
        assert re.match(rb"c1 OK \[COPYUID \d+ 1:2 1:2\]", read_until(imap, rb"^c1 "))
        imap.uid("MOVE", "3", "Trash")
        assert uids(imap, "ALL") == [1, 2]
        imap.select("Archive")
        assert uids(imap, "ALL") == [1, 2]
        imap.select("Trash")
        assert uids(imap, "ALL") == [1]


def test_search(server, account):
    with server.imap(account) as imap:
        append(imap, 3)
        imap.append("INBOX", r"(\Seen)", None, TEXT)
        imap.select("INBOX")
        assert uids(imap, "SUBJECT", '"number 2"') == [2]
        assert uids(imap, "BODY", '"irst lin"') == [4]
        assert uids(imap, "UNSEEN") == [1, 2, 3]
        assert uids(imap, "OR", "SUBJECT", '"number 1"', "FROM", "elsewhere") == [1, 4]
        assert uids(imap, "NOT", "1:2", "LARGER", "60") == [4]
        imap.literal = "grün".encode()
        assert imap.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT")[1] == [b"4"]


def test_mailboxes(server, account):
    with server.imap(account) as imap:
        assert imap.create('"Work/Jahr 2026/M&AOQ-rz"')[0] == "OK"
        append(imap, 2, '"Work/Jahr 2026/M&AOQ-rz"')
        assert imap.rename("Work", "Old")[0] == "OK"
        assert imap.select('"Old/Jahr 2026/M&AOQ-rz"')[1] == [b"2"]
        imap.close()
        assert imap.delete('"Old/Jahr 2026/M&AOQ-rz"')[0] == "OK"
        assert imap.delete("INBOX")[0] == "NO"
        assert imap.create("inbox")[0] == "NO"
    names = [row["name"] for row in server.json("mailbox", "list", account)]
    assert "Old/Jahr 2026" in names and "Old/Jahr 2026/März" not in names


def test_two_sessions_see_each_other(server, account):
    with server.imap(account) as one, server.imap(account) as two:
        append(one, 3)
        one.select("INBOX")
        two.select("INBOX")
        one.store("1", "+FLAGS", r"(\Deleted)")
        one.expunge()
        two.untagged_responses.clear()
        two.fetch("3", "(FLAGS)")  # no EXPUNGE may come now: numbers stay (RFC 3501, 7.4.1)
        assert "EXPUNGE" not in two.untagged_responses
        two.noop()
        assert two.untagged_responses["EXPUNGE"] == [b"1"]


def test_idle_hears_of_new_mail(server, account):
    with server.imap(account) as imap:
        imap.select("INBOX")
        imap.send(b"i1 IDLE\r\n")
        read_until(imap, rb"^\+ ")
        server.deliver(account, "Subject: new\n\nnew\n")
        read_until(imap, rb"^\* 1 EXISTS")
        imap.send(b"DONE\r\n")
        read_until(imap, rb"^i1 OK")


def test_resync_with_qresync(server, account):
    with server.imap(account) as imap:
        append(imap, 5)
        imap.select("INBOX")
        status = imap.status("INBOX", "(UIDVALIDITY HIGHESTMODSEQ)")[1][0]
        validity, modseq = re.search(rb"UIDVALIDITY (\d+) HIGHESTMODSEQ (\d+)", status).groups()
    with server.imap(account) as other:
        other.select("INBOX")
        other.uid("STORE", "2", "+FLAGS", r"(\Seen)")
        other.uid("STORE", "4", "+FLAGS", r"(\Deleted)")
        other.expunge()
    with server.imap(account) as imap:
        imap.enable("QRESYNC")
        imap.send(b"q1 SELECT INBOX (QRESYNC (%s %s))\r\n" % (validity, modseq))
        lines = []
        while not lines or not lines[-1].startswith(b"q1 "):
            lines.append(imap.readline())
    seen = b"".join(lines)
    assert b"* VANISHED (EARLIER) 4\r\n" in seen
    assert re.search(rb"\* 2 FETCH \(.*UID 2 .*\\Seen", seen) or re.search(rb"UID 2.*\\Seen", seen)
    assert not re.search(rb"UID [135]\b", seen)
    assert lines[-1].startswith(b"q1 OK")


def test_utf8_after_enable(server, account):
    with server.imap(account) as imap:
        imap.enable("UTF8=ACCEPT")
        assert imap.create('"Entwürfe 2"')[0] == "OK"
    assert "Entwürfe 2" in [row["name"] for row in server.json("mailbox", "list", account)]


def test_quota(server, account):
    server.run("account", "quota", account, "--bytes", "10K", "--messages", "3")
    with server.imap(account) as imap:
        typ, (roots, quotas) = imap.getquotaroot("INBOX")
        assert b"STORAGE 0 10" in quotas[0]
        append(imap, 3)
        typ, text = imap.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
        assert typ == "NO" and b"OVERQUOTA" in text[0]


def test_delivered_mail_is_what_was_sent(server, account):
    server.deliver(account, "Subject: same\n\n.leading dot\n" + "x" * 990 + "\n")
    server.wait_for_mail(account)
    message = email.message_from_bytes(server.messages(account)[0])
    assert message.get_payload() == ".leading dot\r\n" + "x" * 990 + "\r\n"


def test_large_message(server, account):
    text = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 4 + b"\r\n"
    text += (b"x" * 76 + b"\r\n") * 40000
    with server.imap(account) as imap:
        imap.append("INBOX", None, None, text)
    assert server.messages(account) == [text]
    server.deliver(account, text)
    server.wait_for_mail(account, 2)
    assert server.messages(account)[1].endswith(text)
    assert "No damage" in server.run("check", "--hashes")


def test_session_survives_certificate_reload(server, account):
    with server.imap(account) as imap:
        server.process.send_signal(1)
        imap.select("INBOX")
        wait_until(lambda: server.log().count("reload") >= 1, "the daemons have reloaded")
        assert imap.noop()[0] == "OK"
    server.imap(account).logout()
