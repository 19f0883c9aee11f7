"""The disk is full, descriptors run out, the holder of an account's lock dies: clients hear of trouble that
may pass, nothing is half done, and all goes on by itself when there is room again."""
import email
import errno
import imaplib
import os
import pathlib
import resource
import smtplib
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from server import DOMAIN, Server, wait_until
from test_damage import folder_of

LARGE = "A line as long as lines tend to be, more or less.\r\n" * 8000
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def small_disk():
    """A server whose data is on a disk of 24 MB."""
    with tempfile.TemporaryDirectory(prefix="postane-") as name:
        folder = pathlib.Path(name)
        (folder / "data").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", folder / "data"], check=True)
        try:
            server = Server(folder, {"smtp": {"retry_first": "1s"}}, data=folder / "data/store")
            yield server
        finally:
            subprocess.run(["umount", "-l", folder / "data"], check=True)


def subjects(server, account, mailbox="INBOX"):
    return sorted(email.message_from_bytes(text[:3000])["Subject"] for text in server.messages(account, mailbox))


def leave_free(server, bytes_free):
    """A file that takes all but that. The daemons may take some in between: then once more."""
    def take():
        disk = os.statvfs(server.data)
        with open(server.data.parent / "ballast", "wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, disk.f_bavail * disk.f_frsize - bytes_free))
            except OSError as error:
                assert error.errno == errno.ENOSPC
                return False
        return True
    wait_until(take, "the disk is full")


@root_only
@pytest.mark.parametrize("bytes_free", [0, 16384, 262144])
def test_full_disk(small_disk, bytes_free):
    server = small_disk
    account = server.add_account(f"alice@{DOMAIN}")
    with server:
        expected, appended = [], []
        imap = server.imap(account)
        assert imap.append("Archive", None, None, b"Subject: m-before\r\n\r\nx\r\n")[0] == "OK"
        appended.append("m-before")
        server.deliver(account, "Subject: m-first\r\n\r\nx\r\n")
        expected.append("m-first")
        server.wait_for_mail(account)
        pids = server.pids()
        leave_free(server, bytes_free)
        codes = set()
        for number in range(40):
            text = f"Subject: m{number}\r\n\r\n" + (LARGE if number % 4 == 0 else "x\r\n" * 300)
            codes.add(try_delivery(server, account, f"m{number}", text, expected))
            typ, data = imap.append("Archive", None, None, text.encode())
            if typ == "OK":
                appended.append(f"m{number}")
            else:
                assert data[-1].startswith(b"[UNAVAILABLE]"), data
        assert codes & {452, 451} and len(appended) < 41
        imap.select("Archive")
        assert imap.fetch("1", "(BODY.PEEK[])")[0] == "OK"  # reading needs no room
        assert server.pids() == pids

        (server.data.parent / "ballast").unlink()
        wait_until(lambda: subjects(server, account) == sorted(expected), "what was accepted is delivered")
        assert subjects(server, account, "Archive") == sorted(appended)
        assert imap.append("Archive", None, None, b"Subject: m-after\r\n\r\nx\r\n")[0] == "OK"
        imap.shutdown()
        server.deliver(account, "Subject: m-last\r\n\r\n" + LARGE)
        wait_until(lambda: "m-last" in subjects(server, account), "delivery after all")
        assert server.pids() == pids
    done = server.command("check", "--hashes")
    assert done.returncode == 0, done.stdout


def try_delivery(server, account, name, text, expected):
    """The reply's code."""
    try:
        server.deliver(account, text)
    except smtplib.SMTPRecipientsRefused as refused:
        [(code, reply)] = refused.recipients.values()
    except smtplib.SMTPResponseException as refused:
        code, reply = refused.smtp_code, refused.smtp_error
    else:
        expected.append(name)
        return 250
    assert code in (451, 452) and reply.startswith(b"4.3."), (code, reply)
    return code


def processor_seconds(pid):
    """What the process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_descriptors_run_out(make_server):
    server = make_server({"limits": {"handles": 8}})
    account = server.add_account(f"alice@{DOMAIN}")
    with server:
        pid = server.pids()["imapd"]
        first = server.imap(account)
        first.select("INBOX")
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 12, used + 12))
        waiting = []
        for _ in range(40):
            waiting.append(connect(server))
        before, since = processor_seconds(pid), time.monotonic()
        for _ in range(20):
            assert first.noop()[0] == "OK"
        first.append("INBOX", None, None, b"Subject: one\r\n\r\nx\r\n")  # OK or not, the session lives
        wait_until(lambda: time.monotonic() - since > 2, "two seconds of waiting clients")
        assert processor_seconds(pid) - before < 1.5, "it spins"
        for sock in waiting:
            sock.close()
        wait_until(lambda: can_append(server, account), "a new session works")
        assert server.pids()["imapd"] == pid
        first.logout()


def connect(server):
    return socket.create_connection(("127.0.0.1", server.ports["imap"]), timeout=30)


def can_append(server, account):
    try:
        with server.imap(account) as imap:
            return imap.append("INBOX", None, None, b"Subject: two\r\n\r\nx\r\n")[0] == "OK"
    except (OSError, imaplib.IMAP4.error):
        return False


def test_who_holds_the_lock_dies(make_server):
    """A writer waits for the account's lock; the one who has it is killed, and with it goes the lock."""
    server = make_server()
    account = server.add_account(f"alice@{DOMAIN}")
    lock = folder_of(server, account) / "lock"
    with server:
        holder = subprocess.Popen([sys.executable, "-c", f"""
import fcntl, os, time
file = open({str(lock)!r}, "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""], stdout=subprocess.PIPE)
        assert holder.stdout.readline() == b"held\n"
        with server.imap(account) as imap:
            tag = imap._new_tag()
            imap.send(tag + b" APPEND INBOX {19+}\r\nSubject: one\r\n\r\nx\r\n\r\n")
            server.deliver(account, "Subject: two\r\n\r\nx\r\n")  # the queue takes it meanwhile
            holder.kill()
            holder.wait()
            while not (line := imap.readline()).startswith(tag):
                pass
            assert b" OK " in line
        wait_until(lambda: server.count(account) == 2, "both")
