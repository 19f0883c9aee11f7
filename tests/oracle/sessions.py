"""Random commands from four sessions on one mailbox: every response is legal, all end alike."""
import itertools
import re
import random as random_module

from client import MODES, Client

CRITERIA = ["ALL", "UNSEEN", "DELETED", "NOT DELETED", "KEYWORD $Junk", "UNKEYWORD work", "SUBJECT 1", "LARGER 50",
            "OR FLAGGED ANSWERED", "FLAGGED SINCE 1-Jan-2020", "BODY xx", "MODSEQ 20"]
ORDERS = ["SUBJECT", "SIZE", "REVERSE SIZE", "REVERSE ARRIVAL SUBJECT", "REVERSE SUBJECT SIZE"]
FLAGS = ["\\Seen", "\\Deleted", "\\Flagged", "\\Answered", "$Junk", "$Forwarded", "work"]


def message(random):
    return b"Subject: %d\r\n\r\n%s\r\n" % (random.randrange(1000), b"x" * random.randrange(60))


class Sequence:
    """One mailbox, four sessions, `steps` turns in which some of them say something at once."""

    def __init__(self, world, seed):
        self.world, self.random = world, random_module.Random(seed)
        self.mailbox = f"m{seed}"
        self.modes = [(self.random.choice(MODES), self.random.random() < 0.3) for _ in range(4)]

    def pick(self, client):
        """A set of messages, by UID or by number; None when there are none that it can name."""
        random = self.random
        by_uid = client.mode in ("uidonly", "notify") or random.random() < 0.4
        if client.saved is not None and random.random() < 0.15:
            return "UID " if by_uid else "", "$"
        uids = [m.uid for m in client.messages if m.uid is not None]
        if by_uid:
            if not uids:
                return None
            chosen = random.sample(uids, min(len(uids), random.randint(1, 3)))
            if random.random() < 0.15:
                return "UID ", f"{min(chosen)}:*"
            return "UID ", ",".join(map(str, chosen))
        if not client.messages:
            return None
        low = random.randint(1, len(client.messages))
        return "", random.choice([f"{low}", f"{low}:{random.randint(1, len(client.messages))}", "1:*"])

    def flags(self):
        return " ".join(self.random.sample(FLAGS, self.random.randint(1, 2)))

    def store(self, client, uid, chosen):
        random = self.random
        unchanged = ""
        if client.condstore and random.random() < 0.4:
            known = [m.modseq for m in client.messages if m.modseq]
            unchanged = f"(UNCHANGEDSINCE {random.choice(known + [client.highest, 1])}) "
        silent = ".SILENT" if client.condstore and random.random() < 0.3 else ""
        return f"{uid}STORE {chosen} {unchanged}{random.choice(['', '+', '-'])}FLAGS{silent} ({self.flags()})"

    def fetch(self, client, uid, chosen):
        random = self.random
        items = random.choice(["(FLAGS)", "(BODY[])", "(UID FLAGS)", "(BODY.PEEK[] FLAGS)", "(ENVELOPE)"])
        if client.qresync and "UID" not in items:  # who is told VANISHED has to know whose flags it knows
            items = "(UID " + items[1:]
        if client.condstore and random.random() < 0.4:
            since = random.randint(1, max(1, client.highest))
            vanished = " VANISHED" if client.qresync and uid and random.random() < 0.5 else ""
            return f"{uid}FETCH {chosen} {items} (CHANGEDSINCE {since}{vanished})"
        return f"{uid}FETCH {chosen} {items}"

    def append(self, client):
        """APPEND of one or several (RFC 3502)."""
        random, text, data = self.random, f"APPEND {self.mailbox}", b""
        for _ in range(random.choice([1, 1, 2, 3])):
            one = message(random)
            flags = f" ({self.flags()})" if random.random() < 0.3 else ""
            data += f"{flags} {{{len(one)}+}}".encode() + b"\r\n" + one
        return text, data

    def replace(self, client):
        """RFC 8508, mostly into the same mailbox."""
        random, one = self.random, message(self.random)
        uids = [m.uid for m in client.messages if m.uid is not None]
        if not uids or not client.messages:
            return self.append(client)
        if client.mode in ("uidonly", "notify") or random.random() < 0.5:
            name = f"UID REPLACE {random.choice(uids)}"
        else:
            name = f"REPLACE {random.randint(1, len(client.messages))}"
        target = self.mailbox if random.random() < 0.8 else "other"
        return f"{name} {target} ({self.flags()}) {{{len(one)}+}}", b"\r\n" + one

    def search(self, client):
        """Plain, saved, or with updates from here on."""
        random = self.random
        prefix = "UID " if client.mode in ("uidonly", "notify") or random.random() < 0.4 else ""
        returns = random.choice(["", "", "RETURN (SAVE ALL) ", "RETURN (UPDATE ALL) ",
                                 "RETURN (UPDATE (UID FLAGS) ALL) "])
        criteria = random.choice(CRITERIA if client.condstore else CRITERIA[:-1])
        if "UPDATE" in returns and len(client.contexts) >= 10:
            return f'CANCELUPDATE "{random.choice(list(client.contexts))}"', b""
        if "UPDATE" in returns and client.qresync:  # VANISHED may be of one whose number it does not know
            prefix = "UID "
        if random.random() < 0.4 and "SAVE" not in returns:
            return f"{prefix}SORT {returns}({random.choice(ORDERS)}) UTF-8 {criteria}", b""
        return f"{prefix}SEARCH {returns}{criteria}", b""

    def command(self, client):
        """(text, data) of a random command, or a method's name."""
        random = self.random
        kind = random.choices(["append", "store", "fetch", "copy", "move", "expunge", "uid expunge", "search", "noop",
                               "check", "idle", "select", "reconnect", "status", "replace"],
                              [12, 24, 12, 5, 5, 7, 4, 14, 6, 2, 8, 3, 2, 2, 5])[0]
        chosen = self.pick(client)
        if kind == "append" or chosen is None:
            return self.append(client)
        uid, numbers = chosen
        if kind == "store":
            return self.store(client, uid, numbers), b""
        if kind == "fetch":
            return self.fetch(client, uid, numbers), b""
        if kind in ("copy", "move"):
            target = self.mailbox if random.random() < 0.5 else "other"
            return f"{uid}{kind.upper()} {numbers} {target}", b""
        if kind == "uid expunge":
            uids = [m.uid for m in client.messages if m.uid is not None]
            if client.saved is not None and random.random() < 0.2:
                return "UID EXPUNGE $", b""
            return (f"UID EXPUNGE {random.choice(uids)}:*" if uids else "EXPUNGE"), b""
        if kind in ("search", "replace"):
            return getattr(self, kind)(client)
        if kind == "status":
            return "STATUS other (MESSAGES)", b""
        return (kind if kind in ("idle", "select", "reconnect") else kind.upper()), b""

    def say(self, client):
        """Sends something; the answer is read later."""
        if client.idling:
            if self.random.random() < 0.6:
                client.done()
            return
        text, data = self.command(client)
        if text == "idle":
            client.idle()
        elif text in ("select", "reconnect"):
            if client.qresync:
                client.learn()
            if text == "reconnect":
                client.reconnect()
            client.select(self.mailbox, again=text == "select" or client.qresync)
        else:
            client.send(text, data)
            if self.random.random() < 0.2:  # behind it one that names nothing by number
                client.send(self.random.choice(["NOOP", "UID FETCH 1:* (FLAGS)"]))

    def play(self, steps):
        clients = [self.world.client(*mode, i) for i, mode in enumerate(self.modes)]
        self.clients = clients
        fresh = self.world.fresh()
        for client in [*clients, fresh]:
            client.journal.clear()
        fresh.do(f"CREATE {self.mailbox}")
        for _ in range(self.random.randint(0, 6)):
            data = message(self.random)
            fresh.do(f"APPEND {self.mailbox} ({self.flags()}) {{{len(data)}+}}", b"\r\n" + data)
        for client in clients:
            client.select(self.mailbox)
        for _ in range(steps):
            speaking = self.random.sample(clients, self.random.randint(1, 4))
            for client in speaking:
                self.say(client)
            self.random.shuffle(speaking)
            for client in speaking:
                if not client.idling:
                    client.settle()
        self.compare(clients, fresh)

    def compare(self, clients, fresh):
        for client in clients:
            if client.idling:
                client.done()
            client.do("NOOP")
        for client in clients:  # what the one before learned changes nothing
            client.learn()
        fresh.select(self.mailbox)
        wanted = fresh.view()
        for client in clients:
            theirs = wanted if client.condstore else [(uid, flags, None) for uid, flags, _ in wanted]
            differences = [pair for pair in itertools.zip_longest(client.view(), theirs) if pair[0] != pair[1]]
            assert not differences, f"{client.mode}, told and fresh: {differences[:5]}"
        for client in clients:
            self.compare_results(client, fresh)
        for client in [*clients, fresh]:
            client.unselect()
        fresh.do(f"DELETE {self.mailbox}")


    @staticmethod
    def compare_results(client, fresh):
        """What it was told of searches is what they find; "$" has lost nothing but what is gone."""
        for tag, context in client.contexts.items():
            found = [item if context.uid else item.uid for item in context.found]
            fresh.do("UID " + re.sub(r"UPDATE (\(UID FLAGS\) )?", "", context.text.removeprefix("UID ")))
            theirs = fresh.searched
            if not context.sorted:
                found, theirs = sorted(found), sorted(theirs)
            assert found == theirs, f"{client.mode}, {tag} {context.text}: told {found}, fresh {theirs}"
        if client.saved is not None:
            client.do("UID SEARCH RETURN (ALL) UID $")
            left = client.saved & {m.uid for m in client.messages}
            assert set(client.searched) == left, f"{client.mode}: $ has {client.searched} in place of {left}"


class World:
    def __init__(self, server, account, password):
        self.login = server, account, password
        self.clients = {}
        self.fresh_client = None
        self.fresh().do("CREATE other")

    def client(self, mode, compressed, number):
        """Sessions are kept: what ENABLE did lasts, and belongs to the mode."""
        key = mode, compressed, number
        if key not in self.clients:
            self.clients[key] = Client(*self.login, mode, compressed)
        return self.clients[key]

    def fresh(self):
        if self.fresh_client is None:
            self.fresh_client = Client(*self.login, "condstore")
        return self.fresh_client

    def run(self, seed, count, steps=30):
        for number in range(seed, seed + count):
            sequence = Sequence(self, number)
            try:
                sequence.play(steps)
            except AssertionError as error:
                journal = "\n\n".join(f"{client.mode}\n" + "\n".join(client.journal) for client in sequence.clients)
                raise AssertionError(f"{journal}\n\nsequence {number} ({', '.join(mode + ' compressed' * compressed for mode, compressed in sequence.modes)}): {error}") from None

    def close(self):
        for client in [*self.clients.values(), self.fresh_client]:
            client.close()
