"""Mail for the oracle: generated from a seed, and samples of tests/data/mime.

Generated mail is well-formed, in many scripts, charsets and encodings. Samples are as they were
found, but for their line ends.
"""
import base64
import pathlib
import quopri
import re
import urllib.parse

SAMPLES = pathlib.Path(__file__).resolve().parent.parent / "data/mime"
NO_MESSAGE = re.compile(r"LICENSE|COPYING|README|SOURCES|exceptions\.txt$|\.xml$|\.out$|\.json$|\.md$")

WORDS = {
    "en": "the invoice meeting tomorrow office budget project release review draft final report "
          "holiday ticket broken window server password update newsletter lunch".split(),
    "de": "Grüße Straße Übergröße Fußball öffnen Ärger schön weiß MASSE Maße".split(),
    "fr": "déjà élève garçon cœur naïve Noël où".split(),
    "tr": "İstanbul ışık Iğdır şeker çığ".split(),
    "vi": "Việt Nam tiếng đường phở".split(),
    "el": "Καλημέρα ΟΔΟΣ οδός ἀρχή ᾳ ᾼ Ελλάδα".split(),
    "ru": "Привет Москва встреча ЁЛКА ёлка отчёт письмо".split(),
    "he": "שלום עולם מכתב".split(),
    "ar": "مرحبا رسالة اجتماع".split(),
    "ja": "こんにちは 会議 東京 ﾃﾞﾓ デモ メール ガイド".split(),
    "zh": "你好 会议 北京 報告 邮件".split(),
    "ko": "안녕하세요 회의 서울 한글".split(),
    "th": "สวัสดี ประชุม น้ำ".split(),
    "hi": "नमस्ते क्षि ड़ा".split(),
    "odd": "ﬁnal oﬃce ＡＢＣ Ⅷ x² ½ ǆ ǅ Ǆ ŉ ẞ 🎉 👩‍💻 e\u0301te\u0301 A\u030angstro\u0308m Å \u212b ªº ΐ ǰ ẖ ſpät \u212aelvin ﬄ ﬆ և ﬗ ﷺ ㎏ ㍿ ½ ｶﾞ q\u0307\u0323 q\u0323\u0307 \u1112\u1161\u11ab 𐐀𐐨 𝐀 Σίσυφος ΣΊΣΥΦΟΣ ß ı İ".split(),
}
CHARSETS = {
    "en": ["us-ascii", "utf-8", "iso-8859-1", "utf-7"], "de": ["iso-8859-1", "utf-8", "windows-1252"],
    "fr": ["iso-8859-15", "utf-8", "windows-1252"], "tr": ["iso-8859-9", "windows-1254", "utf-8"],
    "vi": ["utf-8"], "el": ["utf-8"], "ru": ["koi8-r", "windows-1251", "iso-8859-5", "utf-8"],
    "he": ["windows-1255", "iso-8859-8", "utf-8"], "ar": ["windows-1256", "utf-8"],
    "ja": ["iso-2022-jp", "shift_jis", "euc-jp", "utf-8"], "zh": ["gb18030", "big5", "gb2312", "utf-8"],
    "ko": ["euc-kr", "utf-8"], "th": ["tis-620", "utf-8"], "hi": ["utf-8"], "odd": ["utf-8"],
}
NAMES = ["Ann", "Bob Stone", "Jürgen Groß", "Ирина Петрова", "山田太郎", "O'Neil, Pat", "Zoë Ångström",
         "김철수", "Δημήτρης", "Mallory (sales)"]
HOSTS = ["example.test", "mail.example.test", "beispiel.test", "b\u00fccher.test".encode("idna").decode()]
TALK = ["<%d@talk.example.test>" % n for n in range(14)] + ['<"q 1"@talk.example.test>', '<"5"@talk.example.test>']
TOPICS = ["lunch", "Lunch", "plan B", "Grüße", "ΟΔΟΣ", "[draft] report", ""]
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def fits(text, charset):
    try:
        text.encode(charset)
        return True
    except UnicodeEncodeError:
        return False


def sentence(random, language, length):
    words = [random.choice(WORDS[language if random.random() < 0.8 else "en"]) for _ in range(length)]
    return " ".join(words)


def charset_for(random, language, text):
    return random.choice([c for c in CHARSETS[language] if fits(text, c)] or ["utf-8"])


def encoded_word(random, text, charset):
    data = text.encode(charset)
    if random.random() < 0.5:
        return "=?%s?%s?%s?=" % (charset, random.choice("Bb"), base64.b64encode(data).decode())
    quoted = "".join(chr(b) if chr(b).isalnum() and b < 128 else "_" if b == 32 else "=%02X" % b
                     for b in data)
    return "=?%s?%s?%s?=" % (charset, random.choice("Qq"), quoted)


def field_text(random, text, language):
    """The text as a header has it: plain, encoded in one word or several, or raw UTF-8."""
    if (text.isascii() and random.random() < 0.8) or len(text) < 2:
        return text
    if random.random() < 0.15:
        return text
    charset = charset_for(random, language, text)
    cuts = sorted(random.sample(range(1, len(text)), min(random.choice([0, 0, 1, 2]), len(text) - 1)))
    pieces = [text[a:b] for a, b in zip([0] + cuts, cuts + [len(text)])]
    return random.choice([" ", "\r\n ", "\r\n\t"]).join(encoded_word(random, p, charset) for p in pieces)


def address(random):
    box = random.choice(["ann", "bob", "info", "no-reply", "j.groß" if random.random() < 0.05 else "jg"])
    box += "@" + random.choice(HOSTS)
    if random.random() < 0.25:
        return box
    name = random.choice(NAMES)
    if not name.isascii():
        name = field_text(random, name, "odd")
    elif not name.replace(" ", "").isalnum():
        name = '"' + name + '"'
    return "%s <%s>" % (name, box)


def addresses(random):
    if random.random() < 0.08:
        return "undisclosed-recipients:;"
    if random.random() < 0.08:
        return "Team: " + ", ".join(address(random) for _ in range(2)) + ";"
    return random.choice([", ", ",\r\n "]).join(address(random) for _ in range(random.randint(1, 3)))


def date(random):
    zone = random.choice(["+0000", "-0800", "+0530", "+1300", "GMT", "-1100"])
    hour = random.choice([0, 0, 12, 23, 23])
    return "%s%d %s %d %02d:%02d:%02d %s" % (
        random.choice(["", "Mon, "]), random.choice([1, 2, 15, 28]), random.choice(MONTHS),
        random.choice([1994, 1999, 2024, 2026]), hour, random.choice([0, 30, 59]),
        random.choice([0, 59]), zone)


def encode_body(random, data):
    """(Content-Transfer-Encoding, bytes)"""
    seven = all(b < 128 and b != 0 for b in data) and max(map(len, data.split(b"\r\n"))) < 900
    encoding = random.choice(["base64", "quoted-printable", "7bit" if seven else "8bit"])
    if encoding == "base64":
        return encoding, base64.encodebytes(data).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return encoding, quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return encoding, data


def text_lines(random, language):
    return "\r\n".join(sentence(random, language, random.randint(1, 12))
                       for _ in range(random.randint(1, 6))) + "\r\n"


ENTITIES = {"é": "&eacute;", "ß": "&szlig;", "ü": "&uuml;", "Ä": "&Auml;", "½": "&frac12;"}


def escaped(random, character):
    """As HTML may have a character."""
    if character in "&<":
        return {"&": "&amp;", "<": "&lt;"}[character]
    if character.isascii() or random.random() < 0.7:
        return character
    return random.choice([ENTITIES.get(character, "&#%d;" % ord(character)), "&#x%x;" % ord(character)])


def html_of(random, text):
    lines = "".join(escaped(random, c) for c in text).split("\r\n")
    if random.random() < 0.5:
        lines = [re.sub(r"\b(\w)", r"<b>\1</b>", line) for line in lines]
    body = random.choice(["", "<!-- <p>secret</p> -->", "<script>var secret = 1 < 2;</script>"])
    body += "".join(random.choice(["<p>%s</p>\r\n", "%s<br>", "<a title='1 > 0'>%s</a> &#8211;&nbsp;"]) % line
                    for line in lines if line)
    return ("<html><head><title>%s</title><style>p { color: red }</style></head>\r\n"
            "<body class=\"letter\">%s</body></html>\r\n" % (random.choice(WORDS["en"]), body))


def text_part(random, language, subtype="plain"):
    text = text_lines(random, language)
    if subtype == "html":
        text = html_of(random, text)
    charset = charset_for(random, language, text)
    encoding, body = encode_body(random, text.encode(charset))
    head = "Content-Type: text/%s; charset=%s" % (subtype, random.choice([charset, '"%s"' % charset.upper()]))
    head += "\r\nContent-Transfer-Encoding: %s\r\n" % random.choice([encoding, encoding.upper()])
    if subtype == "plain" and random.random() < 0.2:
        head += "Content-Disposition: attachment; filename=%s.txt\r\n" % random.choice(WORDS["en"])
    return head.encode() + b"\r\n" + body


def continued(random, name):
    """A file name in pieces (RFC 2231 section 4.1), of which some may be encoded; never within a character."""
    cut = random.randint(1, len(name) - 1)
    charset = random.choice([c for c in ("utf-8", "koi8-r", "iso-8859-1", "iso-2022-jp") if fits(name, c)])
    pieces = [urllib.parse.quote(piece.encode(charset), safe="") for piece in (name[:cut], name[cut:])]
    return "filename*0*=%s'%s'%s;\r\n filename*1*=%s" % (charset, random.choice(["", "en"]), *pieces)


def binary_part(random):
    data = random.choice(WORDS["en"]).encode() + random.randbytes(random.randint(1, 300))
    name = random.choice(WORDS[random.choice(list(WORDS))])
    head = random.choice([
        'application/octet-stream; name="%s.bin"' % encoded_word(random, name, "utf-8"),
        "image/png\r\nContent-Disposition: attachment;\r\n filename*=utf-8''%s.png"
        % urllib.parse.quote(name), "application/pdf",
        "image/gif\r\nContent-Disposition: attachment;\r\n " + continued(random, name + ".gif"),
        'image/jpeg; name="%s"' % " ".join(encoded_word(random, n, "utf-8") for n in (name, "x", name[::-1]))])
    return (b"Content-Type: " + head.encode() + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(data).replace(b"\n", b"\r\n"))


def multipart(random, language, depth):
    boundary = "=_%08x" % random.getrandbits(32)
    subtype = random.choice(["mixed", "alternative"])
    if subtype == "alternative":
        parts = [text_part(random, language), text_part(random, language, "html")]
    else:
        parts = [part(random, language, depth + 1) for _ in range(random.randint(1, 3))]
    body = b"preamble nobody sees\r\n" if random.random() < 0.3 else b""
    for one in parts:
        body += b"--" + boundary.encode() + b"\r\n" + one + b"\r\n"
    body += b"--" + boundary.encode() + b"--\r\n"
    body += b"epilogue nobody sees\r\n" if random.random() < 0.3 else b""
    return b"Content-Type: multipart/%s; boundary=\"%s\"\r\n\r\n" % (
        subtype.encode(), boundary.encode()) + body


def part(random, language, depth=0):
    kind = random.random()
    if depth < 3 and kind < 0.3:
        return multipart(random, language, depth)
    if depth > 0 and kind < 0.45:
        return b"Content-Type: message/rfc822\r\n\r\n" + message(random, depth + 1)
    if depth > 0 and kind < 0.6:
        return binary_part(random)
    return text_part(random, language, "html" if kind > 0.85 else "plain")


def reply_marks(random, subject):
    """What mail programs put around subjects, RFC 5256 section 2.1; some only look so."""
    for _ in range(random.choice([0, 1, 1, 2, 3])):
        subject = random.choice(["Re: %s", "RE:%s", "Fwd: %s", "fw : %s", "[list] %s", "[a][b] %s", "Re [2]: %s",
                                 "%s (fwd)", "[Fwd: %s]", "Re:  [x]\t%s", "Aw: %s", "%s ", "[fwd:%s] [y]", "re[[%s",
                                 "[z]"]).replace("%s", subject)
    return subject


def talk_fields(random):
    """Of a message among others that answer one another, in good order or not."""
    fields, ids = [], random.sample(TALK, random.choice([1, 2, 3, 5]))
    if random.random() < 0.9:
        fields.append("Message-ID: " + random.choice(TALK))
    if random.random() < 0.6:
        fields.append("References: " + random.choice([" ", "", "\r\n ", " text "]).join(ids))
    if random.random() < 0.4:
        fields.append("In-Reply-To: " + random.choice(["", "Your message of Monday ", "<broken> "]) + random.choice(TALK))
    subject = reply_marks(random, random.choice(TOPICS))
    fields.append("Subject: " + field_text(random, subject, "odd") if subject else "Subject:")
    return fields


def message(random, depth=0):
    language = random.choice(list(WORDS))
    fields = []
    if random.random() < 0.95:
        fields.append("Date: " + date(random))
    if random.random() < 0.95:
        fields.append("From: " + address(random))
    for name in ("To", "Cc", "Bcc"):
        if random.random() < {"To": 0.9, "Cc": 0.3, "Bcc": 0.15}[name]:
            fields.append(name + ": " + addresses(random))
    talks = random.random() < 0.4
    if talks:
        fields += talk_fields(random)
    elif random.random() < 0.95:
        text = sentence(random, language, random.randint(1, 6))
        fields.append("Subject: " + field_text(random, text, language))
    for _ in range(random.choice([0, 0, 1, 2])):
        fields.append("X-Tag: " + field_text(random, sentence(random, language, 2), language))
    if random.random() < 0.2:
        fields.append("X-Empty:")
    if not talks:
        fields.append("Message-ID: <%08x@example.test>" % random.getrandbits(32))
    random.shuffle(fields)
    if random.random() < 0.08:
        return "\r\n".join(fields).encode() + b"\r\n\r\n" + text_lines(random, "en").encode()
    fields.append("MIME-Version: 1.0")
    return "\r\n".join(fields).encode() + b"\r\n" + part(random, language, depth)


def exceptions():
    """Samples that message/ and Python's email package see differently, on purpose."""
    lines = (SAMPLES / "exceptions.txt").read_text().splitlines()
    return {line.split(": ")[0] for line in lines if line and not line.startswith("#")}


def samples(left_out):
    """(name, bytes) of the messages in tests/data/mime, with CRLF line ends."""
    left_out = left_out | exceptions()
    for path in sorted(SAMPLES.rglob("*")):
        name = str(path.relative_to(SAMPLES))
        if path.is_file() and not NO_MESSAGE.search(name) and name not in left_out:
            data = re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
            if data and b"\0" not in data and len(data) < 20000:
                yield name, data
