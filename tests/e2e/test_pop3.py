"""POP3 as Python's poplib speaks it."""
import poplib

import pytest

from server import PASSWORD, wait_until

TEXT = b"Subject: one\r\n\r\nline\r\n.\r\n..dots\r\n"


def fill(server, account, count=3):
    with server.imap(account) as imap:
        for i in range(count):
            imap.append("INBOX", None, None, b"Subject: %d\r\n\r\nbody %d\r\n" % (i, i))


def test_stls_and_login(server, account):
    pop = poplib.POP3("localhost", server.ports["pop3"], timeout=30)
    assert "STLS" in pop.capa()
    pop.stls(context=server.tls)
    pop.user(account)
    assert pop.pass_(PASSWORD).startswith(b"+OK")
    assert pop.stat() == (0, 0)
    pop.quit()


def test_no_login_in_the_clear(server, account):
    pop = poplib.POP3("localhost", server.ports["pop3"], timeout=30)
    with pytest.raises(poplib.error_proto):
        pop.user(account)
        pop.pass_(PASSWORD)
    pop.quit()


def test_wrong_password(server, account):
    with pytest.raises(poplib.error_proto, match="AUTH"):
        server.pop3(account, "wrong")


def test_retrieve_is_octet_exact(server, account):
    with server.imap(account) as imap:
        imap.append("INBOX", None, None, TEXT)
    pop = server.pop3(account)
    assert pop.stat() == (1, len(TEXT))
    assert b"\r\n".join(pop.retr(1)[1]) + b"\r\n" == TEXT
    assert pop.top(1, 0)[1] == [b"Subject: one", b""]
    assert pop.top(1, 1)[1][-1] == b"line"
    pop.quit()


def test_delete_only_at_quit(server, account):
    fill(server, account)
    pop = server.pop3(account)
    pop.dele(2)
    with pytest.raises(poplib.error_proto):
        pop.retr(2)
    pop.close()  # no QUIT: nothing is deleted
    assert server.count(account) == 3

    pop = server.pop3(account)
    pop.dele(1)
    pop.rset()
    pop.dele(3)
    pop.quit()
    assert server.count(account) == 2


def test_uidl_stays(server, account):
    fill(server, account)
    pop = server.pop3(account)
    before = pop.uidl()[1]
    pop.quit()
    with server.imap(account) as imap:
        imap.select("INBOX")
        imap.uid("MOVE", "2", "Archive")
        imap.select("Archive")
        imap.uid("MOVE", "1:*", "INBOX")
    pop = server.pop3(account)
    after = pop.uidl()[1]
    pop.quit()
    unique = lambda lines: sorted(line.split()[1] for line in lines)
    assert unique(before) == unique(after)
    assert len(set(unique(after))) == 3


def test_view_is_fixed_at_login(server, account):
    fill(server, account, 1)
    pop = server.pop3(account)
    server.deliver(account, "Subject: late\n\nlate\n")
    server.wait_for_mail(account, 2)
    assert pop.stat()[0] == 1
    pop.quit()
    pop = server.pop3(account)
    assert pop.stat()[0] == 2
    pop.quit()


def test_status_counts_sessions(server, account):
    def sessions():
        return {row["daemon"]: row for row in server.json("status")}["pop3d"]["sessions"]

    before = sessions()
    pop = server.pop3(account)
    assert sessions() == before + 1
    pop.quit()
    wait_until(lambda: sessions() == before, "the session is gone")
