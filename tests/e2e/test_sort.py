"""SORT and THREAD over random mail, against a reference of their own (reference.py)."""
import datetime
import functools
import random
import re
import unicodedata

import pytest

import threading_reference as reference

WORDS = ["lunch", "Lunch", "[team] plan", "x", "", "Grüße", "zebra", "budget 2026"]
PREFIXES = ["", "Re: ", "RE: ", "[list] ", "Fwd: ", "Re: [list] ", "[fwd: "]
NAMES = ["ann", "Bob", "carol", "Émile", "dave"]


class Message:
    def __init__(self, dice, number, ids):
        self.number = number
        self.id = dice.choice(ids) if dice.random() < 0.9 else None
        self.raw_references = [dice.choice(ids) for _ in range(dice.choice([0, 0, 1, 1, 2, 3, 6]))]
        self.in_reply_to = [dice.choice(ids) for _ in range(dice.choice([0, 1, 2]))]
        self.references = self.raw_references or self.in_reply_to[:1]
        prefix = dice.choice(PREFIXES)
        self.raw_subject = prefix + dice.choice(WORDS) + ("]" if prefix == "[fwd: " else "")
        base, self.reply = reference.base_subject(self.raw_subject)
        self.subject = fold(base)
        self.sent = dice.randrange(40) * 1800 if dice.random() < 0.9 else None
        self.zone = dice.choice([-8, 0, 1, 5])
        self.received = dice.randrange(40) * 1800
        self.name = dice.choice(NAMES) if dice.random() < 0.7 else ""
        self.mailbox, self.host = dice.choice(NAMES[:3]), dice.choice(["a.test", "b.test"])
        self.to, self.cc = dice.choice(NAMES[:3]), dice.choice(NAMES[:3] + [""])
        self.padding = "x" * dice.randrange(5)

    def order(self):
        """The sent date, and what decides when it is the same (section 2.2)."""
        return self.received if self.sent is None else self.sent, self.number

    def text(self):
        lines = [f"Subject: {self.raw_subject}", f"To: <{self.to}@x.test>"]
        lines.append(f"From: {self.name} <{self.mailbox}@{self.host}>")
        if self.cc:
            lines.append(f"Cc: {self.cc}@x.test, other@x.test")
        if self.sent is not None:
            zone = datetime.timezone(datetime.timedelta(hours=self.zone))
            date = datetime.datetime.fromtimestamp(EPOCH + self.sent, zone)
            lines.append(date.strftime("Date: %a, %d %b %Y %H:%M:%S %z"))
        if self.id:
            lines.append(f"Message-ID: <{self.id}>")
        if self.raw_references:
            lines.append("References: " + "\r\n ".join(quoted(id) for id in self.raw_references))
        if self.in_reply_to:
            lines.append("In-Reply-To: " + " ".join(f"<{id}>" for id in self.in_reply_to))
        return ("\r\n".join(lines) + "\r\n\r\n" + self.padding + "\r\n").encode()


EPOCH = 1772445600


def quoted(id):
    """The other way to write it, which must not matter."""
    left, right = id.split("@")
    return f'<"{left}"@{right}>'


def fold(text):
    """Enough of i;unicode-casemap (RFC 5051) for the words above."""
    return unicodedata.normalize("NFKD", "".join(c if c == "ß" else c.upper() for c in text))


KEYS = {
    "ARRIVAL": lambda m: m.received,
    "CC": lambda m: fold(m.cc).encode(),
    "DATE": lambda m: m.order()[0],
    "DISPLAYFROM": lambda m: fold(m.name or f"{m.mailbox}@{m.host}").encode(),
    "DISPLAYTO": lambda m: fold(m.to + "@x.test").encode(),
    "FROM": lambda m: fold(m.mailbox).encode(),
    "SIZE": lambda m: len(m.text()),
    "SUBJECT": lambda m: m.subject.encode(),
    "TO": lambda m: fold(m.to).encode(),
}


def sort(messages, criteria):
    def compare(a, b):
        for reverse, name in criteria:
            x, y = KEYS[name](a), KEYS[name](b)
            if x != y:
                return (x > y) - (x < y) if not reverse else (x < y) - (x > y)
        return a.number - b.number
    return [message.number for message in sorted(messages, key=functools.cmp_to_key(compare))]


def fill(client, dice, count):
    ids = [f"id{i}@x.test" for i in range(count)]
    messages = [Message(dice, number + 1, ids) for number in range(count)]
    client.create("sorted")
    for message in messages:
        date = datetime.datetime.fromtimestamp(EPOCH + message.received, datetime.timezone.utc)
        status, _ = client.append("sorted", None, date, message.text())
        assert status == "OK"
    client.select("sorted")
    return messages


@pytest.mark.parametrize("seed", range(6))
def test_random_mail(server, account, seed):
    client = server.imap(account)
    dice = random.Random(seed)
    messages = fill(client, dice, dice.choice([5, 30, 120]))
    for _ in range(40):
        criteria = [(dice.random() < 0.4, dice.choice(list(KEYS)))
                    for _ in range(dice.choice([1, 1, 2, 3]))]
        words = " ".join(("REVERSE " if reverse else "") + name for reverse, name in criteria)
        _, answer = client.sort(f"({words})", "UTF-8", "ALL")
        assert [int(number) for number in answer[0].split()] == sort(messages, criteria), words
    few = dice.sample(messages, len(messages) // 2)
    few.sort(key=lambda message: message.number)
    for which, keys in [(messages, "ALL"),
                        (few, ",".join(str(message.number) for message in few))]:
        _, answer = client.thread("REFERENCES", "UTF-8", keys)
        assert answer[0].decode() == reference.references(which)
        _, answer = client.thread("ORDEREDSUBJECT", "UTF-8", keys)
        assert answer[0].decode() == reference.ordered_subject(which)
    client.logout()


def expand(text):
    numbers = []
    for part in text.split(","):
        lo, _, hi = part.partition(":")
        numbers += range(int(lo), int(hi or lo) + 1)
    return numbers


def updated(uids, lines):
    """A client's list after these ESEARCH responses (RFC 5267 section 4.3)."""
    uids = list(uids)
    for line in lines:
        if match := re.search(r" ALL (\S+)", line):
            uids = expand(match[1])
        for item, pairs in re.findall(r"(ADDTO|REMOVEFROM) \(([^)]*)\)", line):
            words = pairs.split()
            for position, numbers in zip(words[::2], words[1::2]):
                at = int(position) - 1
                for number in expand(numbers):
                    if item == "ADDTO":
                        uids.insert(at, number)
                        at += 1
                    else:
                        assert uids.pop(at) == number
    return uids


@pytest.mark.parametrize("seed", range(3))
def test_updates(server, account, seed):
    """A sorted list that a client keeps by what it is told is what a new SORT gives."""
    client = server.imap(account)
    dice = random.Random(seed)
    fill(client, dice, 40)
    program = "(SUBJECT REVERSE DATE) UTF-8 FLAGGED"
    client.uid("SORT", "RETURN (UPDATE ALL) " + program)
    known = updated([], [line.decode() for line in client.response("ESEARCH")[1]])
    assert known == []
    for _ in range(60):
        what = dice.random()
        if what < 0.8:
            lo = dice.randrange(1, 41)
            sign = dice.choice("+-")
            client.uid("STORE", f"{lo}:{lo + dice.randrange(4)}", f"{sign}FLAGS.SILENT",
                       r"(\Flagged)")
        elif what < 0.9:
            client.append("sorted", r"(\Flagged)", None, Message(dice, 0, ["a@b"]).text())
        else:
            client.uid("STORE", str(dice.randrange(1, 41)), "+FLAGS.SILENT", r"(\Deleted)")
            client.expunge()
        client.noop()
        lines = client.response("ESEARCH")[1]
        known = updated(known, [line.decode() for line in lines if line])
        _, answer = client.uid("SORT", program)
        assert [int(uid) for uid in (answer[0] or b"").split()] == known
    client.logout()
