"""Asks a server what the reference also answers, and compares.

    world = World(server, account, seed)    a mailbox of generated mail and samples
    world.run(2000)                         raises AssertionError at the first difference
"""
import random
import re
import socket
import time

import mails
import programs
import reference

# Samples that the reference reads otherwise: Python's email package goes into messages where
# nothing says that they are, and these addresses are none.
LEFT_OUT = {
    "mail-parser/malformed/002.eml": "a multipart in which no part starts is text for us",
    "mail-parser/malformed/004.eml": "boundaries that begin with another",
    "mail-parser/malformed/017.eml": "no semicolon before the boundary",
    "mail-parser/rfc/001.eml": "message/external-body is text for us",
    "mail-parser/rfc/004.eml": "From: one-word",
    "mail-parser/rfc/008.eml": "message/rfc822 in base64 is text for us",
    "mail-parser/thirdparty/007.eml": "From: <one-word>",
    "mail-parser/thirdparty/009.eml": "message/partial is text for us",
    "mime4j/bad-newlines-multiple-parts-base64.msg": "message/rfc822 in base64",
    "mime4j/base64encoded-rfc822message.msg": "message/rfc822 in base64",
    "mimekit/delivery-status-no-blank-line.txt": "a comment behind a group",
    "ruby-mail/rfc2822/example11.eml": "routes and empty addresses",
}
KEYWORDS = programs.KEYWORDS[:3]
BATCH = 50


class Session:
    def __init__(self, server, user, password):
        plain = socket.create_connection(("localhost", server.ports["imaps"]), 60)
        self.socket = server.tls.wrap_socket(plain, server_hostname="localhost")
        self.stream = self.socket.makefile("rb")
        self.stream.readline()
        self.count = 0
        self.command(b'LOGIN %s "%s"' % (user.encode(), password.encode()))

    def send(self, text):
        """Literals as LITERAL+; returns the tag."""
        self.count += 1
        tag = b"t%d" % self.count
        text = re.sub(rb"\{(\d+)\}\r\n", rb"{\1+}\r\n", text)
        self.socket.sendall(tag + b" " + text + b"\r\n")
        return tag

    def answer(self, tag):
        """(untagged lines, the tagged one)"""
        lines = []
        while True:
            line = self.stream.readline()
            assert line, "the server hung up"
            while match := re.search(rb"\{(\d+)\}\r\n$", line):
                line += self.stream.read(int(match[1])) + self.stream.readline()
            if line.startswith(tag + b" "):
                return lines, line
            lines.append(line)

    def command(self, text):
        lines, last = self.answer(self.send(text))
        assert b" OK" in last, (text[:200], last)
        return lines


class World:
    def __init__(self, server, user, password, seed, count=90):
        self.random = random.Random(seed)
        self.messages = [reference.Message(mails.message(self.random)) for _ in range(count)]
        self.messages += [reference.Message(data, name) for name, data in mails.samples(set(LEFT_OUT))]
        self.random.shuffle(self.messages)
        self.session = Session(server, user, password)
        self.fill(Session(server, user, password))
        self.reference = reference.Reference(self.messages)

    # --- the mailbox

    def fill(self, other):
        """Another session takes \\Recent off the first half; some messages leave holes."""
        half = len(self.messages) // 2
        for message in self.messages[:half]:
            self.append(message)
        other.command(b"SELECT INBOX")
        for message in self.messages[half:]:
            self.append(message)
        for number, message in enumerate(self.messages):
            message.uid, message.recent = number + 1, number >= half
        self.session.command(b"ENABLE CONDSTORE")
        self.session.command(b"SELECT INBOX")
        gone = set(self.random.sample(self.messages, len(self.messages) // 10))
        uids = ",".join(str(m.uid) for m in gone)
        self.session.command(b"UID STORE %s +FLAGS.SILENT (\\Deleted)" % uids.encode())
        self.session.command(b"EXPUNGE")
        self.messages[:] = [m for m in self.messages if m not in gone]
        for number, message in enumerate(self.messages):
            message.number = number + 1
        self.change()
        other.command(b"LOGOUT")

    def append(self, message):
        received, zone = self.internal_date()
        message.received = received
        local = time.gmtime(received + zone * 60)
        text = time.strftime("%d-%b-%Y %H:%M:%S ", local) + "%+03d%02d" % (
            int(zone / 60), abs(zone) % 60)
        self.session.command(b'APPEND INBOX "%s" {%d}\r\n%s' % (
            text.encode(), len(message.raw), message.raw))

    def internal_date(self):
        """Often within a second of midnight, in UTC or there."""
        zone = self.random.choice([0, 0, -480, 330, 780, -660])
        day = self.random.choice([9000, 9001, 15000, 20000, 20400])
        second = self.random.choice([0, 1, 43200, 86399])
        return day * reference.DAY + second - (zone * 60 if self.random.random() < 0.5 else 0), zone

    def change(self):
        """Other flags for some messages; then asks what all have."""
        for message in self.random.sample(self.messages, len(self.messages) // 4):
            flags = [f for f in ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", *KEYWORDS)
                     if self.random.random() < 0.4]
            self.session.command(b"STORE %d FLAGS.SILENT (%s)" % (message.number, " ".join(flags).encode()))
        for line in self.session.command(b"FETCH 1:* (FLAGS MODSEQ)"):
            match = re.match(rb"\* (\d+) FETCH \(FLAGS \((.*)\) MODSEQ \((\d+)\)\)", line)
            message = self.messages[int(match[1]) - 1]
            words = match[2].decode().split()
            message.flags = {w.upper() for w in words if w.startswith("\\")}
            message.keywords = {w.lower() for w in words if not w.startswith("\\")}
            message.modseq = int(match[3])

    # --- searches

    def options(self):
        """What RETURN asks for, None for a plain SEARCH."""
        if self.random.random() < 0.5:
            return None
        found = [o for o in ("MIN", "MAX", "COUNT", "SAVE") if self.random.random() < 0.4]
        ends = [self.random.randint(1, 60) for _ in range(2)]
        page = ("PARTIAL %d:%d" if self.random.random() < 0.5 else "PARTIAL -%d:-%d") % tuple(ends)
        found += self.random.choice([[], ["ALL"], [page]])
        self.random.shuffle(found)
        return found

    def run(self, count, progress=lambda done: None):
        for start in range(0, count, BATCH):
            if start % 500 == 0:
                self.change()
            self.batch(start, min(BATCH, count - start))
            progress(start)

    def batch(self, start, count):
        """Sends many, then compares: "$" depends on the one before, for both of us alike."""
        makers = programs.Programs(self.random, self.messages, int(time.time()))
        asked = []
        for number in range(start, start + count):
            charset, program = makers.program()
            uid, options = self.random.random() < 0.5, self.options()
            text = (b"UID " if uid else b"") + b"SEARCH "
            if options is not None:
                text += b"RETURN (%s) " % " ".join(options).encode()
            if charset:
                text += b"CHARSET %s " % charset.encode()
            text += programs.wire(self.random, program, charset or "utf-8", top=True)
            asked.append((number, text, program, uid, options, self.session.send(text)))
        for number, text, program, uid, options, tag in asked:
            got = self.session.answer(tag)
            wanted = self.expect(program, uid, options, tag)
            if not self.equal(got, wanted):
                self.differ(self.story(number, text, got, wanted, program))

    def expect(self, program, uid, options, tag):
        found = self.reference.find(program, int(time.time()))
        numbers = [m.uid if uid else m.number for m in found]
        modseq = has_modseq(program)
        if options is None:
            line = "* SEARCH" + "".join(" %d" % n for n in numbers)
            if modseq and found:
                line += " (MODSEQ %d)" % max(m.modseq for m in found)
            return line
        options = options or ["ALL"]
        told = told_of(found, options)
        if "SAVE" in options:
            self.reference.saved = {m.uid for m in told}
        if options == ["SAVE"]:
            return None
        return extended_line(tag.decode(), uid, options, found, numbers,
                             max((m.modseq for m in told), default=None) if modseq else None)

    def differ(self, story):
        raise AssertionError(story)

    @staticmethod
    def equal(got, wanted):
        lines, last = got
        return last.split(b" ")[1] == b"OK" and [line.decode() for line in lines] == (
            [] if wanted is None else [wanted + "\r\n"])

    def story(self, number, text, got, wanted, program):
        lines, last = got
        ours = numbers_of(b"".join(lines).decode())
        theirs = numbers_of(wanted or "")
        key = "uid" if text.startswith(b"UID") else "number"
        names = [(getattr(m, key), m.name or m.parsed["Message-ID"]) for m in self.messages
                 if getattr(m, key) in ours ^ theirs]
        return ("program %d: %r\nserver:    %s%s\nreference: %s\nonly one of them: %s" %
                (number, text, b"".join(lines).decode(), last.decode(), wanted, names))


def numbers_of(line):
    return {int(n) for n in re.findall(r"\d+", line.partition("SEARCH")[2])}


def has_modseq(key):
    return key[0] == "MODSEQ" or any(has_modseq(k) for k in key[1:] if isinstance(k, tuple))


def page_of(found, option):
    """RFC 9394 section 3.1."""
    lo, hi = sorted(abs(int(n)) for n in option.split()[1].split(":"))
    if "-" in option:
        return found[max(len(found) - hi, 0):max(len(found) - lo + 1, 0)]
    return found[lo - 1:hi]


def told_of(found, options):
    """RFC 4731 section 3.2, RFC 5182 section 2.4, RFC 9394 section 3.2."""
    pages = [o for o in options if o.startswith("PARTIAL")]
    if {"ALL", "COUNT"} & set(options) or not ({"MIN", "MAX"} & set(options) or pages):
        return found
    told = found[:1] * ("MIN" in options) + found[-1:] * ("MAX" in options)
    for page in pages:
        told += page_of(found, page)
    return told


def set_of(numbers):
    parts, numbers = [], list(numbers)
    while numbers:
        end = 1
        while end < len(numbers) and numbers[end] == numbers[0] + end:
            end += 1
        parts.append(str(numbers[0]) if end == 1 else "%d:%d" % (numbers[0], numbers[end - 1]))
        numbers = numbers[end:]
    return ",".join(parts)


def extended_line(tag, uid, options, found, numbers, modseq):
    line = '* ESEARCH (TAG "%s")%s' % (tag, " UID" * uid)
    if numbers:
        line += " MIN %d" % numbers[0] if "MIN" in options else ""
        line += " MAX %d" % numbers[-1] if "MAX" in options else ""
    line += " COUNT %d" % len(numbers) if "COUNT" in options else ""
    if "ALL" in options and numbers:
        line += " ALL " + set_of(numbers)
    for page in options:
        if page.startswith("PARTIAL"):
            line += " PARTIAL (%s %s)" % (page.split()[1], set_of(page_of(numbers, page)) or "NIL")
    if modseq is not None and found:
        line += " MODSEQ %d" % modseq
    return line
