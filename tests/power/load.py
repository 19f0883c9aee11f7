"""A load whose workers know, for each instant, what must be there.

Each worker writes a history: what it asked for, where the record stood before it asked (`sent`) and
when it had heard of success (`acked`). When the power is cut at a position of the record, a state
that was acknowledged before is there, or one that was asked for since; nothing else.
"""
import collections
import email
import random
import re
import subprocess
import threading

MANY = 2100  # more than a slice has
FAR = "far.test"  # nobody answers for it: mail for it stays in the queue


class History:
    """What became of one thing. Values are compared; the first is before anything was asked for."""

    def __init__(self, value=None):
        self.first, self.changes = value, []

    def possible(self, position):
        values = [self.first]
        for change in self.changes:
            if change.acked is not None and change.acked <= position:
                values = [change.value]
            elif change.sent <= position:
                values.append(change.value)
        return values


class Change:
    def __init__(self, sent, value):
        self.sent, self.value, self.acked = sent, value, None


def places(*mailboxes):
    return dict(collections.Counter(mailboxes))


class Worker(threading.Thread):
    def __init__(self, load, seed):
        super().__init__(daemon=True)
        self.load, self.server, self.name = load, load.server, type(self).__name__.lower()
        self.random, self.number, self.done, self.error = random.Random(f"{seed} {self.name}"), 0, 0, None
        self.account = f"{self.name}@example.test"
        self.things = {}  # names of messages: History of the mailboxes they are in

    def run(self):
        try:
            self.session()
        except Exception as error:  # whatever it is: nobody has cut anything while we work
            self.error = error

    @property
    def stopped(self):
        return self.load.stop.is_set()

    def next_names(self, count=1):
        self.number += 1
        return tuple(f"{self.name}-{self.number}-{i}" for i in range(count))

    def message(self, name):
        size = self.random.randrange(20_000, 60_000) if self.random.random() < 0.3 else self.random.randrange(50, 4000)
        return f"Subject: {name}\r\n\r\n".encode() + self.random.randbytes(size // 2).hex().encode() + b"\r\n"

    def change(self, history, value, ask):
        """Runs ask(), which says whether it was done; an error leaves it open."""
        change = Change(self.load.position(), value)
        history.changes.append(change)
        if ask():
            change.acked = self.load.position()
            self.done += 1
        else:
            raise AssertionError(f"{self.name}: refused")

    def add(self, names, value, ask):
        self.things[names] = History({})
        self.change(self.things[names], value, ask)

    def problems(self, found, position):
        """`found`: {(account, subject): {mailbox: how often}}."""
        for names, history in self.things.items():
            yield from self.wrong_places(found, self.account, names, history, position)

    def wrong_places(self, found, account, names, history, position):
        possible = history.possible(position)
        states = [found.get((account, name), {}) for name in names]
        if any(state != states[0] for state in states):
            yield f"of {names[0]} to {names[-1]} only some are there: {states}, possible is {possible}"
        elif states[0] not in possible:
            kind = "lost" if len(possible) == 1 and not states[0] else "wrong"
            yield f"{kind}: {names[0]} is in {states[0]}, possible is {possible}"


class Delivering(Worker):
    """SMTP, to one or two accounts at once."""

    def session(self):
        self.others = {}
        with self.server.smtp() as smtp:
            while not self.stopped:
                names, both = self.next_names(), self.random.random() < 0.3
                accounts = [self.account] + [f"second-{self.account}"] * both
                if both:
                    self.others[names] = History({})
                    change = Change(self.load.position(), places("INBOX"))
                    self.others[names].changes.append(change)
                self.add(names, places("INBOX"), lambda: smtp.sendmail(
                    "a@elsewhere.test", accounts, self.message(names[0])) == {})
                if both:
                    change.acked = self.load.position()

    def problems(self, found, position):
        yield from super().problems(found, position)
        for names, history in self.others.items():
            yield from self.wrong_places(found, f"second-{self.account}", names, history, position)


class Sending(Worker):
    """Mail to another server, which waits in the queue."""

    def session(self):
        self.addresses = {}
        with self.server.submission(self.account) as smtp:
            while not self.stopped:
                [name] = self.next_names()
                address = f"{name}@{FAR}"
                self.addresses[address] = History(0)
                self.change(self.addresses[address], 1, lambda: smtp.sendmail(
                    self.account, [address], f"From: {self.account}\r\n".encode() + self.message(name)) == {})

    def problems(self, found, position):
        for address, history in self.addresses.items():
            if found["queue"][address] not in history.possible(position):
                yield f"lost: the queue has {found['queue'][address]} for {address}"


class Appending(Worker):
    """APPEND, COPY, MOVE, EXPUNGE; UIDs stay with their messages."""

    def session(self):
        self.uids = {}  # (mailbox, uid): name
        imap, left = self.server.imap(self.account), []
        imap.select("Archive")
        while not self.stopped:
            names = self.next_names(self.random.choice([1, 1, 1, 3]))
            texts = [self.message(name) for name in names]
            self.add(names, places("Archive"), lambda: self.append(imap, names, texts))
            left.append(names)
            if len(left) > 5:
                getattr(self, self.random.choice(["copy", "move", "expunge"]))(
                    imap, left.pop(self.random.randrange(len(left))))

    def append(self, imap, names, texts):
        typ, data = imap.xatom("APPEND", b"Archive " + b" ".join(b"{%d+}\r\n%s" % (len(t), t) for t in texts))
        low, high = re.search(rb"APPENDUID \d+ (\d+):?(\d*)", data[-1]).groups()
        for uid, name in zip(range(int(low), int(high or low) + 1), names):
            self.uids["Archive", uid] = name
        return typ == "OK"

    def set_of(self, names):
        return ",".join(str(uid) for (mailbox, uid), name in self.uids.items() if mailbox == "Archive" and name in names)

    def copy(self, imap, names):
        self.change(self.things[names], places("Archive", "Drafts"),
                    lambda: imap.uid("COPY", self.set_of(names), "Drafts")[0] == "OK")

    def move(self, imap, names):
        self.change(self.things[names], places("Trash"),
                    lambda: imap.uid("MOVE", self.set_of(names), "Trash")[0] == "OK")

    def expunge(self, imap, names):
        uids = self.set_of(names)
        imap.uid("STORE", uids, "+FLAGS.SILENT", r"(\Deleted)")
        self.change(self.things[names], {}, lambda: imap.uid("EXPUNGE", uids)[0] == "OK")

    def problems(self, found, position):
        yield from super().problems(found, position)
        for place, name in self.uids.items():
            if place in found["uids"][self.account] and found["uids"][self.account][place] != name:
                yield f"UID {place} is {found['uids'][self.account][place]}, and was {name}"


class Watching(Worker):
    """Another session on the mailboxes of Appending: what it has seen is not taken back."""

    ACCOUNT, KEY = "appending@example.test", "archive"

    def session(self):
        self.account, self.seen = self.ACCOUNT, []
        imap = self.server.imap(self.account)
        while not self.stopped:
            numbers = state_of(imap, "Archive")
            self.seen.append((self.load.position(), numbers))
            self.done += 1
            self.load.stop.wait(0.002)

    def problems(self, found, position):
        seen = [numbers for at, numbers in self.seen if at <= position]
        if seen and any(now < then for now, then in zip(found[self.KEY], seen[-1])):
            yield f"UIDNEXT, HIGHESTMODSEQ are {found[self.KEY]}, and were {seen[-1]}"


class WatchingMany(Watching):
    """The same where many messages change at once, in slices."""

    ACCOUNT, KEY = "many@example.test", "many"


class Many(Worker):
    """COPY of many messages, which takes turns: all or none; STORE and EXPUNGE of them, in slices."""

    def session(self):
        self.counts = History((0, 0))  # of the copies: at least, at most
        imap = self.server.imap(self.account)
        while not self.stopped:
            imap.select("Archive")
            assert imap.uid("STORE", "1:*", self.random.choice("+-") + "FLAGS.SILENT", r"(\Flagged)")[0] == "OK"
            self.change(self.counts, (MANY, MANY), lambda: imap.uid("COPY", "1:*", "Sent")[0] == "OK")
            imap.select("Sent")
            self.change(self.counts, (0, MANY), lambda: imap.uid("STORE", "1:*", "+FLAGS.SILENT", r"(\Deleted)")[0] == "OK")
            self.change(self.counts, (0, 0), lambda: imap.expunge()[0] == "OK")

    def problems(self, found, position):
        possible = self.counts.possible(position)
        if not any(low <= found["copies"] <= high for low, high in possible):
            yield f"lost: {found['copies']} copies, possible is {possible}"


class Storing(Worker):
    """\\Seen on and off."""

    def session(self):
        self.flags = {uid: History(False) for uid in range(1, 11)}
        imap = self.server.imap(self.account)
        imap.select("Drafts")
        while not self.stopped:
            uid, seen = self.random.randrange(1, 11), self.random.random() < 0.5
            self.change(self.flags[uid], seen, lambda: imap.uid(
                "STORE", str(uid), "+FLAGS.SILENT" if seen else "-FLAGS.SILENT", r"(\Seen)")[0] == "OK")

    def problems(self, found, position):
        for uid, history in self.flags.items():
            if (uid in found["seen"]) not in history.possible(position):
                yield f"lost: \\Seen of {uid} is {uid in found['seen']}, possible {history.possible(position)}"


class Deleting(Worker):
    """APPEND, then POP3: all deletions of a QUIT or none."""

    def session(self):
        imap = self.server.imap(self.account)
        while not self.stopped:
            names = self.next_names(4)
            gone, kept = names[::2], names[1::2]
            for part in (gone, kept):
                texts = [self.message(name) for name in part]
                self.add(part, places("INBOX"), lambda: imap.xatom("APPEND", b"INBOX " + b" ".join(
                    b"{%d+}\r\n%s" % (len(t), t) for t in texts))[0] == "OK")
            self.change(self.things[gone], {}, lambda: self.quit(gone))

    def quit(self, names):
        pop = self.server.pop3(self.account)
        for number in range(max(1, pop.stat()[0] - 3), pop.stat()[0] + 1):
            if email.message_from_bytes(b"\r\n".join(pop.top(number, 0)[1]))["Subject"] in names:
                pop.dele(number)
        return pop.quit().startswith(b"+OK")


class Moving(Worker):
    """MOVE to a mailbox of another account and back: two databases."""

    OTHERS = "Other Users/sharing@example.test/Archive"

    def session(self):
        imap = self.server.imap(self.account)
        for _ in range(6):
            names = self.next_names()
            self.add(names, places("Archive"), lambda: imap.append("Archive", None, None, self.message(names[0]))[0] == "OK")
        here, there = "Archive", self.OTHERS
        while not self.stopped:
            imap.select(f'"{here}"')
            for names in self.things:
                change = Change(self.load.position(), places(there))
                self.things[names].changes.append(change)
            assert imap.uid("MOVE", "1:*", f'"{there}"')[0] == "OK"
            for history in self.things.values():
                history.changes[-1].acked = self.load.position()
            self.done += 1
            here, there = there, here


class Administering(Worker):
    """Aliases, by the operator's command."""

    def session(self):
        self.aliases = {}
        while not self.stopped:
            [name] = self.next_names()
            alias = f"{name}@example.test"
            self.aliases[alias] = History(False)
            self.change(self.aliases[alias], True, lambda: self.load.command("alias", "add", alias, self.account) == 0)

    def problems(self, found, position):
        for alias, history in self.aliases.items():
            if (alias in found["aliases"]) not in history.possible(position):
                yield f"lost: alias {alias}"


WORKERS = (Delivering, Sending, Appending, Watching, Many, WatchingMany, Storing, Deleting, Moving, Administering)
ACCOUNTS = ["delivering", "second-delivering", "sending", "appending", "storing", "deleting", "moving", "sharing",
            "administering", "many"]


class Load:
    """`record`: the file whose length is the position."""

    def __init__(self, server, record, seed):
        self.server, self.record, self.stop = server, record, threading.Event()
        self.workers = [kind(self, seed) for kind in WORKERS]

    def position(self):
        return self.record.stat().st_size

    def command(self, *args):
        """As server.command(), and recorded."""
        from server import BUILD, SANITIZER_OPTIONS
        import os
        return subprocess.run([BUILD / "admin/postane", "-c", self.server.config, *args], capture_output=True,
                              env=os.environ | SANITIZER_OPTIONS | self.server.environment).returncode

    def run(self, seconds):
        for worker in self.workers:
            worker.start()
        self.stop.wait(seconds)
        self.stop.set()
        for worker in self.workers:
            worker.join(60)
            if worker.is_alive() or worker.error:
                raise AssertionError(f"{worker.name}: {worker.error or 'hangs'!r}") from worker.error
            if worker.done == 0:
                raise AssertionError(f"{worker.name} has done nothing: the cuts would prove nothing")

    def problems(self, server, position):
        """What is wrong in a store that had its power cut at the position."""
        found = look_at(server)
        for worker in self.workers:
            yield from worker.problems(found, position)


def prepare(server):
    for name in ACCOUNTS:
        server.add_account(f"{name}@example.test")
    server.run("acl", "set", "sharing@example.test", "Archive", "moving@example.test", "lrswitex")
    with server:
        with server.imap("storing@example.test") as imap:
            for i in range(10):
                imap.append("Drafts", None, None, b"Subject: %d\r\n\r\nx\r\n" % i)
        with server.imap("many@example.test") as imap:
            for _ in range(MANY // 300):
                imap.xatom("APPEND", b"Archive" + b" {14+}\r\nSubject: x\r\n\r\n" * 300)


def state_of(imap, mailbox):
    _, data = imap.status(mailbox, "(UIDNEXT HIGHESTMODSEQ)")
    return tuple(int(number) for number in re.search(rb"UIDNEXT (\d+) HIGHESTMODSEQ (\d+)", data[0]).groups())


def look_at(server):
    found = {"uids": collections.defaultdict(dict)}
    queued = server.json("queue", "list", "--limit", "0")
    found["queue"] = collections.Counter(address for message in queued for address in message["to"])
    found["aliases"] = {row["address"] for row in server.json("alias", "list")}
    for name in ACCOUNTS:
        account = f"{name}@example.test"
        with server.imap(account) as imap:
            if name == "appending":
                found["archive"] = state_of(imap, "Archive")
            if name == "many":
                found["many"] = state_of(imap, "Archive")
                found["copies"] = int(re.search(rb"MESSAGES (\d+)", imap.status("Sent", "(MESSAGES)")[1][0])[1])
                continue
            for mailbox in ["INBOX", "Archive", "Drafts", "Trash"] + [Moving.OTHERS] * (name == "moving"):
                look_into(imap, account, mailbox, found)
            if name == "storing":
                imap.select("Drafts", readonly=True)
                found["seen"] = {int(n) for n in imap.uid("SEARCH", "SEEN")[1][0].split()}
    return found


def look_into(imap, account, mailbox, found):
    imap.select(f'"{mailbox}"', readonly=True)
    _, parts = imap.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    for part in parts:
        if isinstance(part, tuple):
            subject = email.message_from_bytes(part[1])["Subject"].strip()
            found["uids"][account][mailbox, int(re.search(rb"UID (\d+)", part[0])[1])] = subject
            there = found.setdefault((account, subject), {})
            there[mailbox] = there.get(mailbox, 0) + 1
