"""Another server that does something wrong at one point of the dialogue, until it is mended.

    case = Case("RCPT, second", "5xx")
    peers = Peers(port, certificates)       # a thread with its own event loop
    peers.add("127.0.2.1", case)
    case.mended = True
    case.taken                              # [Taken], also when the reply was lost
"""
import asyncio
import collections
import contextlib
import email
import re
import socket
import ssl
import struct
import threading
import time

# In the order in which they come up. Commands are counted within a connection.
STAGES = ["connect", "banner", "EHLO", "STARTTLS", "EHLO after TLS", "MAIL", "RCPT, first",
          "RCPT, second", "DATA", "body", "final dot", "QUIT"]
AGAIN = ["between", "MAIL", "RCPT, first", "RCPT, second", "DATA", "body", "final dot"]
SAID = {"4xx": b"451 4.3.0 not now\r\n", "5xx": b"554 5.3.0 not ever\r\n",
        "421": b"421 4.3.2 closing\r\n", "garbage": b"\x00\xffwhat?\r\n", "truncated": b"2"}
REPLIES = [*SAID, "drop", "stall", "drip", "endless lines", "endless line"]
FLOOD_MAX_S = 60


Taken = collections.namedtuple("Taken", "to message_id subject at")


class Case:
    def __init__(self, stage, fault, pipelining=True, message=1):
        """`message`: of the connection's messages, the one that it happens to; before the first
        the server waits until `may_greet` is set."""
        self.stage, self.fault, self.pipelining, self.message = stage, fault, pipelining, message
        self.mended = False
        self.may_greet = threading.Event()
        if message == 1:
            self.may_greet.set()
        self.delay = None  # a function: seconds before a reply
        self.taken, self.flooded_s, self.connections, self.struck = [], 0, 0, 0

    @property
    def has_tls(self):
        return self.stage in ("STARTTLS", "EHLO after TLS") and self.fault != "not offered"


class Peers:
    def __init__(self, port, certificates):
        self.port, self.loop = port, asyncio.new_event_loop()
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        self.sockets, self.tasks = [], set()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def add(self, address, case):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if case.stage == "body":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind((address, self.port))
        self.sockets.append(listener)
        if case.stage == "connect" and case.fault == "refused":
            case.mend = lambda: self.serve(listener, case)
        elif case.stage == "connect" and case.fault == "stall":
            fillers = self.fill_backlog(listener)
            case.mend = lambda: self.serve(listener, case, fillers)
        else:
            self.serve(listener, case)
            case.mend = lambda: None

    def fill_backlog(self, listener):
        """No SYN is answered any more (Linux drops them while the queue is full)."""
        listener.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        self.sockets += fillers
        return fillers

    def serve(self, listener, case, fillers=()):
        for filler in fillers:
            filler.close()
        listener.listen(100)
        listener.setblocking(False)
        self.loop.call_soon_threadsafe(lambda: self.begin(self.accept(listener, case)))

    def begin(self, work):
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def accept(self, listener, case):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = await self.loop.sock_accept(listener)
                self.begin(self.converse(sock, case))

    async def converse(self, sock, case):
        case.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 20)
            try:
                await Dialogue(self, case, reader, writer).run()
            finally:
                writer.close()

    def close(self):
        def end():
            for task in self.tasks:
                task.cancel()
            self.loop.call_later(0.1, self.loop.stop)
        self.loop.call_soon_threadsafe(end)
        self.thread.join(10)
        for sock in self.sockets:
            sock.close()


class Hangup(ConnectionError):
    """This end closes the connection."""


class Dialogue:
    """One connection: a well-behaved server but for the case's fault."""

    def __init__(self, peers, case, reader, writer):
        self.peers, self.case, self.reader, self.writer = peers, case, reader, writer
        self.secure, self.recipients, self.asked, self.messages = False, [], 0, 0

    async def say(self, line):
        if self.case.delay:
            await asyncio.sleep(self.case.delay())
        self.writer.write(line.encode() + b"\r\n")
        await self.writer.drain()

    def is_due(self, stage):
        case = self.case
        return not case.mended and case.stage == stage and self.messages + 1 >= case.message

    async def strikes(self, stage):
        """Does the fault if this is its place; whether it has."""
        if not self.is_due(stage):
            return False
        self.case.struck += 1
        await self.do_fault(self.case.fault)
        return True

    async def do_fault(self, fault):
        if fault == "drop":
            raise Hangup()
        if fault == "reset":
            self.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Hangup()
        if fault == "stall":
            await asyncio.sleep(600)
        if fault == "drip":
            await self.flood(b"250-", pause=1)
        if fault.startswith("endless"):
            await self.flood((b"250-and more\r\n" if fault == "endless lines" else b"2") * 4096)
        self.writer.write(SAID[fault])
        await self.writer.drain()
        if fault in ("421", "truncated"):
            raise Hangup()

    async def flood(self, piece, pause=0):
        begin = time.monotonic()
        while self.case.flooded_s < FLOOD_MAX_S:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(pause)
            piece = b"a" if pause else piece
            self.case.flooded_s = time.monotonic() - begin
        raise Hangup()

    async def run(self):
        if await self.strikes("connect"):
            return
        while not self.case.may_greet.is_set():
            await asyncio.sleep(0.01)
        if not await self.strikes("banner"):
            await self.say("220 peer.test ESMTP")
        handlers = {"EHLO": self.on_ehlo, "HELO": self.on_helo, "STARTTLS": self.on_starttls,
                    "MAIL": self.on_mail, "RCPT": self.on_rcpt, "DATA": self.on_data,
                    "RSET": self.on_rset, "NOOP": self.on_rset, "QUIT": self.on_quit}
        while True:
            line = await self.reader.readline()
            if not line:
                return
            words = line.decode("ascii", "replace").split()
            handler = handlers.get(words[0].upper() if words else "")
            await (handler(line.decode("ascii", "replace")) if handler else self.say("500 5.5.1 no"))

    async def on_ehlo(self, _):
        if await self.strikes("EHLO after TLS" if self.secure else "EHLO"):
            return
        lines = ["peer.test", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if self.case.pipelining:
            lines.append("PIPELINING")
        if self.case.has_tls and not self.secure:
            lines.append("STARTTLS")
        for line in lines[:-1]:
            await self.say(f"250-{line}")
        await self.say(f"250 {lines[-1]}")

    async def on_helo(self, _):
        await self.say("250 peer.test")

    async def on_starttls(self, _):
        fault = self.case.fault
        later = fault in ("no handshake", "self-signed certificate")
        if not later and await self.strikes("STARTTLS"):
            return
        await self.say("220 2.0.0 go ahead")
        if fault == "no handshake" and not self.case.mended:
            self.case.struck += 1
            await self.say("this is no TLS record, and will never be one")
            raise Hangup()
        transport = await self.peers.loop.start_tls(
            self.writer.transport, self.writer.transport.get_protocol(), self.peers.tls,
            server_side=True)
        self.writer._transport = transport  # StreamWriter.start_tls() is Python 3.11's
        self.reader._transport = transport
        self.secure = True
        self.case.struck += later

    async def on_mail(self, _):
        self.recipients, self.asked = [], 0
        if not await self.strikes("MAIL"):
            self.mail_ok = True
            await self.say("250 2.1.0 ok")

    async def on_rcpt(self, line):
        self.asked += 1
        if self.asked <= 2 and await self.strikes(f"RCPT, {('first', 'second')[self.asked - 1]}"):
            return
        if not getattr(self, "mail_ok", False):
            await self.say("503 5.5.1 MAIL first")
            return
        self.recipients.append(re.search("<(.*)>", line)[1])
        await self.say("250 2.1.5 ok")

    async def on_data(self, _):
        if not self.recipients:
            await self.say("503 5.5.1 RCPT first")
            return
        if await self.strikes("DATA"):
            return
        await self.say("354 go ahead")
        await self.read_body()
        self.messages += 1
        self.mail_ok, self.recipients = False, []
        await self.strikes("between")

    async def read_body(self):
        lines = []
        while not lines or lines[-1] != b".\r\n":
            lines.append(await self.reader.readuntil(b"\r\n"))
            if len(lines) == 20:
                await self.strike_in_body()
        # The recipients have it from here on, whatever becomes of the reply, unless it says no.
        case = self.case
        is_refused = self.is_due("final dot") and case.fault in ("4xx", "5xx", "421")
        if not is_refused:
            head = email.message_from_bytes(b"".join(lines))
            case.taken += [Taken(to, head["Message-ID"], head["Subject"], time.monotonic())
                           for to in self.recipients]
        if not await self.strikes("final dot"):
            await self.say("250 2.0.0 taken")

    async def strike_in_body(self):
        try:
            if not await self.strikes("body"):
                return
        except Hangup:
            if self.case.fault not in ("421", "truncated"):
                raise
            self.writer.write_eof()
        await self.read_on()
        raise Hangup()

    async def read_on(self):
        """So that closing does not reset the connection, and the reply is read."""
        while await self.reader.read(65536):
            pass

    async def on_rset(self, _):
        await self.say("250 2.0.0 ok")

    async def on_quit(self, _):
        if not await self.strikes("QUIT"):
            await self.say("221 2.0.0 bye")
        raise Hangup()
