"""An IMAP client that believes what it is told, and complains of what may not be said.

Its model of the mailbox is built from responses alone: a list of messages by sequence number, whose
UIDs, flags and modseqs are None until the server has told them; with UIDONLY unknown UIDs are at the end.

Modes: "plain", "condstore", "qresync", "rev2" (with QRESYNC), "uidonly" (with QRESYNC), "notify" and
"delayed" (NOTIFY SET with SELECTED and SELECTED-DELAYED). Any of them may be compressed.

It keeps "$" and the results of searches with RETURN (UPDATE), too, as the responses say (RFC 5182, RFC 5267).
"""
import re
import socket
import zlib

PATIENCE = 60
MODES = ["plain", "condstore", "qresync", "rev2", "uidonly", "notify", "delayed"]
ENABLE = {"condstore": "CONDSTORE", "qresync": "QRESYNC", "rev2": "IMAP4rev2 QRESYNC",
          "uidonly": "UIDONLY QRESYNC"}
NUMBERED = ("FETCH ", "STORE ", "SEARCH ")  # no EXPUNGE with their answers, RFC 3501 section 7.4.1


def uid_set(text):
    found = set()
    for part in text.split(","):
        low, _, high = part.partition(":")
        found.update(range(int(low), int(high or low) + 1))
    return found


class Message:
    __slots__ = ("uid", "flags", "modseq")

    def __init__(self):
        self.uid = self.flags = self.modseq = None


class Deflated:
    """A stream of lines under COMPRESS."""

    def __init__(self, sock):
        self.socket, self.got = sock, b""
        self.inflate, self.deflate = zlib.decompressobj(-15), zlib.compressobj(wbits=-15)

    def more(self):
        data = self.socket.recv(65536)
        self.got += self.inflate.decompress(data)
        return data != b""

    def readline(self):
        while b"\n" not in self.got and self.more():
            pass
        line, end, self.got = self.got.partition(b"\n")
        return line + end

    def read(self, count):
        while len(self.got) < count and self.more():
            pass
        data, self.got = self.got[:count], self.got[count:]
        return data

    def sendall(self, data):
        self.socket.sendall(self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH))


class Context:
    """A result that the server keeps up to date: messages in their order."""

    def __init__(self, text, uid):
        self.text, self.uid, self.sorted, self.found = text, uid, "SORT" in text, None

    def update(self, client, text):
        for what, pairs in re.findall(r"(ADDTO|REMOVEFROM) \(([^)]*)\)", text):
            words = pairs.split()
            for position, numbers in zip(words[::2], words[1::2]):
                self.change(what, int(position), client.numbers(numbers, self.uid))

    def change(self, what, position, items):
        assert self.found is not None and (position > 0 or not self.sorted), f"{what} at {position}"
        for offset, item in enumerate(items):
            if what == "ADDTO":
                assert item not in self.found, f"ADDTO of {item}, which is there: {self.text}"
                self.found.insert(max(position - 1, 0) + offset, item)
            else:
                assert item in self.found, f"REMOVEFROM of {item}, which is not there: {self.text}"
                assert position in (0, self.found.index(item) + 1), f"REMOVEFROM {item} at {position}: {self.text}"
                self.found.remove(item)


class Client:
    def __init__(self, server, account, password, mode, compressed=False):
        self.login = server, account, password
        self.mode, self.compressed = mode, compressed
        self.uidonly = mode == "uidonly"
        self.qresync = mode in ("qresync", "rev2", "uidonly")
        self.condstore = self.qresync or mode == "condstore"
        self.last_tag, self.journal = 0, []
        self.messages = []
        self.uidvalidity, self.highest, self.searched = None, 0, []
        self.connect()

    def connect(self):
        server, account, password = self.login
        self.socket = server.tls.wrap_socket(
            socket.create_connection(("localhost", server.ports["imaps"]), PATIENCE), server_hostname="localhost")
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream, self.out = self.socket.makefile("rb"), self.socket
        self.open, self.idling = [], False  # commands not yet answered: (tag, text)
        self.selecting = self.selected = self.resync = self.leaving = False
        self.saved, self.contexts = None, {}  # "$" as UIDs, None: not known; by tag
        self.read()
        self.do(f'LOGIN {account} "{password}"')
        if self.mode in ENABLE:
            self.do("ENABLE " + ENABLE[self.mode])
        if self.compressed:
            self.do("COMPRESS DEFLATE")
            self.stream = self.out = Deflated(self.socket)

    def reconnect(self):
        """As after a broken line: what was known of the mailbox is kept."""
        self.socket.close()
        self.connect()

    # --- the wire ---

    def send(self, text, data=b""):
        self.last_tag += 1
        tag = f"t{self.last_tag}"
        self.open.append((tag, text))
        self.journal.append("C: " + text)
        if "(UPDATE" in text:
            self.contexts[tag] = Context(text, text.startswith("UID "))
        elif text.startswith("CANCELUPDATE"):
            del self.contexts[text.split('"')[1]]
        self.out.sendall(f"{tag} {text}".encode() + data + b"\r\n")

    def read(self):
        """One response: its text, with each literal's bytes taken out (they are no business here)."""
        text = b""
        while True:
            line = self.stream.readline()
            assert line.endswith(b"\r\n"), "the server hung up"
            text += line[:-2]
            literal = re.search(rb"\{(\d+)\}$", text)
            if not literal:
                break
            self.stream.read(int(literal[1]))
        text = text.decode()
        self.journal.append("S: " + text)
        return text

    def settle(self):
        """Reads until all commands are answered; returns the last answer."""
        answer = None
        while self.open:
            text = self.read()
            if text.startswith("* "):
                self.hear(text[2:])
            elif not text.startswith("+ "):
                answer = self.finish(text)
        return answer

    def finish(self, text):
        tag, _, answer = text.partition(" ")
        assert self.open and tag == self.open[0][0], f"answer to another command: {text}"
        assert not answer.startswith("BAD"), f"{self.open[0][1]}: {answer}"
        self.open.pop(0)
        self.code(answer)
        return answer

    def do(self, text, data=b""):
        assert not self.idling
        self.send(text, data)
        return self.settle()

    def idle(self):
        self.send("IDLE")
        while not (text := self.read()).startswith("+ "):
            self.hear(text[2:])
        self.idling = True

    def done(self):
        self.out.sendall(b"DONE\r\n")
        self.journal.append("C: DONE")
        self.idling = False
        self.settle()

    # --- the model ---

    def code(self, text):
        if match := re.search(r"\[HIGHESTMODSEQ (\d+)\]", text):
            self.highest = int(match[1])
        if match := re.search(r"\[UIDVALIDITY (\d+)\]", text):
            self.uidvalidity = int(match[1])

    def may_expunge(self):
        assert not self.open or not self.open[0][1].startswith(NUMBERED), "EXPUNGE where sequence numbers are used"
        if self.mode == "delayed":
            assert self.open, "EXPUNGE outside of a command"
        elif self.mode != "notify":
            assert self.open, "news while no command is in hand"

    def hear(self, text):
        unasked = self.mode in ("notify", "delayed") or any("UPDATE (" in c.text for c in self.contexts.values())
        assert self.open or unasked, f"nobody asked: {text}"
        if text.startswith(("OK ", "NO ", "BYE ")):
            assert not text.startswith("BYE"), text
            if "[CLOSED]" in text:  # RFC 7162 section 3.2.11: what comes from here on is of the new mailbox
                assert self.leaving
                self.leave()
            self.code(text)
        elif match := re.fullmatch(r"(\d+) EXISTS", text):
            self.exists(int(match[1]))
        elif match := re.fullmatch(r"(\d+) RECENT", text):
            assert self.mode not in ("rev2",) and (self.selecting or int(match[1]) <= len(self.messages)), text
        elif match := re.fullmatch(r"(\d+) EXPUNGE", text):
            self.expunge(int(match[1]))
        elif match := re.fullmatch(r"VANISHED (\(EARLIER\) )?([\d:,]+)", text):
            self.vanished(uid_set(match[2]), match[1] is not None)
        elif match := re.fullmatch(r"(\d+) (UID)?FETCH \((.*)\)", text):
            self.fetched(int(match[1]), match[2] is not None, match[3])
        elif match := re.match(r"(?:ESEARCH|SEARCH|SORT)(.*)", text):
            self.search(match[1])
        else:
            assert re.match(r"(FLAGS|CAPABILITY|ENABLED|LIST|STATUS) ", text), f"what is this? {text}"

    def exists(self, count):
        if self.selecting:
            self.told = count
            return
        assert count >= len(self.messages), f"EXISTS shrinks from {len(self.messages)} to {count}"
        self.messages += [Message() for _ in range(count - len(self.messages))]

    def expunge(self, number):
        self.may_expunge()
        assert not self.qresync and not self.selecting, "EXPUNGE in place of VANISHED"
        assert 1 <= number <= len(self.messages), f"EXPUNGE {number} of {len(self.messages)}"
        del self.messages[number - 1]

    def vanished(self, uids, earlier):
        assert self.qresync, "VANISHED, but who knows it?"
        if earlier:
            self.messages = [m for m in self.messages if m.uid not in uids] if self.selecting else self.messages
            return
        self.may_expunge()
        assert not self.selecting
        known = {m.uid for m in self.messages}
        self.messages = [m for m in self.messages if m.uid is None or m.uid not in uids]
        for uid in uids - known:  # one whose UID was never told, where it must be; those are alike
            later = [i for i, m in enumerate(self.messages) if m.uid is not None and m.uid > uid]
            at = (later[0] if later and not self.uidonly else len(self.messages)) - 1
            assert at >= 0 and self.messages[at].uid is None, f"VANISHED {uid}: not there"
            del self.messages[at]

    def find(self, number, by_uid, items):
        uid = number if by_uid else items.get("UID")
        if self.selecting and self.qresync:  # sequence numbers are those of the end
            assert uid is not None, "FETCH without UID for QRESYNC"
            for message in self.messages:
                if message.uid == uid:
                    return message
            self.messages.append(Message())
            self.messages[-1].uid = int(uid)
            self.messages.sort(key=lambda m: m.uid)
            return next(m for m in self.messages if m.uid == uid)
        if by_uid:
            found = [m for m in self.messages if m.uid == uid] or [m for m in self.messages if m.uid is None]
            assert found, f"UIDFETCH {uid}: there is no such message"
            found[0].uid = uid
            self.messages.sort(key=lambda m: m.uid or 2**32)
            return found[0]
        assert 1 <= number <= len(self.messages), f"FETCH {number} of {len(self.messages)}"
        return self.messages[number - 1]

    def fetched(self, number, by_uid, text):
        assert by_uid == self.uidonly, text
        items = {}
        if match := re.search(r"\bUID (\d+)", text):
            items["UID"] = int(match[1])
        if match := re.search(r"\bFLAGS \(([^)]*)\)", text):
            items["FLAGS"] = frozenset(match[1].split()) - {"\\Recent"}
        if match := re.search(r"\bMODSEQ \((\d+)\)", text):
            items["MODSEQ"] = int(match[1])
        assert self.mode != "plain" or "MODSEQ" not in items, "MODSEQ, but who asked?"
        message = self.find(number, by_uid, items)
        if by_uid:
            items["UID"] = number
        if "UID" in items:
            assert message.uid in (None, items["UID"]), f"UID {items['UID']} in place of {message.uid}"
            if message.uid is None:
                uids = [m.uid for m in self.messages if m.uid is not None]
                assert items["UID"] not in uids, f"UID {items['UID']} twice"
            message.uid = items["UID"]
        if "FLAGS" in items:
            message.flags = items["FLAGS"]
            assert not self.condstore or "MODSEQ" in items or self.asked_flags(), f"FLAGS without MODSEQ: {text}"
        elif "MODSEQ" in items:
            self.stored(message)
        if "MODSEQ" in items:
            assert message.modseq is None or message.modseq <= items["MODSEQ"], "MODSEQ goes back"
            message.modseq = items["MODSEQ"]
            self.highest = max(self.highest, items["MODSEQ"])

    def stored(self, message):
        """STORE with .SILENT did what was asked for."""
        match = re.search(r"STORE .*?([+-]?)FLAGS\.SILENT \((.*)\)", self.open[0][1] if self.open else "")
        if match and (message.flags is not None or not match[1]):
            named = frozenset(match[2].split())
            message.flags = (message.flags | named if match[1] == "+" else
                             message.flags - named if match[1] else named)

    def asked_flags(self):
        return bool(self.open) and "FETCH " in self.open[0][1]

    def numbers(self, text, uid):
        """Messages of a set: UIDs, or the messages with these numbers."""
        found = []
        for part in text.split(","):
            low, _, high = part.partition(":")
            found += range(int(low), int(high or low) + 1)
        if uid:
            return found
        assert all(1 <= number <= len(self.messages) for number in found), f"{text} of {len(self.messages)}"
        return [self.messages[number - 1] for number in found]

    def search(self, text):
        assert not self.selecting
        match = re.match(r' \(TAG "([^"]*)"\)( UID)?', text)
        uid = match[2] is not None if match else self.open[0][1].startswith("UID ")
        if match and re.search("ADDTO|REMOVEFROM", text):
            assert match[1] in self.contexts, f"an update of what? {text}"
            self.contexts[match[1]].update(self, text)
            return
        if match:
            assert self.open and self.open[0][0] == match[1], f"an answer to another command: {text}"
            everything = re.search(r" ALL ([\d:,]+)", text)
            found = self.numbers(everything[1], uid) if everything else []
        else:
            words = text.partition("(MODSEQ")[0].split()
            found = self.numbers(",".join(words), uid) if words else []
        self.searched = found
        if match and match[1] in self.contexts:
            self.contexts[match[1]].found = found
        if "SAVE" in self.open[0][1]:
            self.saved = {item if uid else item.uid for item in found}
            if None in self.saved:  # it has not been told of all UIDs
                self.saved = None

    # --- what a client does with it ---

    def select(self, mailbox, again=False):
        """`again`: with QRESYNC, on what is known; else all is fetched anew."""
        resync = again and self.qresync and self.uidvalidity is not None and self.highest > 0
        if self.mode in ("notify", "delayed") and not again:
            selector = "SELECTED" if self.mode == "notify" else "SELECTED-DELAYED"
            self.do(f"NOTIFY SET ({selector} (MessageNew (UID FLAGS) MessageExpunge FlagChange))")
        self.resync, self.leaving = resync, self.selected
        if not self.leaving:
            self.leave()
        self.send(f"SELECT {mailbox}" + (f" (QRESYNC ({self.uidvalidity} {self.highest}))" if resync else ""))
        self.settle_select()
        if resync:
            assert len(self.messages) == self.told, f"resynchronized {len(self.messages)} of {self.told}"
        else:
            self.messages = [Message() for _ in range(self.told)]
            self.learn()

    def leave(self):
        self.saved, self.contexts = set(), {}  # RFC 5182 section 2.1, RFC 5267 section 4.3
        if not self.resync:
            self.messages = []
        self.told, self.selecting, self.leaving, self.selected = 0, True, False, True

    def unselect(self):
        self.do("UNSELECT")
        self.selected, self.saved, self.contexts = False, None, {}

    def settle_select(self):
        while True:
            text = self.read()
            if text.startswith("* "):
                self.hear(text[2:])
                continue
            assert self.finish(text).startswith("OK"), text
            self.selecting = False
            return

    def learn(self):
        """Asks for what was not told of new messages."""
        items = "(UID FLAGS MODSEQ)" if self.condstore else "(UID FLAGS)"
        for _ in range(20):  # it may be told of more meanwhile
            unknown = [m for m in self.messages
                       if m.uid is None or m.flags is None or (self.condstore and m.modseq is None)]
            if not unknown:
                return
            # with UIDONLY there is no telling where they are
            before = [] if self.uidonly else self.messages[:self.messages.index(unknown[0])]
            if not self.uidonly and self.mode not in ("notify",) and len(unknown) == len(self.messages):
                self.do(f"FETCH 1:* {items}")
            else:
                self.do(f"UID FETCH {before[-1].uid + 1 if before else 1}:* {items}")
        raise AssertionError("never told of all messages")

    def view(self):
        return [(m.uid, m.flags, m.modseq if self.condstore else None) for m in self.messages]

    def close(self):
        self.socket.close()
