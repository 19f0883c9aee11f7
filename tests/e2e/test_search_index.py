"""The search index: the same results before, with and after it, whatever becomes of search.db."""
import re
import sys

import pytest

from server import DOMAIN, PASSWORD, ROOT, Server, wait_until

sys.path.insert(0, str(ROOT / "tests/oracle"))

TEXTS = ["İstanbul ışık Iğdır", "Straße weiß GRÜSSE", "ὁδὸς ΟΔΟΣ οδός", "cafe\u0301 café", "你好 会议 北京", "안녕하세요",
         "🎉 party 👩‍💻", "plain words only", "ﬁnal ＡＢＣ", "x" * 3000 + "needle" + "y" * 3000]
NEEDLES = ["ı", "i", "ışık", "İST", "ss", "ß", "straße", "σ", "ς", "οδος", "ΟΔΌΣ", "é", "CAFÉ", "e\u0301", "你", "会议", "안녕",
           "하", "🎉", "👩", "fi", "final", "abc", "xn", "xneedley", "nowhere", "q", "zz", "plain w", "d ", " "]


@pytest.fixture
def server(tmp_path):
    with Server(tmp_path) as server:
        yield server


def mail(number, text):
    import base64
    body = base64.encodebytes(text.encode()).decode().replace("\n", "\r\n")
    return ("From: a@example.test\r\nSubject: =?utf-8?b?%s?=\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n%s" % (
                base64.b64encode(("n%d " % number + text[:30]).encode()).decode(), body)).encode()


def expected(needle):
    import reference
    return [n + 1 for n, text in enumerate(TEXTS)
            if reference.fold(needle) in reference.fold(text)]


def found(session, key, needle):
    data = needle.encode()
    lines = session.command(b"SEARCH CHARSET UTF-8 %s {%d}\r\n%s" % (key, len(data), data))
    return [int(n) for n in re.findall(rb"\d+", lines[0])]


def check_all(server, user):
    from oracle import Session

    session = Session(server, user, PASSWORD)
    session.command(b"SELECT INBOX")
    for needle in NEEDLES:
        assert found(session, b"BODY", needle) == expected(needle), needle
        wrong = set(range(1, len(TEXTS) + 1)) - set(found(session, b"BODY", needle))
        assert set(found(session, b"NOT BODY", needle)) == wrong, needle
        assert set(found(session, b"TEXT", needle)) >= set(expected(needle)), needle
    for number, text in enumerate(TEXTS):
        assert number + 1 in found(session, b"SUBJECT", text[:30]), text
        assert number + 1 in found(session, b"HEADER Subject", text[:30]), text
    session.command(b"LOGOUT")


def is_indexed(server, count):
    row = next(r for r in server.json("status") if r["daemon"] == "imapd")
    return row["messages"] == row["indexed"] == count


def index_file(server):
    return next(server.data.glob("accounts/*/*/search.db"))


def fill(server, user):
    from oracle import Session

    session = Session(server, user, PASSWORD)
    for number, text in enumerate(TEXTS):
        session.command(b"APPEND INBOX {%d}\r\n%s" % (len(mail(number, text)), mail(number, text)))
    session.command(b"LOGOUT")


def test_same_results(server):
    user = server.add_account(f"user@{DOMAIN}")
    fill(server, user)
    check_all(server, user)
    wait_until(lambda: is_indexed(server, len(TEXTS)), "all messages are indexed")
    check_all(server, user)
    rows = server.json("search", "rebuild", user)
    assert rows == [{"address": user, "messages": len(TEXTS), "indexed": len(TEXTS)}]
    check_all(server, user)
    assert "No damage" in server.run("check")


def test_not_indexed_yet(tmp_path):
    """Mail that has just come is found with the index of all that came before."""
    with Server(tmp_path, {"imap": {"search_index": "no"}}) as server:
        from oracle import Session

        user = server.add_account(f"user@{DOMAIN}")
        fill(server, user)
        server.run("search", "rebuild", user)
        session = Session(server, user, PASSWORD)
        session.command(b"SELECT INBOX")
        data = mail(99, "just come, café")
        session.command(b"APPEND INBOX {%d}\r\n%s" % (len(data), data))
        for needle in ["just", "st com", "É", "j"]:
            last = [len(TEXTS) + 1]
            assert found(session, b"BODY", needle) == expected(needle) + last, needle
            assert found(session, b"SUBJECT", needle)[-1:] == last, needle
            assert found(session, b"NOT TEXT", needle)[-1:] != last, needle


def test_ends(tmp_path):
    """What only wants one end of the result gets the same, from slices of all sizes."""
    with Server(tmp_path, {"imap": {"search_index": "no", "search_slice": 3}}) as server:
        from oracle import Session

        user = server.add_account(f"user@{DOMAIN}")
        fill(server, user)
        session = Session(server, user, PASSWORD)
        session.command(b"SELECT INBOX")
        for key in ["ALL", "BODY i", "OR 4 BODY o", "OR (2 OR BODY 'zz' 9) SUBJECT n", "NOT BODY i", "BODY nowhere", "OR SUBJECT n9 7"]:
            lines = session.command(b"SEARCH RETURN (ALL COUNT) " + key.encode())
            everything = re.findall(rb"ALL (\S+)", lines[0])
            wanted = numbers(everything[0].decode()) if everything else []
            for option, part in [("MIN", wanted[:1]), ("MAX", wanted[-1:]), ("PARTIAL 1:2", wanted[:2]),
                                 ("PARTIAL 2:3", wanted[1:3]), ("PARTIAL -1:-2", wanted[-2:]),
                                 ("MIN PARTIAL 1:2", wanted[:2]), ("MAX PARTIAL -2:-3", wanted[-3:-1] + wanted[-1:])]:
                session.command(b"SEARCH RETURN (SAVE %s) %s" % (option.encode(), key.encode()))
                lines = session.command(b"SEARCH RETURN (ALL) $")
                saved = re.findall(rb"ALL (\S+)", lines[0])
                assert (numbers(saved[0].decode()) if saved else []) == part, (key, option)


def numbers(text):
    found = []
    for one in text.split(","):
        lo, _, hi = one.partition(":")
        found += range(int(lo), int(hi or lo) + 1)
    return found


def damage(server, change):
    server.stop()
    path = index_file(server)
    data = bytearray(path.read_bytes())
    assert len(data) > 4096
    change(data)
    path.write_bytes(data)
    path.with_name("search.db-wal").unlink(missing_ok=True)
    path.with_name("search.db-shm").unlink(missing_ok=True)
    return path


def flip(data, start, step):
    for at in range(start, len(data), step):
        data[at] ^= 0xff


@pytest.mark.parametrize("change", [
    lambda data: data.clear(), lambda data: flip(data, 0, 7), lambda data: flip(data, 4096, 1),
    lambda data: flip(data, 4200, 97), lambda data: data.__delitem__(slice(len(data) // 2, None))],
    ids=["empty", "all", "after the first page", "here and there", "cut"])
def test_damaged(server, change):
    user = server.add_account(f"user@{DOMAIN}")
    fill(server, user)
    wait_until(lambda: is_indexed(server, len(TEXTS)), "all messages are indexed")
    path = damage(server, change)
    server.start()
    check_all(server, user)
    server.command("check", "--repair")
    server.run("search", "rebuild")
    check_all(server, user)
    assert "No damage" in server.run("check")
    assert path.exists()


def test_without(tmp_path):
    with Server(tmp_path, {"imap": {"search_index": "no"}}) as server:
        user = server.add_account(f"user@{DOMAIN}")
        fill(server, user)
        check_all(server, user)
        assert not list(server.data.glob("accounts/*/*/search.db"))
