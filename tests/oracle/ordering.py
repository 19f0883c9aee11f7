"""What SORT and THREAD mean, a second time: written from RFC 5256 and RFC 5957.

The steps are those of the RFC, one by one over a tree, however slow.
"""
import email.utils
import re

import reference

SUBJECT_BYTES, TEXT_BYTES = 2000, 255  # as much of a subject, of a folded text is compared


# --- section 2.1: the base subject

BLOB = r"(?:\[[^\[\]]*\][ \t]*)"
REFWD = rf"(?:(?:re|fwd?)[ \t]*{BLOB}?:)"
LEADER = re.compile(rf"{BLOB}*{REFWD}|[ \t]", re.I | re.A)
TRAILER = re.compile(r"(?:\(fwd\)|[ \t])\Z", re.I | re.A)
PREFIX = re.compile(BLOB)


def base_subject(subject):
    """(base, whether it tells a reply or a forwarded message)"""
    text, reply = re.sub(r"[ \t\r\n]+", " ", subject), False
    while True:
        while match := TRAILER.search(text):  # (2)
            text, reply = text[:match.start()], reply or match[0].strip() != ""
        while True:
            if match := LEADER.match(text):  # (3)
                text, reply = text[match.end():], reply or match[0].strip() != ""
            elif (match := PREFIX.match(text)) and text[match.end():]:  # (4)
                text = text[match.end():]
            else:
                break
        if not (text[:5].lower() == "[fwd:" and text.endswith("]")):  # (6)
            return text, reply
        text, reply = text[5:-1], True


# --- keys


def key_of(text):
    return reference.fold(text).encode("utf-8", "replace")[:TEXT_BYTES]


class Keys:
    def __init__(self, message):
        self.message = message
        value = (message.first("subject") or "").encode("utf-8", "surrogateescape")
        base, self.reply = base_subject(reference.header_text(value))
        self.subject = key_of(base)
        self.arrival, self.size = message.received, message.size
        self.date = self.sent() if self.sent() is not None else message.received
        for name in ("from", "to", "cc"):
            setattr(self, name, key_of(self.box(name)))
        self.displayfrom, self.displayto = key_of(self.display("from")), key_of(self.display("to"))
        self.id = next(iter(ids_in(message.first("message-id"))), None)
        self.references = ids_in(message.first("references")) or ids_in(message.first("in-reply-to"))[:1]

    def sent(self):
        """Section 2.2."""
        parsed = email.utils.parsedate_tz(self.message.first("date") or "")
        return parsed and email.utils.mktime_tz(parsed)

    def first_address(self, field):
        items = [i for n, v in self.message.parsed._headers if n.lower() == field
                 for i in reference.split_addresses(str(v))]
        if not items:
            return None
        item = items[0].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        name, _, box = item.rpartition("<")
        return name.strip(), box[:-1]

    def box(self, field):
        """addr-mailbox: without the host."""
        first = self.first_address(field)
        return first[1].rpartition("@")[0] if first else ""

    def display(self, field):
        """RFC 5957 section 3; a group has its name for a mailbox."""
        first = self.first_address(field)
        return (first[0] or (first[1][:-1] if first[1].endswith("@") else first[1])) if first else ""


def ids_in(value):
    """The msg-ids of a field, without quotes."""
    found = []
    for match in re.finditer(r"<((?:\"(?:\\.|[^\"\\])*\"|[^<>\s\"@])+)@([^<>\s\"@]+)>", re.sub(r"\r?\n", "", value or "")):
        local = re.sub(r"\"((?:\\.|[^\"\\])*)\"", lambda m: re.sub(r"\\(.)", r"\1", m[1]), match[1])
        if local:
            found.append(local + "@" + match[2])
    return found


def sort(messages, criteria):
    """`criteria`: ["SUBJECT", "REVERSE DATE", ...]"""
    found = list(messages)
    for criterion in reversed(criteria):  # a sort that is stable, by the last one first
        words = criterion.lower().split()
        values = {m: getattr(m.keys, words[-1]) for m in found}
        if words[0] == "reverse":  # equal ones stay in their order
            ranks = {value: rank for rank, value in enumerate(sorted(set(values.values()), reverse=True))}
            values = {m: ranks[value] for m, value in values.items()}
        found.sort(key=values.get)
    return found


# --- THREAD


class Node:
    def __init__(self, message=None):
        self.message, self.parent, self.children = message, None, []

    def take_out(self):
        if self.parent is not None:
            self.parent.children.remove(self)
        self.parent = None

    def put_below(self, parent):
        self.take_out()
        self.parent = parent
        parent.children.append(self)

    def is_below(self, other):
        node = self
        while node is not None and node is not other:
            node = node.parent
        return node is other

    @property
    def first(self):
        """A dummy is placed by its first child."""
        return self.message if self.message is not None else min(
            (c.message for c in self.children if c.message is not None), key=place)

    def text(self, number):
        """As a thread-list without its outer parentheses."""
        words = [str(number(self.message))] if self.message is not None else []
        if len(self.children) == 1:
            words.append(self.children[0].text(number))
        elif self.children:
            words.append("".join("(%s)" % child.text(number) for child in self.children))
        return " ".join(words)


def place(message):
    """Sent date, then number."""
    return message.keys.date, message.number


def ordered_subject(messages):
    root, subjects = Node(), {}
    for message in sorted(messages, key=place):
        node = Node(message)
        node.put_below(subjects.get(message.keys.subject, root))
        subjects.setdefault(message.keys.subject, node)
    return root


def linked(messages):
    """(1)"""
    nodes, everything = {}, []

    def node_of(name):
        if name not in nodes:
            nodes[name] = Node()
            everything.append(nodes[name])
        return nodes[name]

    for message in messages:
        keys = message.keys
        if keys.id is None or (keys.id in nodes and nodes[keys.id].message is not None):
            node = Node()
            everything.append(node)
        else:
            node = node_of(keys.id)
        node.message = message
        above = None
        for name in keys.references:
            one = node_of(name)
            if above is not None and one.parent is None and not above.is_below(one):
                one.put_below(above)
            above = one
        node.take_out()
        if above is not None and not above.is_below(node):
            node.put_below(above)
    return everything


def prune(root, node):
    """(3)"""
    for child in list(node.children):
        prune(root, child)
    if node.message is not None or node is root:
        return
    if not node.children:
        node.take_out()
    elif node.parent is not root or len(node.children) == 1:
        for child in list(node.children):
            child.put_below(node.parent)
        node.take_out()


def arrange(node):
    """(6), and (4) of the top alone"""
    for child in node.children:
        arrange(child)
    node.children.sort(key=lambda n: place(n.first))


def gather(root):
    """(5)"""
    table = {}
    for node in root.children:  # (B)
        subject = node.first.keys.subject
        known = table.get(subject)
        if subject and (known is None or (known.message is not None and (
                node.message is None or (known.message.keys.reply and not node.message.keys.reply)))):
            table[subject] = node
    for node in list(root.children):  # (C)
        subject = node.first.keys.subject
        known = table.get(subject)
        if not subject or known is node or node.parent is not root:
            continue
        if known.message is None and node.message is None:
            for child in list(node.children):
                child.put_below(known)
            node.take_out()
        elif known.message is None or (node.message is not None and node.message.keys.reply
                                       and not known.message.keys.reply):
            node.put_below(known)
        else:
            dummy = Node()
            dummy.put_below(root)
            known.put_below(dummy)
            node.put_below(dummy)
            table[subject] = dummy


def by_references(messages):
    root = Node()
    for node in linked(messages):
        if node.parent is None:
            node.put_below(root)  # (2)
    prune(root, root)
    arrange(root)
    gather(root)
    arrange(root)
    return root


def thread(messages, algorithm, number):
    root = {"ORDEREDSUBJECT": ordered_subject, "REFERENCES": by_references}[algorithm](messages)
    return "".join("(%s)" % node.text(number) for node in root.children)
