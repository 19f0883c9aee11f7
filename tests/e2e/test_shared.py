"""Mailboxes of others: an account of nobody's own, and several users in one mailbox at once."""
import random
import re
import threading

from server import DOMAIN, PASSWORD
from wire import Player


def session(server, account):
    player = Player(server, account, PASSWORD, split=False)
    for step in ("ON", "imaps tls"), ("S~", r"\* OK .*"), ("C:", 'a LOGIN {user} "{pass}"'), ("S*", "a OK .*"):
        player.step(*step)
    return player


def say(player, tag, command):
    """The lines of the answer; the last is the tagged one."""
    player.send(f"{tag} {command}\r\n".encode())
    lines = [player.line()]
    while not lines[-1].startswith(tag + " "):
        lines.append(player.line())
    return lines


def ok(player, tag, command):
    lines = say(player, tag, command)
    assert lines[-1].startswith(f"{tag} OK"), (command, lines)
    return lines


def test_account_of_nobodys_own(server, account, second_account):
    team = f"team-{account}"
    server.run("account", "add", "--shared", team)
    server.run("acl", "set", team, "INBOX", account, "lrswite")
    server.run("acl", "set", team, "INBOX", second_account, "lr")
    writer, reader = session(server, account), session(server, second_account)
    name = f'"Shared/{team}/INBOX"'
    assert f'* LIST (\\HasNoChildren) "/" {name}' in ok(reader, "b", 'LIST "" *')
    ok(writer, "b", f"APPEND {name} (\\Flagged kw) {{6+}}\r\nx: y\r\n")
    assert "READ-ONLY" in ok(reader, "c", f"SELECT {name}")[-1]
    assert say(reader, "d", "STORE 1 +FLAGS (\\Seen)")[-1].startswith("d NO [NOPERM]")
    ok(writer, "c", f"SELECT {name}")
    ok(writer, "d", "MOVE 1 INBOX")
    assert "* 1 EXPUNGE" in ok(reader, "e", "NOOP")
    server.run("acl", "delete", team, "INBOX", second_account)
    reader.send(b"f NOOP\r\n")
    assert reader.line().startswith("* BYE [NOPERM]")
    refused = session(server, second_account)
    assert say(refused, "b", f"SELECT {name}")[-1].startswith("b NO [NONEXISTENT]")
    player = Player(server, team, PASSWORD, split=False)
    player.step("ON", "imaps tls")
    player.line()
    assert say(player, "a", f'LOGIN {team} ""')[-1].startswith("a NO")


def test_several_at_once(server, account, second_account):
    """The owner and a guest move the same messages away, each into an account of their own."""
    owner, guest = session(server, account), session(server, second_account)
    for number in range(30):
        ok(owner, "b", f"APPEND INBOX {{{len(str(number)) + 5}+}}\r\nx: {number}\r\n")
    ok(owner, "b", f"SETACL INBOX {second_account} lrswite")
    ok(owner, "b", "SELECT INBOX")
    ok(guest, "b", f'SELECT "Other Users/{account}/INBOX"')

    def move(player, target):
        for uid in range(1, 31):
            lines = say(player, "m", f"UID MOVE {uid} {target}")
            assert re.match(r"m (OK|NO \[EXPUNGEISSUED\])", lines[-1]), lines

    threads = [threading.Thread(target=move, args=args) for args in ((owner, "Archive"), (guest, "INBOX"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subjects = []
    for player, target in (owner, "Archive"), (guest, "INBOX"):
        ok(player, "c", f"EXAMINE {target}")
        subjects += re.findall(r"x: \d+", "\n".join(say(player, "d", "FETCH 1:* BODY[HEADER.FIELDS (x)]")))
    # none is lost; one that both took in the same moment may be in both
    assert len(set(subjects)) == 30


def flags_of(player, name):
    """UID -> flags, as a fresh look tells them."""
    ok(player, "f", f"SELECT {name}")
    found = {}
    for line in ok(player, "g", "UID FETCH 1:* FLAGS"):
        match = re.match(r"\* \d+ FETCH \((?=.*\bUID (\d+)).*FLAGS \(([^)]*)\)", line)
        if match:
            found[int(match[1])] = set(match[2].split()) - {"\\Recent"}
    return found


def test_seen_of_ones_own(make_server):
    """[imap] shared_seen = private: IDLE tells a reader's own sessions, and nobody else, of it; after kill -9 it is
    still there, and who gets the address of a reader that is gone has seen nothing."""
    with make_server({"imap": {"shared_seen": "private"}}) as server:
        owner, reader = (server.add_account(f"{name}@{DOMAIN}") for name in ("owner", "reader"))
        a, b, c = session(server, owner), session(server, reader), session(server, reader)
        name = f'"Other Users/{owner}/INBOX"'
        for _ in range(3):
            ok(a, "b", "APPEND INBOX {6+}\r\nx: y\r\n")
        ok(a, "b", f"SETACL INBOX {reader} lrswi")
        ok(a, "b", "SELECT INBOX")
        for player in b, c:
            ok(player, "b", f"SELECT {name}")
        for player in a, c:
            player.send(b"i IDLE\r\n")
            assert player.line().startswith("+")
        ok(b, "c", "STORE 2 +FLAGS.SILENT (\\Seen)")
        assert c.line() == "* 2 FETCH (FLAGS (\\Seen))"
        ok(b, "c", "STORE 3 +FLAGS.SILENT (\\Flagged)")
        assert c.line() == "* 3 FETCH (FLAGS (\\Flagged))"
        assert a.line() == "* 3 FETCH (FLAGS (\\Flagged \\Recent))"  # the first that the owner hears
        server.kill("imapd")
        a, b = session(server, owner), session(server, reader)
        assert flags_of(b, name) == {1: set(), 2: {"\\Seen"}, 3: {"\\Flagged"}}
        assert flags_of(a, "INBOX") == {1: set(), 2: set(), 3: {"\\Flagged"}}
        assert server.json("check") is not None
        server.run("account", "remove", reader, "--yes")
        server.add_account(reader)
        ok(a, "b", f"SETACL INBOX {reader} lrswi")
        assert flags_of(session(server, reader), name) == {1: set(), 2: set(), 3: {"\\Flagged"}}


def test_everybodys_seen_at_once(make_server):
    """Three users, two sessions each, change \\Seen and other flags of the same messages; in the end each has their own
    \\Seen as they left it, and all have the same other flags."""
    with make_server({"imap": {"shared_seen": "private"}}) as server:
        users = [server.add_account(f"user{number}@{DOMAIN}") for number in range(3)]
        owner = session(server, users[0])
        for _ in range(40):
            ok(owner, "b", "APPEND INBOX {6+}\r\nx: y\r\n")
        ok(owner, "b", "SETACL INBOX anyone lrswite")
        names = ["INBOX"] + [f'"Other Users/{users[0]}/INBOX"'] * 2
        seen = [dict.fromkeys(range(1, 41), False) for _ in users]
        views = {}

        def work(user, half):
            choice = random.Random(user * 2 + half)
            player = session(server, users[user])
            ok(player, "b", "ENABLE QRESYNC")
            ok(player, "c", f"SELECT {names[user]}")
            for _ in range(60):
                uid = choice.randrange(1 + half * 20, 21 + half * 20)
                op = choice.choice("+-")
                flag = choice.choice(["\\Seen", "\\Seen", "\\Flagged"])
                ok(player, "d", f"UID STORE {uid} {op}FLAGS.SILENT ({flag})")
                if flag == "\\Seen":
                    seen[user][uid] = op == "+"
            views[user, half] = player

        threads = [threading.Thread(target=work, args=(user, half)) for user in range(3) for half in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        fresh = [flags_of(session(server, user), name) for user, name in zip(users, names)]
        for user, flags in enumerate(fresh):
            assert {uid: "\\Seen" in there for uid, there in flags.items()} == seen[user]
            assert {uid: there - {"\\Seen"} for uid, there in flags.items()} \
                == {uid: there - {"\\Seen"} for uid, there in fresh[0].items()}
            unseen = sum(not value for value in seen[user].values())
            status = ok(views[user, 0], "s", f"STATUS {names[user]} (UNSEEN)")
            assert any(f"(UNSEEN {unseen})" in line for line in status)
        # what the working sessions were told on the way comes to the same
        for (user, _), player in views.items():
            ok(player, "d", "NOOP")
            for uid in random.Random(7).sample(sorted(fresh[user]), 10):
                lines = ok(player, "e", f"UID SEARCH UID {uid} SEEN")
                assert (str(uid) in lines[-2].split()[2:]) == seen[user][uid]
