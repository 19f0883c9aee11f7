"""What SEARCH means, a second time: written from the RFCs, over Python's email package.

The choices that the RFCs leave open are listed in doc/search.md.
"""
import calendar
import datetime
import email
import email.utils
import functools
import html.entities
import quopri
import re
import unicodedata

DAY = 24 * 60 * 60


# --- folding: i;unicode-casemap, RFC 5051


def title(character):
    """The simple title case mapping; Python gives the full one, which may be several."""
    mapped = character.title()
    return mapped if len(mapped) == 1 else character


@functools.lru_cache(maxsize=None)
def fold_character(character):
    upper = title(character)
    if "\uac00" <= upper <= "\ud7a3":  # Hangul syllables decompose by rule, not by table
        return unicodedata.normalize("NFD", upper)
    parts = unicodedata.decomposition(upper).split()
    if not parts:
        return upper
    return "".join(fold_character(chr(int(p, 16))) for p in parts if not p.startswith("<"))


def fold(text):
    return "".join(map(fold_character, text))


# --- text


def guess(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


# Where mail says one charset and means a larger one.
LARGER = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc-kr": "cp949",
          "ks_c_5601-1987": "cp949"}


def to_text(data, charset):
    charset = (charset or "").lower()
    if charset in ("", "us-ascii", "ascii"):
        return guess(data)
    try:
        return data.decode(LARGER.get(charset, charset), "replace")
    except LookupError:
        return guess(data)


WORD = re.compile(rb"=\?([^?]+)\?([bBqQ])\?(.*?)\?=", re.S)


def word_bytes(encoding, text):
    if encoding in b"bB":
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", text)
        letters = letters[:len(letters) - (len(letters) % 4 == 1)]
        return email.base64mime.decode((letters + b"=" * (-len(letters) % 4)).decode())
    text = text.replace(b"_", b" ")
    return re.sub(rb"=([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), text)


def header_text(value):
    """A field's value (bytes) as a person reads it."""
    value = value.strip(b" \t\r\n")
    out, pending, charset, at = [], b"", None, 0

    def flush():
        nonlocal pending, charset
        if charset is not None:
            out.append(to_text(pending, charset.decode("latin-1")))
        pending, charset = b"", None

    for match in WORD.finditer(value):
        between = value[at:match.start()]
        if between and not (charset is not None and not between.strip(b" \t\r\n")):
            flush()
            out.append(guess(re.sub(rb"\r?\n", b"", between)))
        name = match[1].split(b"*")[0].lower()
        if charset is not None and name != charset:
            flush()
        charset = name
        pending += word_bytes(match[2], match[3])
        at = match.end()
    flush()
    rest = value[at:]
    if rest:
        out.append(guess(re.sub(rb"\r?\n", b"", rest)))
    return "".join(out)


# --- one message


def fields_of(part):
    return [(name, header_text(str(value).encode("utf-8", "surrogateescape")))
            for name, value in part._headers]


def header_lines(part):
    return "".join("%s: %s\r\n" % field for field in fields_of(part))


def content_of(part):
    charset = part.get_param("charset") or ""
    if isinstance(charset, tuple):
        charset = charset[2]
    if str(part.get("content-transfer-encoding", "")).strip().lower() == "quoted-printable":
        # Blanks that end a line are no content (RFC 2045 section 6.7); Python keeps them.
        raw = str(part._payload).encode("utf-8", "surrogateescape")  # get_payload() would decode the charset
        data = quopri.decodestring(re.sub(rb"[ \t]+(?=\r?\n|$)", b"", raw))
    else:
        data = part.get_payload(decode=True) or b""
    return to_text(data, charset)


# Tags that only change how letters look; any other one parts words.
INLINE = set("a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark nobr q s "
             "samp small span strike strong sub sup time tt u var wbr".split())
TAG = re.compile(r"""</?([A-Za-z][^ \t\r\n\f/>]*)(?:=[ \t\r\n\f]*(?:"[^"]*"|'[^']*')|[^>])*(?:>|\Z)""")
ENTITY = re.compile(r"&(?:#[xX]([0-9A-Fa-f]+);?|#([0-9]+);?|([A-Za-z0-9]+);)")


def entity(match):
    if match[3]:
        if match[3] == "apos":
            return "'"
        code = html.entities.name2codepoint.get(match[3])
        return match[0] if code is None else chr(code)
    code = int(match[1], 16) if match[1] else int(match[2])
    if 0x80 <= code < 0xa0:
        text = bytes([code]).decode("windows-1252", "ignore")
        return text or chr(code)
    return chr(code) if 0 < code < 0xd800 or 0xe000 <= code <= 0x10ffff else "\ufffd"


def html_text(source):
    """What a reader sees, blanks as single spaces."""
    out, at = "", 0
    while at < len(source):
        less = source.find("<", at)
        less = len(source) if less < 0 else less
        out += ENTITY.sub(entity, source[at:less])
        at = less
        if source.startswith("<!--", at):
            end = source.find("-->", at + 2)
            at = len(source) if end < 0 else end + 3
        elif source[at:at + 2] in ("<!", "<?"):
            end = source.find(">", at)
            at = len(source) if end < 0 else end + 1
        elif match := TAG.match(source, at):
            name = match[1].lower()
            out += "" if name in INLINE else " "
            at = match.end()
            if name in ("script", "style") and match[0][1] != "/":
                end = re.compile("</" + name, re.I).search(source, at)
                at = end.start() if end else len(source)
        elif at < len(source):
            out += "<"
            at += 1
    return re.sub("[ \t\r\n\f]+", " ", out).strip(" ")


def names_of(part):
    """The names of an attachment, each on a line of its own."""
    text = ""
    for param, field in (("filename", "content-disposition"), ("name", "content-type")):
        value = part.get_param(param, header=field)
        if value is not None and field in part:
            value = email.utils.collapse_rfc2231_value(value)
            text += header_text(value.encode("utf-8", "surrogateescape")) + "\r\n"
    return text


def texts_of(part, inside=False):
    """Of each part that has any: the header of a message inside, names, content if it is text."""
    kind, payload = part.get_content_type(), part.get_payload()
    text = (header_lines(part) if inside else "") + names_of(part)
    if isinstance(payload, list):
        if text:
            yield text
        for child in payload:
            yield from texts_of(child, kind == "message/rfc822")
        return
    if kind == "text/html":
        text += html_text(content_of(part))
    elif kind.startswith("text/") or kind.startswith("message/"):
        text += content_of(part)
    if text:
        yield text


def address_text(value):
    """One field's addresses: name <mailbox@host>, and so on."""
    text = ""
    for item in split_addresses(value):
        text += item + ", "
    return text


def split_addresses(value):
    """name <box@host>; groups as IMAP's ENVELOPE has them: <name@>, members, <@>."""
    rest = re.sub(r"\r?\n", "", value)
    item, group, items = "", False, []
    quoted = angle = False
    for at, c in enumerate(rest):
        if c == '"' and rest[at - 1:at] != "\\":
            quoted = not quoted
        angle = not quoted and (c == "<" or (angle and c != ">"))
        if quoted or angle or c not in ",:;":
            item += c
            continue
        if c == ":":
            items.append("<%s@>" % item.strip())
            group = True
        elif item.strip():
            items.append(one_address(item.strip()))
        if c == ";" and group:
            items.append("<@>")
            group = False
        item = ""
    if item.strip():
        items.append(one_address(item.strip()))
    return items


def one_address(item):
    match = re.fullmatch(r'(.*?)\s*<([^<>]*)>', item, re.S)
    if not match:
        return "<%s>" % item
    name = match[1]
    if name.startswith('"'):
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    name = header_text(name.encode("utf-8", "surrogateescape"))
    return "%s <%s>" % (name, match[2]) if name else "<%s>" % match[2]


class Message:
    """The bytes, and what the mailbox says of it: uid, number, flags, keywords, recent, received and
    saved (Unix seconds), modseq, emailid, threadid."""

    def __init__(self, raw, name=""):
        self.raw, self.name = raw, name
        self.size = len(raw)
        self.parsed = email.message_from_bytes(raw)

    def first(self, name):
        """Raw text of a field's first occurrence, None if there is none."""
        return next((str(v) for n, v in self.parsed._headers if n.lower() == name), None)

    @functools.cached_property
    def subject(self):
        value = self.first("subject")
        return None if value is None or not value.strip() else fold(
            header_text(value.encode("utf-8", "surrogateescape")))

    @functools.cache
    def plain_addresses(self, field):
        values = [str(v) for n, v in self.parsed._headers if n.lower() == field]
        text = "".join(address_text(v) for v in values)
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    @functools.cache
    def addresses(self, field):
        return fold(self.plain_addresses(field))

    @functools.cached_property
    def plain_fields(self):
        return fields_of(self.parsed)

    @functools.cached_property
    def fields(self):
        return [(n.lower(), fold(v)) for n, v in self.plain_fields]

    @functools.cached_property
    def plain_texts(self):
        return list(texts_of(self.parsed))

    @functools.cached_property
    def body_texts(self):
        return [fold(text) for text in self.plain_texts]

    @functools.cached_property
    def header_text(self):
        return fold(header_lines(self.parsed))

    @functools.cached_property
    def sent_day(self):
        """Day of the Date field, whatever its zone."""
        parsed = email.utils.parsedate_tz(self.first("date") or "")
        return parsed and calendar.timegm(parsed[:3] + (0, 0, 0)) // DAY

    @property
    def received_day(self):
        return self.received // DAY


# --- programs: tuples whose first item is the key


SYSTEM = {"ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN"}


def day_of(text):
    return calendar.timegm(datetime.datetime.strptime(text, "%d-%b-%Y").timetuple()) // DAY


def in_set(ranges, number, last):
    """`ranges`: [(lo, hi)], "*" for the greatest number there is."""
    for ends in ranges:
        lo, hi = sorted(last if end == "*" else end for end in ends)
        if lo <= number <= hi:
            return True
    return False


def numbers_in(text):
    """Of a sequence set without "*", in its order."""
    numbers = []
    for part in text.split(",") if text else []:
        low, _, high = part.partition(":")
        numbers += range(int(low), int(high or low) + 1)
    return numbers


class Reference:
    def __init__(self, messages, filters=None):
        self.messages, self.saved, self.filters = messages, set(), filters or {}

    def find(self, program, now):
        self.now = now
        self.last_uid = self.messages[-1].uid
        return [m for m in self.messages if self.matches(program, m)]

    def matches(self, key, m):
        return getattr(self, "match_" + ("saved" if key[0] == "$" else key[0].lower()),
                       functools.partial(self.match_flag, key[0]))(m, *key[1:])

    @staticmethod
    def match_flag(name, m):
        if name in SYSTEM:
            return "\\" + name in m.flags
        assert name.startswith("UN") and name[2:] in SYSTEM, name
        return "\\" + name[2:] not in m.flags

    def match_all(self, m):
        return True

    def match_and(self, m, *keys):
        return all(self.matches(key, m) for key in keys)

    def match_or(self, m, a, b):
        return self.matches(a, m) or self.matches(b, m)

    def match_not(self, m, key):
        return not self.matches(key, m)

    def match_new(self, m):
        return m.recent and "\\SEEN" not in m.flags

    def match_old(self, m):
        return not m.recent

    def match_recent(self, m):
        return m.recent

    def match_keyword(self, m, name):
        return name.lower() in m.keywords

    def match_unkeyword(self, m, name):
        return name.lower() not in m.keywords

    def match_larger(self, m, size):
        return m.size > size

    def match_smaller(self, m, size):
        return m.size < size

    def match_before(self, m, day):
        return m.received_day < day_of(day)

    def match_on(self, m, day):
        return m.received_day == day_of(day)

    def match_since(self, m, day):
        return m.received_day >= day_of(day)

    def match_sentbefore(self, m, day):
        return m.sent_day is not None and m.sent_day < day_of(day)

    def match_senton(self, m, day):
        return m.sent_day is not None and m.sent_day == day_of(day)

    def match_sentsince(self, m, day):
        return m.sent_day is not None and m.sent_day >= day_of(day)

    def match_older(self, m, seconds):
        return m.received <= self.now - seconds

    def match_younger(self, m, seconds):
        return m.received >= self.now - seconds

    def match_savedbefore(self, m, day):
        return m.saved // DAY < day_of(day)

    def match_savedon(self, m, day):
        return m.saved // DAY == day_of(day)

    def match_savedsince(self, m, day):
        return m.saved // DAY >= day_of(day)

    def match_savedatesupported(self, m):
        return True

    def match_emailid(self, m, name):
        return m.emailid == name

    def match_threadid(self, m, name):
        return m.threadid == name

    def match_filter(self, m, name):
        return self.matches(self.filters[name], m)

    def match_fuzzy(self, m, key):
        return self.matches(key, m)

    def match_modseq(self, m, number):
        return m.modseq >= number

    def match_set(self, m, ranges):
        return in_set(ranges, m.number, len(self.messages))

    def match_uid(self, m, ranges):
        return in_set(ranges, m.uid, self.last_uid)

    def match_saved(self, m):
        return m.uid in self.saved

    def match_subject(self, m, needle):
        return m.subject is not None and fold(needle) in m.subject

    def in_addresses(self, m, field, needle):
        text = m.addresses(field)
        return text != "" and fold(needle) in text

    def match_from(self, m, needle):
        return self.in_addresses(m, "from", needle)

    def match_to(self, m, needle):
        return self.in_addresses(m, "to", needle)

    def match_cc(self, m, needle):
        return self.in_addresses(m, "cc", needle)

    def match_bcc(self, m, needle):
        return self.in_addresses(m, "bcc", needle)

    def match_header(self, m, field, needle):
        return any(n == field.lower() and fold(needle) in v for n, v in m.fields)

    def match_body(self, m, needle):
        return needle == "" or any(fold(needle) in text for text in m.body_texts)

    def match_text(self, m, needle):
        return fold(needle) in m.header_text or self.match_body(m, needle)
