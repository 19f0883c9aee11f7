"""Damaged files of one account: the others work, clients hear of trouble that may pass, `postane check` names what is
damaged and mends what can be made again, `postane recover` saves what can be read."""
import email
import imaplib
import mailbox
import os
import poplib
import random
import re
import shutil
import sqlite3
import tempfile

import pytest

from server import DOMAIN, Server, wait_until

PAGE = 4096
ALICE, BOB = f"alice@{DOMAIN}", f"bob@{DOMAIN}"
LINE = "A line as long as lines tend to be, more or less.\r\n"


def folder_of(server, address):
    """The account's folder."""
    with sqlite3.connect(f"file:{server.data}/postane.db?mode=ro", uri=True) as db:
        [number] = db.execute("SELECT id FROM account WHERE local = ?", [address.split("@")[0]]).fetchone()
    return server.data / f"accounts/{number >> 56:02x}/{number:016x}"


def fill(server, address):
    """Mail of all kinds; {(mailbox, subject): (flags, received, text)}."""
    imap = server.imap(address)
    imap.create("Lists/A.b")
    for number in range(40):
        name = random.Random(number).choice(["INBOX", "Archive", "Lists/A.b"])
        size = [3, 30, 200, 1500, 4000][number % 5]  # small, with overflow pages, a file of its own
        flags = [None, r"(\Seen)", r"(\Flagged $Important)", r"(\Answered \Draft Later)"][number % 4]
        text = f"Subject: m{number}\r\n\r\n" + LINE * size
        assert imap.append(name, flags, f'"{number % 28 + 1:02}-Jul-2024 10:00:00 +0000"', text.encode())[0] == "OK"
    imap.select("INBOX")
    imap.uid("STORE", "1", "+FLAGS", r"(\Deleted)")
    imap.expunge()
    imap.uid("COPY", "2:4", "Sent")
    imap.logout()
    return snapshot(server, address)


def snapshot(server, address):
    found = {}
    with server.imap(address) as imap:
        for name in ["INBOX", "Archive", "Lists/A.b", "Sent", "Recovered"]:
            if imap.select(f'"{name}"', readonly=True)[0] != "OK":
                continue
            _, parts = imap.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
            for part in parts:
                if isinstance(part, tuple):
                    flags = set(imaplib.ParseFlags(part[0])) - {rb"\Recent"}
                    date = re.search(rb'INTERNALDATE "(.*?)"', part[0])[1]
                    found[name, subject_of(part[1])] = flags, date, part[1]
    return found


def subject_of(text):
    return email.message_from_bytes(text[:500])["Subject"]


def maildir(folder):
    """The same of a Maildir++, without dates."""
    letters = {"D": rb"\Draft", "F": rb"\Flagged", "R": rb"\Answered", "S": rb"\Seen", "T": rb"\Deleted"}
    found, top = {}, mailbox.Maildir(folder, create=False)
    for name in ["", *top.list_folders()]:
        box = top.get_folder(name) if name else top
        keywords = box._path + "/dovecot-keywords"
        words = dict(line.split() for line in open(keywords)) if os.path.exists(keywords) else {}
        for key in box.keys():
            text, message = box.get_bytes(key), box.get_message(key)
            flags = {letters[x] if x in letters else words[str(ord(x) - ord("a"))].encode() for x in message.get_flags()}
            found[name.replace(".", "/").replace("_", ".") or "INBOX", subject_of(text)] = flags, message.get_date(), text
    return found


def without_dates(found):
    return {key: (flags, text.replace(b"\r\n", b"\n")) for key, (flags, _, text) in found.items()}


def damage_first_page(path):
    with open(path, "r+b") as file:
        file.write(os.urandom(PAGE))


def damage_some(path, share=0.1):
    chance = random.Random(5)
    with open(path, "r+b") as file:
        for page in range(1, path.stat().st_size // PAGE):
            if chance.random() < share:
                file.seek(page * PAGE)
                file.write(chance.randbytes(PAGE))


def cut_off(path):
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)


@pytest.fixture(scope="module")
def filled():
    """A folder with a server that has mail, and what its first account has."""
    with tempfile.TemporaryDirectory(prefix="postane-") as folder:
        server = Server(folder)
        for name in (ALICE, BOB):
            server.add_account(name)
        with server:
            before = fill(server, ALICE)
            server.deliver(BOB, "Subject: one\r\n\r\nhi\r\n")
            server.wait_for_mail(BOB)
        yield server.folder, before


@pytest.fixture
def world(filled):
    """A copy of it, not started."""
    source, before = filled
    with tempfile.TemporaryDirectory(prefix="postane-") as folder:
        shutil.copytree(source / "data", f"{folder}/data", ignore=shutil.ignore_patterns("notice", "*.sock"))
        for name in ("cert.pem", "key.pem"):
            shutil.copy(source / name, folder)
        server = Server(folder)
        server.alice, server.bob, server.before = ALICE, BOB, before
        server.mail = folder_of(server, ALICE)
        yield server


def recover(server, *args):
    return server.json("recover", server.alice, *args)


def test_nothing_is_missing_of_a_sound_account(world):
    with world:  # the newest is in the WAL
        world.deliver(world.alice, "Subject: last\r\n\r\nhi\r\n")
        world.wait_for_mail(world.alice, sum(name == "INBOX" for name, _ in world.before) + 1)
        counts = recover(world, "--to", str(world.folder / "out"))
        now = snapshot(world, world.alice)
    assert counts == {"whole": len(now), "damaged": 0, "gone": 0}
    assert without_dates(maildir(world.folder / "out")) == without_dates(now)
    assert recover_fails(world, "--to", str(world.folder / "out"))  # it is not empty


def recover_fails(server, *args):
    done = server.command("recover", server.alice, *args)
    return done.returncode != 0 and done.stderr


@pytest.mark.parametrize("damage, at_least", [(damage_first_page, 1.0), (damage_some, 0.3), (cut_off, 0.3)])
def test_others_work_and_messages_are_recovered(world, damage, at_least):
    damage(world.mail / "mail.db")
    with world:
        others_work(world)
        check = world.command("check", "--repair")
        assert check.returncode == 3 and world.alice in check.stdout and world.bob not in check.stdout
        counts = recover(world, "--to", str(world.folder / "out"))
        saved = maildir(world.folder / "out")
        assert counts["whole"] >= at_least * len(world.before)
        texts = {text.replace(b"\r\n", b"\n") for _, _, text in world.before.values()}
        whole = [text for _, _, text in saved.values() if text.replace(b"\r\n", b"\n") in texts]
        assert len(whole) >= counts["whole"] - 1  # the one that was expunged may be back

        assert recover(world, "--into", world.bob) == counts
        assert len(snapshot(world, world.bob)) == len(saved) + 1
        assert recover(world, "--replace") == counts
        assert len(snapshot(world, world.alice)) == len(saved)
        assert [path.name for path in world.mail.glob("mail.db.damaged-*")] != []
        world.deliver(world.alice, "Subject: new\r\n\r\nhi\r\n")
        wait_until(lambda: ("INBOX", "new") in snapshot(world, world.alice), "mail arrives again")
        assert world.command("check", "--hashes").returncode == 0


def others_work(server):
    """Alice hears of trouble, if of anything; mail for her waits. Bob notices nothing."""
    for attempt in (imap_trouble, pop3_trouble, smtp_trouble):
        attempt(server)
    server.deliver(server.bob, "Subject: two\r\n\r\nhi\r\n")
    wait_until(lambda: server.count(server.bob) == 2, "mail for the other account")
    server.run("mailbox", "status", server.bob, "INBOX")
    with server.imap(server.bob) as imap:
        imap.select("INBOX")
        imap.store("1:2", "+FLAGS", r"(\Deleted)")
        imap.expunge()
        imap.append("INBOX", None, None, b"Subject: one\r\n\r\nhi\r\n")


def imap_trouble(server):
    try:
        with server.imap(server.alice) as imap:
            typ, data = imap.select("INBOX")
            assert typ == "OK" or b"[SERVERBUG]" in data[0]
    except imaplib.IMAP4.error as error:
        assert "[SERVERBUG]" in str(error)


def pop3_trouble(server):
    try:
        server.pop3(server.alice).quit()
    except poplib.error_proto as error:
        assert b"[SYS/" in error.args[0]


def smtp_trouble(server):
    with server.smtp() as smtp:
        smtp.ehlo()
        smtp.mail("a@elsewhere.test")
        code, reply = smtp.rcpt(server.alice)
        assert code == 250 or code == 451 and reply.startswith(b"4.3.0")


@pytest.mark.parametrize("name", ["mail.db", "queue.db", "postane.db"])
def test_an_empty_file_is_no_new_store(world, name):
    path = (world.mail if name == "mail.db" else world.data) / name
    path.write_bytes(b"")
    for rest in path.parent.glob(name + "-*"):
        rest.unlink()
    for _ in range(2):  # it stays refused
        check = world.command("check", "--repair")
        assert check.returncode != 0 and "its tables are gone" in check.stdout + check.stderr


def test_a_damaged_queue(world):
    """Mail is read, and what cannot be queued is refused for the time being; the rest of the check goes on."""
    with world, world.submission(world.bob) as smtp:
        for number in range(40):
            smtp.sendmail(world.bob, [f"x{number}@far.test"], f"Subject: far\r\n\r\n{LINE * number * 10}".encode())
    for name in ("queue.db-wal", "queue.db-shm"):
        (world.data / name).unlink(missing_ok=True)
    damage_some(world.data / "queue.db", 0.4)
    with world:
        pids = world.pids()
        assert snapshot(world, world.alice) == world.before
        with world.smtp() as smtp:
            smtp.ehlo()
            smtp.mail("a@elsewhere.test")
            smtp.rcpt(world.bob)
            code, reply = smtp.data("Subject: one\r\n\r\nhi\r\n")
            assert code == 250 or code == 451 and reply.startswith(b"4.3.0")
        check = world.command("check", "--repair", "--hashes")
        assert check.returncode == 3 and "queue.db" in check.stdout and "@" not in check.stdout
        assert world.pids() == pids


def test_mail_for_an_account_without_store_waits(world):
    (world.mail / "mail.db").rename(world.mail / "kept")
    with world:
        imap_trouble(world)
        smtp_trouble(world)
        world.deliver(world.alice, "Subject: later\r\n\r\nhi\r\n")  # without a quota nobody has to look
        wait_until(lambda: "mail.db is missing" in world.log(), "a try to deliver")
        (world.mail / "kept").rename(world.mail / "mail.db")
        wait_until(lambda: ("INBOX", "later") in snapshot(world, world.alice), "it is delivered")
        assert world.before.items() <= snapshot(world, world.alice).items()
        assert snapshot(world, world.bob).keys() == {("INBOX", "one")}


@pytest.mark.parametrize("name", ["cache.db", "search.db"])
def test_what_can_be_made_again_is(world, name):
    with world:
        wait_until(lambda: (world.mail / name).exists(), name)
        with world.imap(world.alice) as imap:
            imap.select("Archive")
            imap.search(None, "TEXT", "lines")
    for rest in world.mail.glob(name + "-*"):
        rest.unlink()
    damage_first_page(world.mail / name)
    with world:
        with world.imap(world.alice) as imap:
            imap.select("Archive")
            count = len([key for key in world.before if key[0] == "Archive"])
            assert len(imap.search(None, "TEXT", '"more or less"')[1][0].split()) == count
            assert len(imap.fetch("1:*", "ENVELOPE")[1]) == count
    assert world.command("check", "--repair").returncode == 0
    assert world.command("check", "--hashes").returncode == 0
    assert snapshot_of_started(world) == world.before


def snapshot_of_started(server):
    with server:
        return snapshot(server, server.alice)


def test_a_large_message_whose_file_is_damaged(world):
    files = sorted((world.mail / "big").iterdir())
    files[0].unlink()
    damage_first_page(files[1])
    check = world.command("check", "--hashes")
    assert check.returncode == 3
    assert f"message {files[0].name}: its file is missing" in check.stdout
    assert f"message {files[1].name}: its hash does not fit" in check.stdout
    with world:
        others_work(world)
        with world.imap(world.alice) as imap:
            refused = 0
            for name in ("INBOX", "Archive", '"Lists/A.b"'):
                imap.select(name, readonly=True)
                for number in imap.search(None, "ALL")[1][0].split():
                    typ, data = imap.fetch(number, "(FLAGS BODY.PEEK[])")
                    refused += typ != "OK" or not isinstance(data[0], tuple)
        assert refused == 1
    counts = recover(world, "--to", str(world.folder / "out"))
    assert counts == {"whole": len(world.before) - 2, "damaged": 1, "gone": 1}
