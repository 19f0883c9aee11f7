"""Asks a server what the reference also answers, and compares.

    world = World(server, account, seed)    a mailbox of generated mail and samples
    world.run(2000)                         raises AssertionError at the first difference
"""
import contextlib
import copy
import datetime
import random
import re
import socket
import sqlite3
import time

import mails
import ordering
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
    """INBOX, and a mailbox "copies" with copies of some of its messages."""

    def __init__(self, server, user, password, seed, count=90):
        self.random = random.Random(seed)
        self.server, self.user = server, user
        self.messages = [reference.Message(mails.message(self.random)) for _ in range(count)]
        self.messages += [reference.Message(data, name) for name, data in mails.samples(set(LEFT_OUT))]
        self.random.shuffle(self.messages)
        self.session = Session(server, user, password)
        self.rev2 = self.random.random() < 0.5  # then SEARCH without RETURN gets ESEARCH, and nothing is recent
        self.fill(Session(server, user, password))
        self.copies = self.copy(Session(server, user, password))
        self.filters = self.make_filters()
        self.reference = reference.Reference(self.messages, self.filters)
        self.everywhere = [(name, validity, reference.Reference(messages, self.filters))
                           for name, validity, messages in (("INBOX", self.validity("INBOX"), self.messages),
                                                            ("copies", self.validity("copies"), self.copies))]

    # --- the mailboxes

    def fill(self, other):
        """Another session takes \\Recent off the first half; some messages leave holes."""
        half = len(self.messages) // 2
        for message in self.messages[:half]:
            self.append(message)
        other.command(b"SELECT INBOX")
        for message in self.messages[half:]:
            self.append(message)
        for number, message in enumerate(self.messages):
            message.uid, message.recent = number + 1, number >= half and not self.rev2
        self.save_earlier(half)
        self.session.command(b"ENABLE CONDSTORE" + b" IMAP4rev2" * self.rev2)
        self.session.command(b"SELECT INBOX")
        gone = set(self.random.sample(self.messages, len(self.messages) // 10))
        uids = ",".join(str(m.uid) for m in gone)
        self.session.command(b"UID STORE %s +FLAGS.SILENT (\\Deleted)" % uids.encode())
        self.session.command(b"EXPUNGE")
        self.messages[:] = [m for m in self.messages if m not in gone]
        for number, message in enumerate(self.messages):
            message.number = number + 1
        self.change()
        for message in self.messages:
            message.keys = ordering.Keys(message)
        other.command(b"LOGOUT")

    def append(self, message):
        received, zone = self.internal_date()
        message.received = received
        local = time.gmtime(received + zone * 60)
        text = time.strftime("%d-%b-%Y %H:%M:%S ", local) + "%+03d%02d" % (
            int(zone / 60), abs(zone) % 60)
        self.session.command(b'APPEND INBOX "%s" {%d}\r\n%s' % (
            text.encode(), len(message.raw), message.raw))

    def save_earlier(self, first):
        """Messages that nobody has seen yet came into the mailbox on other days, as the store has it."""
        account = self.server.json("account", "show", self.user)["id"]
        path, = (self.server.data / "accounts").rglob(f"{account}/mail.db")
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as store, store:
            for message in self.messages[first:]:
                when = self.random.choice([9000, 15000, 20400]) * reference.DAY + self.random.choice([0, 1, 86399])
                store.execute("UPDATE message SET saved = ? WHERE uid = ?", (when * 1000, message.uid))

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
        learn(self.session, self.messages)

    def copy(self, other):
        chosen = sorted(self.random.sample(self.messages, len(self.messages) // 3), key=lambda m: m.number)
        self.session.command(b"CREATE copies")
        self.session.command(b"COPY %s copies" % ",".join(str(m.number) for m in chosen).encode())
        copies = [copy.copy(message) for message in chosen]
        for number, message in enumerate(copies):
            message.number = message.uid = number + 1
            message.recent = not self.rev2
        other.command(b"EXAMINE copies (CONDSTORE)")
        learn(other, copies)
        for message, original in zip(copies, chosen):
            assert message.emailid == original.emailid, "a copy has another EMAILID"
        other.command(b"LOGOUT")
        return copies

    def validity(self, name):
        line, = self.session.command(b"STATUS %s (UIDVALIDITY)" % name.encode())
        return int(re.search(rb"UIDVALIDITY (\d+)", line)[1])

    def make_filters(self):
        """The later ones name earlier ones, but not five in a row."""
        filters = {}
        for number in range(8):
            makers = programs.Programs(self.random, self.messages, int(time.time()),
                                       dict(list(filters.items())[:4]) if number >= 4 else {}, saved=False)
            program = makers.keys("utf-8", self.random.choice([0, 1, 2]))
            value = programs.wire(self.random, program, "utf-8", top=True)
            if b"{" in value:  # a literal has no place in a filter
                continue
            name = "filter%d" % number
            self.session.command(b'SETMETADATA "" (/private/filters/values/%s {%d}\r\n%s)' % (
                name.encode(), len(value), value))
            filters[name] = program
        return filters

    # --- questions

    def options(self, saves=True):
        """What RETURN asks for, None for a plain answer."""
        if self.random.random() < 0.5:
            return None
        found = [o for o in ("MIN", "MAX", "COUNT", "SAVE") if self.random.random() < 0.4 and (saves or o != "SAVE")]
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
        asked = []
        for number in range(start, start + count):
            kind = self.random.choices([self.search, self.sort, self.thread, self.esearch, self.fuzzy],
                                       [60, 20, 10, 6, 4])[0]
            text, check = kind()
            asked.append((number, text, check, self.session.send(text)))
        for number, text, check, tag in asked:
            lines, last = self.session.answer(tag)
            got = [line.decode().removesuffix("\r\n") for line in lines]
            wanted = check(tag.decode(), got)
            if last.split(b" ")[1] != b"OK" or (wanted is not True and got != wanted):
                self.differ(self.story(number, text, got, last.decode(), wanted))

    def makers(self, **more):
        return programs.Programs(self.random, self.messages, int(time.time()), self.filters, **more)

    def search(self):
        charset, program = self.makers().program()
        uid, options = self.random.random() < 0.5, self.options()
        text = (b"UID " if uid else b"") + b"SEARCH " + returns(options)
        if charset:
            text += b"CHARSET %s " % charset.encode()
        text += programs.wire(self.random, program, charset or "utf-8", top=True)
        return text, lambda tag, got: self.expect("SEARCH", self.find(program), has_modseq(program, self.filters), uid, options, tag)

    def find(self, program):
        return self.reference.find(program, int(time.time()))

    def sort(self):
        charset, program = self.makers().program()
        uid, options, criteria = self.random.random() < 0.5, self.options(), self.makers().criteria()
        text = (b"UID " if uid else b"") + b"SORT " + returns(options)
        text += b"(%s) %s " % (" ".join(criteria).encode(), (charset or "utf-8").encode())
        text += programs.wire(self.random, program, charset or "utf-8", top=True)
        return text, lambda tag, got: self.expect("SORT", ordering.sort(self.find(program), criteria),
                                                  has_modseq(program, self.filters), uid, options, tag)

    def thread(self):
        charset, program = self.makers().program()
        if self.random.random() < 0.4:
            program = ("AND", ("ALL",))
        uid, algorithm = self.random.random() < 0.5, self.random.choice(["ORDEREDSUBJECT", "REFERENCES"])
        text = (b"UID " if uid else b"") + b"THREAD %s %s " % (algorithm.encode(), (charset or "utf-8").encode())
        text += programs.wire(self.random, program, charset or "utf-8", top=True)
        return text, lambda tag, got: [("* THREAD " + ordering.thread(
            self.find(program), algorithm, lambda m: m.uid if uid else m.number)).rstrip()]

    def esearch(self):
        """RFC 7377: each mailbox by itself, in any order; nothing where nothing is found."""
        charset, program = self.makers(saved=False).program()
        options = self.options(saves=False)
        text = b"ESEARCH IN (%s) " % self.random.choice([b"personal", b"mailboxes (copies INBOX)", b"subtree inbox selected "
                                                         b"mailboxes copies"]) + returns(options)
        if charset:
            text += b"CHARSET %s " % charset.encode()
        text += programs.wire(self.random, program, charset or "utf-8", top=True)

        def check(tag, got):
            wanted = []
            for name, validity, where in self.everywhere:
                found = where.find(program, int(time.time()))
                if found:
                    place = "%s MAILBOX \"%s\" UIDVALIDITY %d" % (tag_text(tag), name, validity)
                    wanted += self.extended(place, found, has_modseq(program, self.filters), True, options or ["ALL"])
            return True if sorted(got) == sorted(wanted) else wanted
        return text, check

    def fuzzy(self):
        """All that has the very needle is found, and each has a score."""
        makers = self.makers()
        key = makers.random.choice(programs.TEXT_KEYS[:-1])
        leaf = (key, makers.clean_needle(key, "utf-8"))
        text = b"SEARCH RETURN (ALL COUNT RELEVANCY) CHARSET UTF-8 FUZZY " + programs.wire(self.random, leaf, "utf-8")

        def check(tag, got):
            exact = {m.number for m in self.find(leaf)}
            match = re.fullmatch(r"\* ESEARCH \(%s\) COUNT (\d+)(?: ALL (\S+))? RELEVANCY \(([\d ]*)\)" %
                                 tag_text(tag), got[0])
            if not match:
                return ["COUNT, ALL, RELEVANCY"]
            numbers = reference.numbers_in(match[2] or "")
            scores = [int(score) for score in match[3].split()]
            good = (exact <= set(numbers) and len(numbers) == len(scores) == int(match[1])
                    and all(1 <= score <= 100 for score in scores))
            return good or ["at least %s" % sorted(exact)]
        return text, check

    # --- answers

    def expect(self, name, found, modseq, uid, options, tag):
        """`found` in the order in which it is told."""
        if options is None and not (self.rev2 and name == "SEARCH"):
            line = "* " + name + "".join(" %d" % (m.uid if uid else m.number) for m in found)
            if modseq and found:
                line += " (MODSEQ %d)" % max(m.modseq for m in found)
            return [line]
        options = options or ["ALL"]
        if "SAVE" in options:
            self.reference.saved = {m.uid for m in told_of(found, options)}
        return [] if options == ["SAVE"] else self.extended(tag_text(tag), found, modseq, uid, options)

    @staticmethod
    def extended(place, found, modseq, uid, options):
        highest = max((m.modseq for m in told_of(found, options)), default=None) if modseq else None
        return [extended_line(place, uid, options, found, [m.uid if uid else m.number for m in found], highest)]

    def differ(self, story):
        raise AssertionError(story)

    def story(self, number, text, got, last, wanted):
        wanted = [] if wanted is True else wanted
        ours, theirs = numbers_of("".join(got)), numbers_of("".join(wanted))
        key = "uid" if text.startswith((b"UID", b"ESEARCH")) else "number"
        names = [(getattr(m, key), m.name or m.parsed["Message-ID"]) for m in self.messages
                 if getattr(m, key) in ours ^ theirs]
        return ("program %d: %r\nserver:    %s\n%s\nreference: %s\nonly one of them: %s" %
                (number, text, "\n".join(got), last, "\n".join(wanted), names))


def learn(session, messages):
    """Flags and the like of all messages of the selected mailbox."""
    lines = session.command(b"FETCH 1:* (UID FLAGS MODSEQ EMAILID THREADID SAVEDATE)")
    assert len(lines) == len(messages)
    for message, line in zip(messages, lines):
        text = line.decode()
        assert int(re.search(r"UID (\d+)", text)[1]) == message.uid, text
        words = re.search(r"FLAGS \(([^)]*)\)", text)[1].split()
        message.flags = {w.upper() for w in words if w.startswith("\\")}
        message.keywords = {w.lower() for w in words if not w.startswith("\\")}
        message.modseq = int(re.search(r"MODSEQ \((\d+)\)", text)[1])
        message.emailid = re.search(r"EMAILID \(([^)]*)\)", text)[1]
        message.threadid = re.search(r"THREADID \(([^)]*)\)", text)[1]
        message.saved = int(time_of(re.search(r'SAVEDATE "([^"]*)"', text)[1]))


def time_of(text):
    return datetime.datetime.strptime(text.strip(), "%d-%b-%Y %H:%M:%S %z").timestamp()


def returns(options):
    return b"" if options is None else b"RETURN (%s) " % " ".join(options).encode()


def tag_text(tag):
    return 'TAG "%s"' % tag


def numbers_of(line):
    return {int(n) for n in re.findall(r"\d+", re.sub('TAG "[^"]*"', "", line))}


def has_modseq(key, filters):
    if key[0] == "FILTER":
        return has_modseq(filters[key[1]], filters)
    return key[0] == "MODSEQ" or any(has_modseq(k, filters) for k in key[1:] if isinstance(k, tuple))


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


def extended_line(place, uid, options, found, numbers, modseq):
    line = "* ESEARCH (%s)%s" % (place, " UID" * uid)
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
