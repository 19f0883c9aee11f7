"""Random clients for the soak: each does what people's programs do, for as long as the process lives.

A client raises Wrong when it hears what it should not; a connection that it did not end itself is
wrong, too. Hostile ones expect nothing and send anything.
"""
import asyncio
import base64
import random
import re
import zlib

PATIENCE = 120  # seconds; sanitizers and a busy machine are slow


class Wrong(Exception):
    pass


class Wire:
    """Lines and bytes over TCP, TLS, and DEFLATE on request."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.inflate = self.deflate = None
        self.got = b""

    @classmethod
    async def connect(cls, server, name, tls=True):
        context = server.tls if tls else None
        return cls(*await asyncio.wait_for(asyncio.open_connection(
            "localhost", server.ports[name], ssl=context, limit=1 << 24), PATIENCE))

    def compress(self):
        self.inflate, self.deflate = zlib.decompressobj(-15), zlib.compressobj(wbits=-15)

    async def more(self):
        data = await asyncio.wait_for(self.reader.read(65536), PATIENCE)
        if not data:
            raise Wrong(f"the server hung up; unread: {self.got[-200:]!r}")
        self.got += self.inflate.decompress(data) if self.inflate else data

    async def line(self):
        while b"\n" not in self.got:
            await self.more()
        line, _, self.got = self.got.partition(b"\n")
        return line.rstrip(b"\r")

    async def send(self, data):
        data = data.encode() if isinstance(data, str) else data
        if self.deflate:
            data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), PATIENCE)

    def close(self):
        self.writer.close()

    def abort(self):
        self.writer.transport.abort()


def message(rng, to):
    size = rng.choice([300, 2000, 2000, 10_000, 10_000, 200_000]) if rng.random() < 0.9 else 600_000
    words = " ".join(rng.choice(["apple", "banana", "cherry", "Müller", "invoice", "meeting"]) for _ in range(12))
    head = (f"From: <someone{rng.randrange(50)}@elsewhere.test>\r\nTo: <{to}>\r\n"
            f"Subject: {'Re: ' if rng.random() < 0.5 else ''}{words[:30]}\r\n"
            f"Message-ID: <{rng.random()}@elsewhere.test>\r\nDate: Wed, 25 Nov 2026 12:00:00 +0000\r\n")
    line = words + " " + "x" * 20 + "\r\n"
    if rng.random() < 0.4:
        part = base64.encodebytes(rng.randbytes(size * 2 // 3)).decode().replace("\n", "\r\n")
        return (head + "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n\r\n" + line * 5 + "--b\r\nContent-Type: image/png\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n" + part + "--b--\r\n").encode()
    return (head + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + line * (size // len(line) + 1)).encode()


class Client:
    def __init__(self, server, accounts, password, rng, counts):
        self.server, self.accounts, self.password = server, accounts, password
        self.rng, self.counts = rng, counts
        self.account = rng.choice(accounts)

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    async def pause(self):
        await asyncio.sleep(self.rng.expovariate(1 / 0.5))


class Imap(Client):
    """A session of up to a hundred random commands."""

    async def run(self):
        self.wire, self.tag, self.exists = await Wire.connect(self.server, "imaps"), 0, 0
        await self.wire.line()
        if self.rng.random() < 0.5:
            await self.do(f'LOGIN {self.account} "{self.password}"')
        else:
            await self.authenticate(base64.b64encode(f"\0{self.account}\0{self.password}".encode()))
        if self.rng.random() < 0.4:
            await self.do("ENABLE " + self.rng.choice(["QRESYNC", "CONDSTORE", "IMAP4rev2 QRESYNC"]))
        if self.rng.random() < 0.3:
            await self.do("COMPRESS DEFLATE")
            self.wire.compress()
        await self.select()
        if self.rng.random() < 0.3:
            await self.do(self.rng.choice([
                "NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge MailboxName))",
                "NOTIFY SET STATUS (personal (MessageNew MessageExpunge))", "NOTIFY NONE"]))
        for _ in range(self.rng.randrange(100)):
            await self.rng.choice(self.ACTIONS)(self)
            await self.pause()
        if self.rng.random() < 0.7:
            await self.do("LOGOUT", goodbye=True)
            self.wire.close()
        else:
            self.wire.abort()

    async def authenticate(self, response):
        await self.wire.send(b"a0 AUTHENTICATE PLAIN\r\n")
        while not (await self.wire.line()).startswith(b"+"):
            continue
        await self.wire.send(response + b"\r\n")
        await self.answer(b"a0", "AUTHENTICATE")

    async def answer(self, tag, text, goodbye=False):
        lines = []
        while True:
            line = await self.wire.line()
            if line.startswith(tag + b" "):
                if line.startswith(tag + b" BAD"):
                    raise Wrong(f"{text[:200]}: {line[:200]!r}")
                return lines, line
            found = re.match(rb"\* (\d+) EXISTS$", line)
            if found:
                self.exists = int(found[1])
            if re.match(rb"\* \d+ EXPUNGE$", line):
                self.exists -= 1
            if line.startswith(b"* BYE") and not goodbye:
                raise Wrong(f"{text[:200]}: {line!r}")
            lines.append(line)

    async def do(self, text, data=b"", goodbye=False):
        self.tag += 1
        tag = b"t%d" % self.tag
        await self.wire.send(tag + b" " + text.encode() + data + b"\r\n")
        self.count("imap " + (text.split()[1] if text.startswith("UID") else text.split()[0]))
        return await self.answer(tag, text, goodbye)

    async def select(self):
        self.exists = 0
        name = self.rng.choice(["INBOX", "INBOX", "INBOX", "Archive", "Sent"])
        await self.do(f"{self.rng.choice(['SELECT', 'SELECT', 'EXAMINE'])} {name}")

    def some(self):
        low = self.rng.randrange(1, max(self.exists, 1) + 1)
        return f"{low}:{min(low + self.rng.randrange(30), max(self.exists, low))}"

    async def fetch(self):
        await self.do(f"UID FETCH {self.rng.choice(['1:*', '*', '1:100', '50:*'])} " + self.rng.choice([
            "(FLAGS)", "(FLAGS ENVELOPE INTERNALDATE RFC822.SIZE)", "(BODYSTRUCTURE PREVIEW)",
            "(BODY.PEEK[HEADER.FIELDS (SUBJECT FROM DATE)])"]))

    async def body(self):
        await self.do(f"UID FETCH * (BODY.PEEK[{self.rng.choice(['', '1', 'TEXT', 'HEADER'])}])")

    async def hang_up_in_fetch(self):
        await self.wire.send(b"x UID FETCH 1:* BODY.PEEK[]\r\n")
        await self.wire.line()
        self.wire.abort()
        raise EOFError

    async def store(self):
        await self.do(f"UID STORE {self.rng.choice(['*', '1:*', '1:50'])} {self.rng.choice('+-')}FLAGS.SILENT "
                      f"({self.rng.choice([chr(92) + 'Seen', chr(92) + 'Flagged', '$Work'])})")

    async def search(self):
        text = self.rng.choice(["TEXT banana", "UNSEEN", "SUBJECT Re", "LARGER 5000", "OR SEEN FLAGGED", "NOT FROM someone1"])
        await self.do(self.rng.choice([
            f"UID SEARCH {text}", f"UID SEARCH RETURN (ALL COUNT) {text}", f"UID SEARCH RETURN (SAVE) {text}",
            f"UID SORT (REVERSE DATE SUBJECT) UTF-8 {text}", f"UID THREAD REFERENCES UTF-8 {text}",
            f'ESEARCH IN (personal) {text}']))

    async def append(self):
        text = message(self.rng, self.account)
        await self.do(f"APPEND {self.rng.choice(['INBOX', 'Archive', 'Sent'])} (\\Seen) {{{len(text)}+}}\r\n", text)

    async def copy(self):
        await self.do(f"UID {self.rng.choice(['COPY', 'MOVE'])} * {self.rng.choice(['INBOX', 'Archive'])}")

    async def tidy(self):
        """Mailboxes stay small: all but the last go when there are many."""
        if self.exists > 150:
            await self.do(f"UID STORE 1:* +FLAGS.SILENT ({chr(92)}Deleted)")
            await self.do("EXPUNGE")

    async def idle(self):
        self.tag += 1
        tag = b"t%d" % self.tag
        await self.wire.send(tag + b" IDLE\r\n")
        while not (await self.wire.line()).startswith(b"+"):
            continue
        self.count("imap IDLE")
        await asyncio.sleep(self.rng.uniform(0, 8))
        await self.wire.send(b"DONE\r\n")
        await self.answer(tag, "IDLE")

    async def mailboxes(self):
        name = f"box{self.rng.randrange(20)}"
        await self.do(self.rng.choice([
            f"CREATE {name}", f"DELETE {name}", f"RENAME {name} box{self.rng.randrange(20)}", 'LIST "" *',
            'LIST "" % RETURN (STATUS (MESSAGES UNSEEN HIGHESTMODSEQ))', "STATUS INBOX (MESSAGES UIDNEXT SIZE)",
            'GETQUOTAROOT INBOX', 'SETMETADATA INBOX (/private/comment "note")', 'GETMETADATA INBOX /private/comment', "NOOP"]))

    async def resync(self):
        """What comes with the tagged answer of another client's words does not matter here."""
        await self.select()

    ACTIONS = [fetch, fetch, body, store, store, search, append, append, copy, tidy, tidy, idle, mailboxes, resync,
               hang_up_in_fetch]


class Pop3(Client):
    async def run(self):
        self.wire = await Wire.connect(self.server, "pop3s")
        await self.wire.line()
        await self.do(f"USER {self.account}")
        await self.do(f"PASS {self.password}")
        count = int((await self.do("STAT")).split()[1])
        await self.do("UIDL", True)
        for number in range(1, min(count, 30) + 1):
            await self.do(f"TOP {number} 3" if self.rng.random() < 0.5 else f"RETR {number}", True)
            if self.rng.random() < 0.3:
                await self.do(f"DELE {number}")
        if self.rng.random() < 0.8:
            await self.do("QUIT")
            self.wire.close()
        else:
            self.wire.abort()
        await self.pause()

    async def do(self, text, many=False):
        await self.wire.send(text + "\r\n")
        self.count("pop3 " + text.split()[0])
        line = await self.wire.line()
        if line.startswith(b"-ERR") and not line.startswith((b"-ERR [IN-USE]", b"-ERR [SYS/TEMP]")):
            raise Wrong(f"{text}: {line!r}")
        while many and line.startswith(b"+OK") and await self.wire.line() != b".":
            continue
        if line.startswith(b"-ERR"):
            self.wire.close()
            raise EOFError
        return line


class Smtp(Client):
    """Brings mail from elsewhere, or submits it."""
    PORT, TLS = "smtp", False

    async def run(self):
        self.wire = await Wire.connect(self.server, self.PORT, self.TLS)
        await self.reply("greeting", b"220")
        await self.say("EHLO elsewhere.test", b"250")
        await self.login()
        for _ in range(self.rng.randrange(1, 20)):
            await self.transaction()
            await self.pause()
        if self.rng.random() < 0.8:
            await self.say("QUIT", b"221")
            self.wire.close()
        else:
            self.wire.abort()

    async def login(self):
        pass

    def sender(self):
        return f"someone{self.rng.randrange(50)}@elsewhere.test"

    async def transaction(self):
        to = self.rng.choice(self.accounts)
        text = message(self.rng, to)
        await self.say(f"MAIL FROM:<{self.sender()}>", b"250")
        await self.say(f"RCPT TO:<{to}>", b"250")
        if self.rng.random() < 0.1:
            await self.say("RSET", b"250")
        elif self.rng.random() < 0.3:
            await self.say(f"BDAT {len(text)} LAST\r\n".encode() + text, b"250", raw=True)
        else:
            await self.say("DATA", b"354")
            await self.say(text + b".\r\n", b"250", raw=True)
        self.count(self.PORT + " mail")

    async def reply(self, text, wanted):
        while True:
            line = await self.wire.line()
            if line[3:4] != b"-":
                break
        if not line.startswith(wanted):
            raise Wrong(f"{text[:100]!r}: {line!r}")

    async def say(self, text, wanted, raw=False):
        await self.wire.send(text if raw else text + "\r\n")
        await self.reply(text, wanted)


class Submission(Smtp):
    PORT, TLS = "submissions", True

    async def login(self):
        secret = base64.b64encode(f"\0{self.account}\0{self.password}".encode()).decode()
        await self.say("AUTH PLAIN " + secret, b"235")

    def sender(self):
        return self.account


class Hostile(Client):
    """Says anything, stops anywhere, and is surprised by nothing."""
    WORDS = [b"a LOGIN {16000+}\r\n", b"a SELECT INBOX\r\n", b"EHLO x\r\n", b"DATA\r\n", b"\r\n" * 50, b"\0" * 100,
             b"STARTTLS\r\n", b"MAIL FROM:<>\r\n", b"a " * 9000, b"AUTH PLAIN\r\n", b"USER x\r\nPASS y\r\n",
             b"a AUTHENTICATE SCRAM-SHA-256\r\n", b"BDAT 99999999\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]

    async def run(self):
        name = self.rng.choice(list(self.server.ports))
        tls = name.endswith("s") and self.rng.random() < 0.6
        try:
            wire = await Wire.connect(self.server, name, tls)
            for _ in range(self.rng.randrange(12)):
                await wire.send(self.rng.choice(self.WORDS) if self.rng.random() < 0.8 else self.rng.randbytes(200))
                await asyncio.sleep(self.rng.uniform(0, 0.3))
            wire.abort() if self.rng.random() < 0.5 else wire.close()
        except (OSError, Wrong, asyncio.TimeoutError):
            pass
        self.count("hostile")
        await self.pause()


KINDS = [Imap] * 6 + [Pop3] * 2 + [Smtp] * 2 + [Submission] * 2 + [Hostile]


async def live(kind, *args):
    """One session of `kind` after the other; ends only by Wrong."""
    while True:
        try:
            await kind(*args).run()
        except EOFError:
            pass


def start(server, accounts, password, number, seed, counts):
    """Tasks of that many clients."""
    return [asyncio.ensure_future(live(KINDS[i % len(KINDS)], server, accounts, password,
                                       random.Random(seed * 1000 + i), counts)) for i in range(number)]
