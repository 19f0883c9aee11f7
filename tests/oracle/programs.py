"""Random SEARCH programs: as trees for the reference, as bytes for the server."""
import re

from mails import WORDS, fits
from reference import DAY

FLAGS = ["ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN"]
KEYWORDS = ["$Junk", "work", "Later", "nobody"]
CHARSETS = ["utf-8", "UTF-8", "iso-8859-1", "us-ascii", "koi8-r", "windows-1251", "shift_jis", "iso-2022-jp",
            "gb18030", "euc-kr", "iso-8859-7", "iso-8859-9", "windows-1254", "iso-8859-15", "euc-jp", "gbk",
            "windows-1255", "windows-1256", "tis-620", "iso-8859-5"]
UTF8 = ("utf-8", "us-ascii")  # the charsets that FILTER may stand beside
SORT_KEYS = ["ARRIVAL", "CC", "DATE", "DISPLAYFROM", "DISPLAYTO", "FROM", "SIZE", "SUBJECT", "TO"]
TEXT_KEYS = ["SUBJECT", "FROM", "TO", "CC", "BCC", "BODY", "TEXT", "HEADER"]
ATOM = re.compile(r"[A-Za-z0-9@.,:;!#$&'+/<=>?^_`|~\]-]+")
SAVED = ("$",)


class Programs:
    """`filters`: {name: program}; `saved`: "$" may be asked for."""

    def __init__(self, random, messages, now, filters=None, saved=True):
        self.random, self.messages, self.now = random, messages, now
        self.filters, self.saved = filters or {}, saved

    # --- needles

    def haystack(self, key, field=None):
        """A text that some message has, unfolded."""
        m = self.random.choice(self.messages)
        if key in ("BODY", "TEXT") and self.random.random() < 0.8:
            texts = m.plain_texts
            return self.random.choice(texts) if texts else ""
        if key in ("FROM", "TO", "CC", "BCC"):
            return m.plain_addresses(key.lower())
        values = [v for n, v in m.plain_fields if n.lower() == (field or "subject").lower()]
        return values[0] if values else ""

    def needle(self, key, field=None):
        random = self.random
        kind = random.random()
        if kind < 0.03:
            return ""
        if kind < 0.2:
            return random.choice(random.choice(list(WORDS.values())))
        text = self.haystack(key, field)
        if not text:
            return "nothing like this" if kind < 0.5 else random.choice(WORDS["en"])
        length = random.choice([1, 1, 2, 2, 3, 4, 6, 10, 20])
        at = random.randrange(max(len(text) - length, 0) + 1)
        needle = text[at:at + length]
        if kind > 0.97:
            needle = needle[::-1]
        return random.choice([str, str, str.upper, str.lower, str.title])(needle)

    def clean_needle(self, key, charset, field=None):
        for _ in range(20):
            needle = self.needle(key, field)
            if not re.search("[\0\r\n\ufffd\ud800-\udfff]", needle) and fits(needle, charset):
                return needle
        return "x"

    # --- keys

    def ranges(self, last, over):
        random = self.random
        found = []
        for _ in range(random.choice([1, 1, 2, 3])):
            ends = [random.randint(1, last + over) if random.random() < 0.9 else "*" for _ in range(2)]
            found.append((ends[0], ends[0]) if random.random() < 0.4 else tuple(ends))
        return found

    def day(self, days):
        from datetime import datetime, timedelta, timezone
        day = self.random.choice(days) + self.random.choice([-1, 0, 0, 1])
        return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(days=day)).strftime("%d-%b-%Y")

    def interval(self):
        """Never at the very second, which goes on while we ask."""
        ages = [self.now - m.received for m in self.messages]
        for _ in range(20):
            seconds = self.random.choice(ages) + self.random.choice([-2000, 2000])
            if seconds > 0 and all(abs(seconds - age) > 600 for age in ages):
                return seconds
        return 2000

    def leaf(self, charset):
        random = self.random
        kind = random.random()
        message = random.choice(self.messages)
        if random.random() < 0.15:
            return self.newer_leaf(charset, message)
        if kind < 0.45:
            key = random.choice(TEXT_KEYS)
            if key == "HEADER":
                field = random.choice(["Subject", "x-tag", "X-Empty", "Message-ID", "Content-Type",
                                       "To", "X-None"])
                return (key, field, self.clean_needle(key, charset, field))
            return (key, self.clean_needle(key, charset))
        if kind < 0.58:
            return (random.choice(["", "UN"]) + random.choice(FLAGS),)
        if kind < 0.64:
            return (random.choice(["KEYWORD", "UNKEYWORD"]), random.choice(KEYWORDS))
        if kind < 0.68:
            return (random.choice(["ALL", "NEW", "OLD", "RECENT"]),)
        if kind < 0.75:
            return (random.choice(["LARGER", "SMALLER"]), message.size + random.choice([-1, 0, 1]))
        if kind < 0.85:
            sent = random.random() < 0.5
            days = [m.sent_day for m in self.messages if m.sent_day is not None] if sent else [
                m.received_day for m in self.messages]
            return (("SENT" if sent else "") + random.choice(["BEFORE", "ON", "SINCE"]), self.day(days))
        if kind < 0.88:
            return (random.choice(["YOUNGER", "OLDER"]), self.interval())
        if kind < 0.91:
            return ("MODSEQ", message.modseq + random.choice([-1, 0, 1]))
        if kind < 0.93:
            return SAVED if self.saved else ("ALL",)
        if kind < 0.97:
            return ("SET", self.ranges(len(self.messages), 0))
        return ("UID", self.ranges(self.messages[-1].uid, 5))

    def newer_leaf(self, charset, message):
        """Keys of RFC 8514, 8474, 5466, and 6203 where it changes nothing."""
        random = self.random
        kind = random.choice(["SAVED", "SAVED", "EMAILID", "THREADID", "FILTER", "FUZZY", "SAVEDATESUPPORTED"])
        if kind == "SAVED":
            return (kind + random.choice(["BEFORE", "ON", "SINCE"]), self.day([m.saved // DAY for m in self.messages]))
        if kind in ("EMAILID", "THREADID"):
            return (kind, getattr(message, kind.lower()) if random.random() < 0.9 else "Xnobody-1_")
        if kind == "FILTER" and self.filters and charset.lower() in UTF8:
            return (kind, random.choice(list(self.filters)))
        if kind == "FUZZY":
            return (kind, random.choice([("SEEN",), ("NOT", ("FLAGGED",)), ("LARGER", message.size),
                                         ("UID", self.ranges(self.messages[-1].uid, 5))]))
        return ("SAVEDATESUPPORTED",)

    def criteria(self):
        """Of SORT."""
        chosen = self.random.sample(SORT_KEYS, self.random.choice([1, 1, 2, 3]))
        return [self.random.choice(["", "", "REVERSE "]) + name for name in chosen]

    def key(self, charset, depth):
        kind = self.random.random()
        if depth > 0 and kind < 0.15:
            return ("NOT", self.key(charset, depth - 1))
        if depth > 0 and kind < 0.4:
            return ("OR", self.key(charset, depth - 1), self.key(charset, depth - 1))
        if depth > 0 and kind < 0.55:
            return self.keys(charset, depth - 1)
        return self.leaf(charset)

    def keys(self, charset, depth):
        return ("AND", *(self.key(charset, depth) for _ in range(self.random.choice([1, 2, 2, 3]))))

    def program(self):
        """(charset or None, tree)"""
        charset = self.random.choice(CHARSETS) if self.random.random() < 0.5 else None
        return charset, self.keys(charset or "utf-8", self.random.choice([0, 1, 2, 3, 4]))


# --- on the wire


def set_text(ranges):
    return ",".join(str(a) if a == b else "%s:%s" % (a, b) for a, b in ranges)


def string(random, text, charset):
    data = text.encode(charset)
    if ATOM.fullmatch(data.decode("latin-1")) and text.isascii() and random.random() < 0.5:
        return data
    if all(31 < b < 127 for b in data) and random.random() < 0.8:
        return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"{%d+}\r\n%s" % (len(data), data)


def spelled(random, word):
    return random.choice([word, word, word.lower(), word.capitalize()]).encode()


def wire(random, key, charset, top=False):
    name = key[0]
    if name == "AND":
        inside = b" ".join(wire(random, k, charset) for k in key[1:])
        return inside if top else b"(" + inside + b")"
    if name == "SET":
        return set_text(key[1]).encode()
    if name == "$":
        return random.choice([b"$", b"UID $"])
    words = [spelled(random, name)]
    for item in key[1:]:
        if isinstance(item, tuple):
            words.append(wire(random, item, charset))
        elif isinstance(item, list):
            words.append(set_text(item).encode())
        elif isinstance(item, int):
            words.append(str(item).encode())
        elif name in ("KEYWORD", "UNKEYWORD", "FILTER"):
            words.append(item.encode())
        elif name in TEXT_KEYS:
            words.append(string(random, item, charset))
        else:
            words.append(random.choice([item, '"%s"' % item]).encode())
    if name == "MODSEQ" and random.random() < 0.3:
        words.insert(1, b'"/flags/\\\\Draft" ' + random.choice([b"all", b"priv", b"shared"]))
    return b" ".join(words)
