#!/usr/bin/python3
"""One flood of hostile or very many clients; run by `floods`, at the lowest priority.

    flood.py NAME SESSIONS SECONDS, and on standard input a JSON object of what it needs to know

Clients come from many addresses of 127/8, so that limits for one address are no help. Prints "ready" when
all are there, and at the end a JSON object: how many sessions there were, how many were refused.
"""
import asyncio
import base64
import json
import random
import socket
import ssl
import sys
import time
import zlib

FLOODS = {}
PER_ADDRESS = 150  # below [limits] sessions_per_address
TROUBLE = (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ssl.SSLError, EOFError)


def flood(function):
    FLOODS[function.__name__] = function
    return function


class Sieve:
    """A client of a server that defends itself: whatever happens to it is counted, no more."""

    def __init__(self, known):
        self.known = known
        self.seconds = known["seconds"]
        self.opened = self.refused = self.done = 0
        self.end = time.monotonic() + 1e9
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE

    def source(self, number):
        return f"127.7.{number // PER_ADDRESS // 250}.{number // PER_ADDRESS % 250 + 1}", 0

    async def connect(self, port, number, tls=False, receive=None):
        sock = socket.socket()
        sock.setblocking(False)
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.bind(self.source(number))
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.known["ports"][port])), 60)
        self.opened += 1
        return await asyncio.wait_for(asyncio.open_connection(
            sock=sock, ssl=self.tls if tls else None, server_hostname="localhost" if tls else None,
            limit=1 << 20), 60)

    async def imap(self, number, tls=False, receive=None, account=None):
        """A session that is logged in; None: it was refused."""
        reader, writer = await self.connect("imaps" if tls else "imap", number, tls, receive)
        line = await asyncio.wait_for(reader.readline(), 60)
        if not line.startswith(b"* OK"):
            self.refused += 1
            writer.close()
            return None
        account = account or self.known["accounts"][number % len(self.known["accounts"])]
        answer = await self.ask(reader, writer, f'a LOGIN {account} "{self.known["password"]}"\r\n'.encode(), b"a ")
        if not answer.startswith(b"a OK"):
            self.refused += 1
            writer.close()
            return None
        return reader, writer

    async def smtp(self, number):
        reader, writer = await self.connect("smtp", number)
        if not (await asyncio.wait_for(reader.readline(), 60)).startswith(b"220"):
            self.refused += 1
            writer.close()
            return None
        await self.ask(reader, writer, b"EHLO flood.test\r\n", b"250 ")
        return reader, writer

    async def ask(self, reader, writer, data, wanted, seconds=120):
        writer.write(data)
        while True:
            line = await asyncio.wait_for(reader.readline(), seconds)
            if not line:
                raise EOFError
            if line.startswith(wanted) or line[:1] in b"45":
                return line

    def over(self):
        return time.monotonic() > self.end

    async def each(self, count, one, at_once=50):
        """one(number) for all numbers; they go on as tasks until the flood is over."""
        gate, ready = asyncio.Semaphore(at_once), []

        async def guarded(number, told):
            try:
                async with gate:
                    go_on = await one(number)
                told.set()
                if go_on is not None:
                    await go_on
            except TROUBLE:
                self.refused += 1
            finally:
                told.set()

        tasks = []
        for number in range(count):
            told = asyncio.Event()
            ready.append(told)
            tasks.append(asyncio.ensure_future(guarded(number, told)))
        for told in ready:
            await told.wait()
        self.end = time.monotonic() + self.seconds
        print("ready", flush=True)
        await asyncio.wait(tasks, timeout=self.seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def repeat(self, attempt):
        """Again and again until the end; what fails counts as refused."""
        while not self.over():
            try:
                await attempt()
            except TROUBLE:
                self.refused += 1
                await asyncio.sleep(0.1)


def hold(connection):
    async def forever():
        connection  # keeps it open
        await asyncio.sleep(1e9)
    return forever()


@flood
async def idle(sieve, count):
    """Sessions in IDLE, over TLS."""
    async def one(number):
        session = await sieve.imap(number, tls=True)
        if session is None:
            return None
        await sieve.ask(*session, b"b SELECT INBOX\r\n", b"b ")
        await sieve.ask(*session, b"c IDLE\r\n", b"+")
        return hold(session)
    await sieve.each(count, one)


@flood
async def active(sieve, count):
    """Sessions that say something each second or two, over TLS."""
    async def one(number):
        session = await sieve.imap(number, tls=True)
        if session is None:
            return None
        await sieve.ask(*session, b"b SELECT INBOX\r\n", b"b ")

        async def talk():
            await asyncio.sleep(random.uniform(0, 1.5))
            while not sieve.over():
                for text in (b"c NOOP\r\n", b"c UID FETCH 1:20 (FLAGS)\r\n", b"c STATUS INBOX (MESSAGES UNSEEN)\r\n"):
                    await sieve.ask(*session, text, b"c ")
                    sieve.done += 1
                    await asyncio.sleep(random.uniform(1, 2))
        return talk()
    await sieve.each(count, one)


@flood
async def slow_readers(sieve, count):
    """Ask for all messages and read a byte a second."""
    async def one(number):
        session = await sieve.imap(number, receive=4096)
        if session is None:
            return None
        reader, writer = session
        await sieve.ask(reader, writer, b"b EXAMINE Big\r\n", b"b ")
        writer.write(b"c UID FETCH 1:* (BODY.PEEK[HEADER] BODY.PEEK[])\r\n" * 20)

        async def trickle():
            reader._transport.pause_reading()
            await asyncio.sleep(1e9)
        return trickle()
    await sieve.each(count, one)


async def drip(writer, data, every):
    for byte in data:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(every)


@flood
async def slow_senders(sieve, count):
    """A byte now and then: before login, in DATA, in a literal; each a third."""
    async def one(number):
        kind = number % 3
        if kind == 0:
            _, writer = await sieve.connect("imap", number)
            return drip(writer, b"a LOGIN " + b"x" * 5000, 2)
        if kind == 1:
            session = await sieve.smtp(number)
            if session is None:
                return None
            await sieve.ask(*session, b"MAIL FROM:<a@flood.test>\r\n", b"250")
            await sieve.ask(*session, f"RCPT TO:<{sieve.known['accounts'][0]}>\r\n".encode(), b"250")
            await sieve.ask(*session, b"DATA\r\n", b"354")
            session[1].write(b"Subject: x\r\n\r\n" + b"y" * 70_000)
            return drip(session[1], b"z" * 5000, 2)
        session = await sieve.imap(number)
        if session is None:
            return None
        session[1].write(b"b APPEND INBOX {1000000+}\r\n" + b"y" * 100_000)
        return drip(session[1], b"z" * 5000, 2)
    await sieve.each(count, one)


@flood
async def headers(sieve, count):
    """Half a header of 250 KB each, in DATA."""
    async def one(number):
        session = await sieve.smtp(number)
        if session is None:
            return None
        answer = await sieve.ask(*session, b"MAIL FROM:<a@flood.test>\r\n", b"250")
        if answer[:3] != b"250":
            sieve.refused += 1
            return None
        await sieve.ask(*session, f"RCPT TO:<{sieve.known['accounts'][0]}>\r\n".encode(), b"250")
        await sieve.ask(*session, b"DATA\r\n", b"354")
        session[1].write(b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 4000)
        return hold(session)
    await sieve.each(count, one)


@flood
async def connections(sieve, count):
    """Connect and say nothing, hang up, come again."""
    async def one(number):
        async def attempt():
            port = random.choice(["imap", "smtp", "pop3", "imaps"])
            _, writer = await sieve.connect(port, number)
            await asyncio.sleep(random.uniform(0, 3))
            writer.transport.abort()
        return sieve.repeat(attempt)
    await sieve.each(count, one)


@flood
async def handshakes(sieve, count):
    """Whole TLS handshakes, one after the other, from each."""
    async def one(number):
        async def attempt():
            _, writer = await sieve.connect("imaps", number, tls=True)
            sieve.done += 1
            writer.transport.abort()
        return sieve.repeat(attempt)
    await sieve.each(count, one)


def client_hello():
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


@flood
async def half_handshakes(sieve, count):
    """A ClientHello and no more, half of one, or a record that never ends."""
    hello = client_hello()
    long = b"\x16\x03\x01\x40\x00" + b"\x01\x01\xff\xfc" + b"x" * 16380

    async def one(number):
        _, writer = await sieve.connect("imaps", number)
        writer.write([hello, hello[:100], long + b"\x16\x03\x01\x40\x00" + b"x" * 16000][number % 3])
        return hold(writer)
    await sieve.each(count, one)


@flood
async def pipelines(sieve, count):
    """A hundred thousand commands in one write."""
    async def one(number):
        session = await sieve.imap(number)
        if session is None:
            return None
        reader, writer = session
        await sieve.ask(reader, writer, b"b SELECT INBOX\r\n", b"b ")
        text = [b"c NOOP\r\n", b'c LIST "" *\r\n', b"c UID FETCH 1:* FLAGS\r\n", b"c CAPABILITY\r\n"][number % 4]

        async def push():
            writer.write(text * 100_000)
            while not sieve.over():
                data = await reader.read(65536)
                sieve.done += data.count(b"c OK")
                if not data:
                    return
        return push()
    await sieve.each(count, one)


@flood
async def literals(sieve, count):
    """The largest literal of a command, all but its last byte."""
    async def one(number):
        session = await sieve.imap(number)
        if session is None:
            return None
        size = 1_000_000
        answer = await sieve.ask(*session, b"b LIST \"\" {%d}\r\n" % size, b"")
        if not answer.startswith(b"+"):
            sieve.refused += 1
            return hold(session)
        session[1].write(b"x" * (size - 1))
        return hold(session)
    await sieve.each(count, one)


@flood
async def appends(sieve, count):
    """Very many small messages in one APPEND that does not end."""
    message = b" {20000+}\r\n" + b"Subject: x\r\n\r\n" + b"y" * 19986

    async def one(number):
        session = await sieve.imap(number)
        if session is None:
            return None
        session[1].write(b"b APPEND INBOX")

        async def push():
            for _ in range(2000):
                session[1].write(message)
                await session[1].drain()
            await asyncio.sleep(1e9)
        return push()
    await sieve.each(count, one)


@flood
async def logins(sieve, count):
    """Wrong passwords, again and again, from each."""
    async def one(number):
        async def again():
            while not sieve.over():
                try:
                    reader, writer = await sieve.connect("imap", number)
                    await asyncio.wait_for(reader.readline(), 60)
                    for _ in range(4):
                        name = random.choice(sieve.known["accounts"] + ["nobody@example.test"])
                        answer = await sieve.ask(reader, writer, f"a LOGIN {name} wrong{random.random()}\r\n".encode(), b"a ")
                        sieve.done += 1
                        sieve.refused += b"UNAVAILABLE" in answer or b"LIMIT" in answer
                    writer.close()
                except TROUBLE:
                    await asyncio.sleep(0.1)
        return again()
    await sieve.each(count, one)


@flood
async def bombs(sieve, count):
    """COMPRESS, and then a few bytes that become very many."""
    deflate = zlib.compressobj(9, wbits=-15)
    lines = deflate.compress(b"c NOOP\r\n" * 12_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)
    deflate = zlib.compressobj(9, wbits=-15)
    nothing = deflate.compress(b"c " + b"x" * 100_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH)

    async def one(number):
        session = await sieve.imap(number)
        if session is None:
            return None
        reader, writer = session
        await sieve.ask(reader, writer, b"b COMPRESS DEFLATE\r\n", b"b ")

        async def push():
            writer.write(lines if number % 2 else nothing)
            while await reader.read(65536):
                continue
        return push()
    await sieve.each(count, one)


@flood
async def searches(sieve, count):
    """SEARCH, SORT and THREAD of many messages, again and again, by all sessions of three accounts."""
    async def one(number):
        session = await sieve.imap(number, account=sieve.known["accounts"][number % 3])
        if session is None:
            return None
        await sieve.ask(*session, b"b EXAMINE Many\r\n", b"b ")
        texts = [b"c UID SORT (SUBJECT FROM REVERSE DATE) UTF-8 ALL\r\n", b"c UID THREAD REFERENCES UTF-8 ALL\r\n",
                 b"c UID SEARCH TEXT zzqq\r\n", b"c UID SEARCH BODY message\r\n", b"c UID SEARCH RETURN (ALL) NOT HEADER X-Y z\r\n"]

        async def again():
            while not sieve.over():
                answer = await sieve.ask(*session, random.choice(texts), b"c ")
                sieve.done += answer.startswith(b"c OK")
                sieve.refused += answer.startswith(b"c NO")
        return again()
    await sieve.each(count, one)


def main():
    known = json.load(sys.stdin)
    known["seconds"] = float(sys.argv[3])
    sieve = Sieve(known)
    asyncio.run(FLOODS[sys.argv[1]](sieve, int(sys.argv[2])))
    print(json.dumps({"opened": sieve.opened, "refused": sieve.refused, "done": sieve.done}), flush=True)


if __name__ == "__main__":
    main()
