"""COMPRESS=DEFLATE (RFC 4978) with clients that do it: imaplib over zlib, and mutt (Debian's neomutt
is built without)."""
import imaplib
import os
import random
import socket
import subprocess
import zlib

import pytest

from server import PASSWORD, wait_until

BIG = b"Subject: big\r\n\r\n" + b"".join(b"line %d of a long letter\r\n" % i for i in range(100000))


class Deflated:
    """What imaplib takes for a socket and its file: DEFLATE on top of both."""

    def __init__(self, inner):
        self.inner = inner
        self.packer, self.unpacker = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)
        self.buffer, self.on_wire = b"", 0

    def sendall(self, data):
        self.inner.sendall(self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH))

    def fill(self):
        packed = self.inner.recv(65536)
        self.on_wire += len(packed)
        self.buffer += self.unpacker.decompress(packed)
        return packed

    def read(self, size):
        while len(self.buffer) < size and self.fill():
            pass
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def readline(self, limit=-1):
        while b"\n" not in self.buffer and self.fill():
            pass
        line, newline, self.buffer = self.buffer.partition(b"\n")
        return line + newline

    def close(self):
        self.inner.close()

    def shutdown(self, how):
        pass


def compress(imap):
    imaplib.Commands["COMPRESS"] = ("AUTH", "SELECTED")
    status, _ = imap._simple_command("COMPRESS", "DEFLATE")
    assert status == "OK"
    imap.sock = imap.file = imap._file = Deflated(imap.sock)
    return imap.sock


def raw_session(server, account):
    """A TLS socket behind the OK of COMPRESS."""
    tls = server.tls.wrap_socket(
        socket.create_connection(("localhost", server.ports["imaps"]), 30),
        server_hostname="localhost")
    stream = tls.makefile("rb")
    tls.sendall(f'1 LOGIN {account} "{PASSWORD}"\r\n'.encode())
    while not stream.readline().startswith(b"1 OK"):
        pass
    return tls, stream


def test_big_letters(server, account):
    imap = server.imap(account)
    layer = compress(imap)
    imap.append("INBOX", None, None, BIG)
    imap.select("INBOX")
    before = layer.on_wire
    assert imap.fetch("1", "(BODY.PEEK[])")[1][0][1] == BIG
    assert layer.on_wire - before < len(BIG) / 4
    noise = random.Random(1).randbytes(300000).replace(b"\r", b"r").replace(b"\n", b"n")
    noise = b"Subject: noise\r\n\r\n" + noise.replace(b"\0", b"0")
    imap.append("INBOX", None, None, noise)
    imap.noop()
    assert imap.fetch("2", "(BODY.PEEK[])")[1][0][1] == noise
    imap.logout()


def test_in_clear(make_server):
    with make_server({"auth": {"plaintext": "yes"}}) as server:
        account = server.add_account("clear@example.test")
        imap = imaplib.IMAP4("localhost", server.ports["imap"], timeout=30)
        imap.login(account, PASSWORD)
        compress(imap)
        imap.append("INBOX", None, None, BIG)
        imap.select("INBOX")
        assert imap.fetch("1", "(BODY.PEEK[])")[1][0][1] == BIG
        imap.logout()


def test_many_commands(server, account):
    """More pipelined commands than there is room for input, in one piece."""
    imap = server.imap(account)
    layer = compress(imap)
    layer.sendall(b"".join(b"x%d NOOP\r\n" % i for i in range(50000)))
    for i in range(50000):
        assert layer.readline().startswith(b"x%d OK" % i)
    imap.logout()


def test_pipelined_behind_the_command(server, account):
    tls, stream = raw_session(server, account)
    packer = zlib.compressobj(wbits=-15)
    tls.sendall(b"2 COMPRESS DEFLATE\r\n" + packer.compress(b"3 NOOP\r\n4 LOGOUT\r\n") +
                packer.flush(zlib.Z_SYNC_FLUSH))
    assert stream.readline().startswith(b"2 OK")
    answer = zlib.decompressobj(-15).decompress(stream.read())
    assert [line.split()[:2] for line in answer.splitlines()] == [
        [b"3", b"OK"], [b"*", b"BYE"], [b"4", b"OK"]]


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_FINISH])
def test_another_user_in_one_packet(server, account, second_account, flush):
    """UNAUTHENTICATE ends compression (RFC 8437 section 4.1); what stands behind it is clear."""
    tls, stream = raw_session(server, account)
    packer = zlib.compressobj(wbits=-15)
    packed = b"".join(packer.compress(b"x%d NOOP\r\n" % i) + packer.flush(zlib.Z_SYNC_FLUSH)
                      for i in range(1000))
    packed += packer.compress(b"3 NOOP\r\n4 UNAUTHENTICATE\r\n") + packer.flush(flush)
    tls.sendall(b"2 COMPRESS DEFLATE\r\n" + packed +
                f'5 LOGIN {second_account} "{PASSWORD}"\r\n6 LOGOUT\r\n'.encode())
    assert stream.readline().startswith(b"2 OK")
    rest, unpacker = stream.read(), zlib.decompressobj(-15)
    end = rest.index(b"5 OK [")
    answer = unpacker.decompress(rest[:end])
    assert answer.count(b" OK NOOP") == 1001 and b"\r\n4 OK" in answer
    assert b"\r\n6 OK" in rest[end:]


@pytest.mark.parametrize("rubbish", [b"3 NOOP\r\n", b"\xff" * 100, b"\x06"])
def test_not_deflate(server, account, rubbish):
    tls, stream = raw_session(server, account)
    tls.sendall(b"2 COMPRESS DEFLATE\r\n")
    assert stream.readline().startswith(b"2 OK")
    tls.sendall(rubbish)
    assert stream.read() == b""


def memory_of(server, name):
    """Resident bytes of a daemon."""
    for pid in subprocess.check_output(["pgrep", "-P", str(server.process.pid)], text=True).split():
        with open(f"/proc/{pid}/comm") as comm, open(f"/proc/{pid}/statm") as statm:
            if comm.read().strip() == name:
                return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    raise AssertionError(f"no {name}")


def test_bomb(server, account):
    """A gigabyte of blanks in a megabyte: the line is too long, and nobody keeps it."""
    tls, stream = raw_session(server, account)
    tls.sendall(b"2 COMPRESS DEFLATE\r\n")
    assert stream.readline().startswith(b"2 OK")
    before = memory_of(server, "imapd")
    packer, unpacker = zlib.compressobj(9, wbits=-15), zlib.decompressobj(-15)
    blanks = b" " * (1 << 20)
    tls.sendall(packer.compress(b"3 NOOP") + b"".join(packer.compress(blanks) for _ in range(300)) +
                packer.compress(b"\r\n4 LOGOUT\r\n") + packer.flush(zlib.Z_SYNC_FLUSH))
    answer = unpacker.decompress(stream.read())
    assert answer.startswith(b"3 BAD") and b"\r\n4 OK" in answer
    assert memory_of(server, "imapd") - before < 30 << 20


def test_mutt(make_server, tmp_path):
    with make_server() as server:
        account = server.add_account("reader@example.test")
        with server.imap(account) as imap:
            for _ in range(3):
                imap.append("INBOX", None, None, BIG[:5000])
        (tmp_path / "rc").write_text(
            f'set imap_user="{account}"\nset imap_pass="{PASSWORD}"\nset imap_deflate=yes\n'
            f'set folder="imaps://localhost:{server.ports["imaps"]}/"\nset spoolfile="+INBOX"\n'
            f'set ssl_force_tls=yes\nset certificate_file="{server.folder}/cert.pem"\n'
            "set ssl_usesystemcerts=no\nset delete=yes\nset sort=threads\nset beep=no\n"
            f'set header_cache=""\nset message_cachedir=""\n'
            'push "<first-entry><display-message><exit><tag-pattern>~A<enter>'
            '<tag-prefix><set-flag>!<first-entry><delete-message><sync-mailbox><quit>"\n')
        with open(tmp_path / "screen", "wb") as screen:
            subprocess.run(["script", "-qec", f"mutt -n -F {tmp_path}/rc", "/dev/null"],
                           stdin=subprocess.DEVNULL, stdout=screen, timeout=60,
                           env={**os.environ, "TERM": "xterm", "HOME": str(tmp_path)})
        assert "COMPRESS" in server.log()
        with server.imap(account) as imap:
            imap.select("INBOX")
            wait_until(lambda: imap.noop() and imap.search(None, "ALL")[1][0].split() == [b"1", b"2"],
                       "mutt has removed a letter")
            assert imap.search(None, "FLAGGED")[1][0].split() == [b"1", b"2"]
