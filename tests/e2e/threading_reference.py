"""SORT and THREAD written once more, from RFC 5256 alone, to compare the server with.

Nothing here looks at how the server does it: threads are trees of objects, and every step of the
algorithm is done as the text says it.
"""
import re


def base_subject(subject):
    """(base, is it a reply or forwarded?), section 2.1; the subject is decoded."""
    text, reply = re.sub(r"[ \t\r\n]+", " ", subject), False
    blob = r"\[[^\[\]]*\][ \t]*"
    while True:
        while match := re.search(r"(\(fwd\)|[ \t])$", text, re.I):
            reply |= len(match[0]) > 1
            text = text[:match.start()]
        while True:
            if match := re.match(rf"(?:{blob})*(?:re|fwd?)[ \t]*(?:{blob})?:", text, re.I):
                text, reply = text[match.end():], True
            elif match := re.match(r"[ \t]+", text):
                text = text[match.end():]
            elif (match := re.match(blob, text)) and text[match.end():]:
                text = text[match.end():]
            else:
                break
        match = re.fullmatch(r"\[fwd:(.*)\]", text, re.I | re.S)
        if not match:
            return text, reply
        text, reply = match[1], True


class Node:
    def __init__(self, message=None):
        self.message, self.parent, self.children = message, None, []

    def is_below(self, other):
        node = self
        while node is not None and node is not other:
            node = node.parent
        return node is other

    def unlink(self):
        if self.parent:
            self.parent.children.remove(self)
        self.parent = None

    def hang_from(self, parent):
        self.unlink()
        self.parent = parent
        parent.children.append(self)

    def date(self):
        """Dummies, which have children, are sorted by the first of them."""
        return self.message.order() if self.message else min(c.date() for c in self.children)

    def first(self):
        return self if self.message else min(self.children, key=Node.date)


def link_all(messages):
    """Step 1. All nodes."""
    by_id, nodes = {}, []

    def node_of(id):
        if id not in by_id:
            by_id[id] = Node()
            nodes.append(by_id[id])
        return by_id[id]

    for message in messages:
        if message.id and node_of(message.id).message is None:
            this = by_id[message.id]
            this.message = message
        else:
            this = Node(message)
            nodes.append(this)
        previous = None
        for id in message.references:
            node = node_of(id)
            if previous and node.parent is None and not previous.is_below(node):
                node.hang_from(previous)
            previous = node
        this.unlink()
        if previous and not previous.is_below(this):
            this.hang_from(previous)
    return nodes


def pruned(nodes, at_root):
    """Step 3, of siblings."""
    result = []
    for node in nodes:
        node.children = pruned(node.children, False)
        for child in node.children:
            child.parent = node
        if node.message or (at_root and len(node.children) > 1):
            result.append(node)
        else:
            result += node.children
    return result


def gather(roots):
    """Step 5."""
    table = {}
    for root in roots:
        message = root.first().message
        known = table.get(message.subject)
        if not message.subject:
            continue
        if known is None or (known.message and (
                root.message is None or (known.message.reply and not root.message.reply))):
            table[message.subject] = root
    result = list(roots)
    for root in roots:
        subject = root.first().message.subject
        known = table.get(subject)
        if not subject or known is root or root not in result:
            continue
        if known.message is None and root.message is None:
            result.remove(root)
            for child in list(root.children):
                child.hang_from(known)
        elif known.message is None or (root.message.reply and not known.message.reply):
            result.remove(root)
            root.hang_from(known)
        else:
            dummy = Node()
            result.remove(root)
            result[result.index(known)] = dummy
            root.hang_from(dummy)
            known.hang_from(dummy)
            table[subject] = dummy
    return result


def shown(node):
    """A thread as in the answer, without the outer parentheses."""
    parts = [str(node.message.number)] if node.message else []
    children = sorted(node.children, key=Node.date)
    if len(children) == 1:
        return " ".join(parts + [shown(children[0])])
    if children:
        parts.append("".join(f"({shown(child)})" for child in children))
    return " ".join(parts)


def references(messages):
    roots = [node for node in link_all(messages) if node.parent is None]
    roots = pruned(roots, True)
    for root in roots:
        root.parent = None
    roots = gather(sorted(roots, key=Node.date))
    return "".join(f"({shown(root)})" for root in sorted(roots, key=Node.date))


def ordered_subject(messages):
    threads = {}
    for message in sorted(messages, key=lambda m: (m.subject, m.order())):
        threads.setdefault(message.subject, []).append(message)
    result = ""
    for first, *rest in sorted(threads.values(), key=lambda thread: thread[0].order()):
        numbers = [str(message.number) for message in rest]
        if len(numbers) > 1:
            numbers = ["".join(f"({number})" for number in numbers)]
        result += "(" + " ".join([str(first.number)] + numbers) + ")"
    return result
