#!/usr/bin/python3
"""Compares what message/ makes of real and broken mail with Python's email package.

  corpus_mime.py MIMEDUMP [FOLDER...]

Every message is read as it is and with CRLF line ends: the tree of types, the decoded content of
leaves, decoded header fields and important parameters must agree. Then the IMAP texts must parse,
and sections, octets and lines in BODYSTRUCTURE agree with the offsets that mime_find() gives.

Deviations that are meant are listed in tests/data/mime/exceptions.txt, one a line:

  MESSAGE: KIND: reason          KIND: tree, content, headers, params

A deviation that is not listed fails, and so does a listed one that is none.
Without folders: tests/data/mime, and ../shared/corpus where that exists.
"""
import base64, binascii, email, email.header, email.utils, json, os, re, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SAMPLES = os.path.join(ROOT, 'tests/data/mime')
NO_MESSAGE = re.compile(r'(LICENSE|COPYING|README|SOURCES|exceptions\.txt$|\.xml$|\.out$|\.json$|\.summary$'
                        r'|\.yml$|\.md$|INDEX|\.html$|\.txt\.txt$|_decoded_|\.bin$)')


def corpus(folders):
    for folder in folders:
        for directory, _, names in sorted(os.walk(folder)):
            for name in sorted(names):
                path = os.path.join(directory, name)
                if not NO_MESSAGE.search(name) and os.path.getsize(path) > 0:
                    yield os.path.relpath(path, folder), path


# --- the independent parser


def guess(data):
    try:
        return data.decode('utf-8')
    except UnicodeDecodeError:
        return data.decode('latin-1')


def to_text(data, charset):
    try:
        return data.decode(charset or 'unknown', 'replace')
    except (LookupError, UnicodeError):
        return guess(data)


def raw(text):
    return text.encode('utf-8', 'surrogateescape')


def decode_words(value):
    """Raw 8-bit text passes through Python's decoder of encoded words as one Latin-1 character a
    byte."""
    value = re.sub(r'\r?\n', '', value).strip(' \t\r\n')
    latin = raw(value).decode('latin-1')
    try:
        chunks = email.header.decode_header(latin)
    except (email.errors.HeaderParseError, binascii.Error):
        return guess(raw(value))
    text = ''
    for chunk, charset in chunks:
        if charset is None:
            text += guess(chunk.encode('latin-1') if isinstance(chunk, str) else chunk)
        elif charset.lower() in ('us-ascii', 'ascii'):
            text += guess(chunk)
        else:
            text += to_text(chunk, charset.split('*')[0])
    return text


def squeeze(text):
    return ' '.join(text.replace('\ufffd', '?').split())


def their_param(message, name, header):
    try:
        value = message.get_param(name, header=header)
    except (IndexError, ValueError):
        return ''
    if value is None:
        return ''
    if isinstance(value, tuple):
        return to_text(value[2].encode('latin-1', 'replace'), value[0] or 'us-ascii')
    return decode_words(value) if name != 'boundary' else value.rstrip()


def their_tree(message, default='text/plain'):
    encoding = str(message.get('Content-Transfer-Encoding', '')).strip().lower()
    kind = message.get_content_type()
    node = {'type': kind, 'parts': [], 'content': None,
            'headers': [(n, squeeze(decode_words(v))) for n, v in message._headers]}
    node['params'] = {'charset': their_param(message, 'charset', 'content-type'),
                      'name': their_param(message, 'name', 'content-type'),
                      'filename': their_param(message, 'filename', 'content-disposition')}
    payload = message.get_payload()
    if isinstance(payload, list) and message.get_content_maintype() == 'multipart':
        node['parts'] = [their_tree(part) for part in payload]
    elif kind in ('message/rfc822', 'message/global') and encoding not in ('base64', 'quoted-printable'):
        node['parts'] = [their_tree(part) for part in payload]
    elif not isinstance(payload, list):
        if message.get_content_maintype() == 'multipart':
            node['type'] = 'text/plain'
            node['params'].update(charset='', name='')
        node['content'] = their_content(message, encoding)
    return node


def their_content(message, encoding):
    content = message.get_payload(decode=True)
    return comparable(content, encoding)


def comparable(content, encoding):
    """Line ends as LF; blanks that end a quoted-printable line must go (RFC 2045 section 6.7), but
    stay with Python."""
    content = re.sub(rb'\r\n?', b'\n', content)
    if encoding == 'quoted-printable':
        content = re.sub(rb'[ \t]+(?=\n|$)', b'', content)
    return content


# --- ours


def our_tree(part):
    headers = [(n, squeeze(v)) for n, v in part['headers']]
    params = {n.lower(): v for n, v in reversed(part['params'])}
    disposition = {n.lower(): v for n, v in reversed(part['disposition_params'])}
    content = None
    if 'content' in part:
        content = comparable(base64.b64decode(part['content']), part['encoding'].lower())
    return {'type': (part['type'] + '/' + part['subtype']).lower(), 'content': content,
            'headers': headers, 'parts': [our_tree(p) for p in part['parts']],
            'params': {'charset': params.get('charset', ''), 'name': params.get('name', ''),
                       'filename': disposition.get('filename', '')}}


def shape(node):
    return node['type'] + ('(%s)' % ' '.join(shape(p) for p in node['parts']) if node['parts'] else '')


def compare(ours, theirs):
    """Yields (kind, what). Below a different shape nothing can be compared."""
    if shape(ours) != shape(theirs):
        yield 'tree', '%s\n    for %s' % (shape(ours), shape(theirs))
        return
    for a, b in zip(walk(ours), walk(theirs)):
        if a['headers'] != b['headers']:
            yield 'headers', difference(a['headers'], b['headers'])
        if b['content'] is not None and a['content'] != b['content']:
            yield 'content', difference([a['content']], [b['content']])
        for name in a['params']:
            if squeeze(a['params'][name]) != squeeze(b['params'][name]):
                yield 'params', '%s: %r for %r' % (name, a['params'][name], b['params'][name])


def walk(node):
    yield node
    for part in node['parts']:
        yield from walk(part)


def difference(ours, theirs):
    for a, b in zip(ours, theirs):
        if a != b:
            at = next((i for i in range(min(len(a), len(b))) if a[i] != b[i]), min(len(a), len(b)))
            if isinstance(a, tuple):
                return '%r\n    for %r' % (a, b)
            return '%r\n    for %r' % (a[max(at - 40, 0):at + 40], b[max(at - 40, 0):at + 40])
    return '%d fields for %d: %r' % (len(ours), len(theirs), (ours + theirs)[-1])


# --- IMAP texts


class ImapParser:
    """IMAP data as Python lists, by the strict grammar; raises ValueError on anything else."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def parse(self):
        value = self.value()
        if self.at != len(self.data):
            raise ValueError('more behind the end: %r' % self.data[self.at:])
        return value

    def value(self):
        if self.data[self.at:self.at + 1] == b'(':
            return self.list()
        for expression, convert in self.FORMS:
            match = re.compile(expression).match(self.data, self.at)
            if match:
                self.at = match.end()
                return convert(self, match)
        raise ValueError('unexpected %r' % self.data[self.at:self.at + 40])

    def list(self):
        self.at += 1
        items = []
        while self.data[self.at:self.at + 1] != b')':
            structures = items and isinstance(items[-1], list) and self.data[self.at:self.at + 1] == b'('
            if items and not structures:
                if self.data[self.at:self.at + 1] != b' ':
                    raise ValueError('no space at %r' % self.data[self.at:self.at + 40])
                self.at += 1
            items.append(self.value())
        self.at += 1
        if not items:
            raise ValueError('empty list')
        return items

    def literal(self, match):
        start, self.at = self.at, self.at + int(match.group(1))
        if self.at > len(self.data) or b'\0' in self.data[start:self.at]:
            raise ValueError('bad literal')
        return self.data[start:self.at]

    FORMS = [(rb'NIL(?=[ )])', lambda self, match: None),
             (rb'\d+(?=[ )])', lambda self, match: int(match.group(0))),
             (rb'"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*)"',
              lambda self, match: re.sub(rb'\\(.)', rb'\1', match.group(1))),
             (rb'\{(\d+)\}\r\n', literal)]


def text(value, what):
    if not isinstance(value, bytes):
        raise ValueError('%s is %r' % (what, value))


def ntext(value, what):
    if value is not None:
        text(value, what)


def check_envelope(envelope):
    if len(envelope) != 10:
        raise ValueError('envelope of %d' % len(envelope))
    for i in (0, 1, 8, 9):
        ntext(envelope[i], 'envelope field %d' % i)
    for addresses in envelope[2:8]:
        for address in addresses or []:
            if len(address) != 4:
                raise ValueError('address %r' % (address,))
            for item in address:
                ntext(item, 'address')
    if envelope[2] and not (envelope[3] and envelope[4]):
        raise ValueError('From without Sender or Reply-To')


def check_params(params):
    for item in params or []:
        text(item, 'parameter')
    if params is not None and len(params) % 2:
        raise ValueError('parameter without a value')


def check_extension(items):
    if items[0] is not None:
        text(items[0][0], 'disposition')
        check_params(items[0][1])
    for language in items[1] or []:
        text(language, 'language')
    ntext(items[2], 'location')
    if len(items) != 3:
        raise ValueError('%d items of extension data' % len(items))


def check_structure(body, extended, prefix=()):
    """Checks the grammar of body; yields (section, type, octets, lines) of each leaf."""
    if isinstance(body[0], list):
        yield from check_multipart(body, extended, prefix)
    else:
        yield from check_leaf(body, extended, prefix + (1,))


def check_part(body, extended, section):
    if isinstance(body[0], list):
        yield from check_multipart(body, extended, section)
    else:
        yield from check_leaf(body, extended, section)


def check_multipart(body, extended, prefix):
    parts = [b for b in body if isinstance(b, list)]
    parts = body[:next(i for i, b in enumerate(body) if not isinstance(b, list))]
    for number, part in enumerate(parts, 1):
        yield from check_part(part, extended, prefix + (number,))
    rest = body[len(parts):]
    text(rest[0], 'subtype')
    if extended:
        check_params(rest[1])
        check_extension(rest[2:])
    elif len(rest) != 1:
        raise ValueError('BODY with extension data')


def check_leaf(body, extended, section):
    kind = (body[0] + b'/' + body[1]).lower()
    check_params(body[2])
    ntext(body[3], 'id')
    ntext(body[4], 'description')
    text(body[5], 'encoding')
    rest, lines = body[7:], None
    if kind == b'message/rfc822' or kind == b'message/global':
        check_envelope(rest[0])
        yield from check_structure(rest[1], extended, section)
        rest = rest[2:]
    if kind.startswith(b'text/') or kind in (b'message/rfc822', b'message/global'):
        lines, rest = rest[0], rest[1:]
        int(lines)
    if extended:
        ntext(rest[0], 'md5')
        check_extension(rest[1:])
    elif rest:
        raise ValueError('BODY with extension data')
    yield '.'.join(map(str, section)), kind, int(body[6]), lines


def check_summary(summary, data):
    check_envelope(ImapParser(base64.b64decode(summary['envelope'])).parse())
    full = list(check_structure(ImapParser(base64.b64decode(summary['body_structure'])).parse(), True))
    if full != list(check_structure(ImapParser(base64.b64decode(summary['body'])).parse(), False)):
        raise ValueError('BODY is not BODYSTRUCTURE')
    found = {section: data[at:at + size] for section, at, size in summary['sections']}
    for section, kind, octets, lines in full:
        if section not in found:
            raise ValueError('section %s is not found' % section)
        if len(found[section]) != octets:
            raise ValueError('section %s: %d octets, said %d' % (section, len(found[section]), octets))
        if lines is not None and found[section].count(b'\n') != lines:
            raise ValueError('section %s: %d lines, said %d' % (section, found[section].count(b'\n'), lines))


# --- the run


def read_exceptions():
    exceptions = {}
    with open(os.path.join(SAMPLES, 'exceptions.txt'), encoding='utf-8') as file:
        for line in file:
            if line.strip() and not line.startswith('#'):
                name, kind, reason = line.split(': ', 2)
                if not reason.strip():
                    raise ValueError('no reason: ' + line)
                exceptions[name, kind] = False
    return exceptions


def dump(tool, paths, *options):
    """mimedump's answers for all files, in their order."""
    for start in range(0, len(paths), 100):
        run = subprocess.run([tool, *options, *paths[start:start + 100]], stdout=subprocess.PIPE, check=True)
        for line in run.stdout.splitlines():
            yield json.loads(line)


def variants(messages, folder):
    """(name, data, path) of each message as it is and with CRLF line ends."""
    for number, (name, path) in enumerate(messages):
        with open(path, 'rb') as file:
            data = file.read()
        canonical = re.sub(rb'\r\n|\r(?!\n)|\n', b'\r\n', data)
        copy = os.path.join(folder, str(number))
        with open(copy, 'wb') as file:
            file.write(canonical)
        yield name, data, path
        yield name, canonical, copy


class Results:
    def __init__(self, exceptions):
        self.exceptions, self.passed, self.failed = exceptions, 0, 0

    def check(self, name, deviations):
        bad = []
        for kind, what in deviations:
            if (name, kind) in self.exceptions:
                self.exceptions[name, kind] = True
            else:
                bad.append('%s: %s' % (kind, what))
        self.failed += bool(bad)
        self.passed += not bad
        for what in bad:
            print('not ok - %s: %s' % (name, what))

    def check_stale(self, names):
        for (name, kind), seen in self.exceptions.items():
            if not seen and name in names:
                self.check(name, [('exceptions', '%s does not deviate any more' % kind)])


def summary_faults(summary, data):
    try:
        check_summary(summary, data)
    except (ValueError, TypeError, IndexError, StopIteration, RuntimeError) as error:
        yield 'summary', '%s in %s' % (error, base64.b64decode(summary['body_structure'])[:300])


def main():
    tool, folders = sys.argv[1], sys.argv[2:]
    shared = os.path.join(os.path.dirname(ROOT), 'shared/corpus')
    folders = folders or [SAMPLES] + [f for f in [shared] if os.path.isdir(f)]
    messages = list(corpus(folders))
    results = Results(read_exceptions())
    with tempfile.TemporaryDirectory() as folder:
        all_variants = list(variants(messages, folder))
        paths = [path for _, _, path in all_variants]
        trees, summaries = dump(tool, paths), dump(tool, paths, '--summary')
        for (name, data, _), tree, summary in zip(all_variants, trees, summaries):
            theirs = their_tree(email.message_from_bytes(data))
            results.check(name, compare(our_tree(tree['root']), theirs))
            results.check(name, summary_faults(summary, data))
    results.check_stale({name for name, _ in messages})
    print('# %d messages, each in two forms' % len(messages))
    print('%d passed, %d failed' % (results.passed, results.failed))
    return 1 if results.failed or not results.passed else 0


if __name__ == '__main__':
    sys.exit(main())
