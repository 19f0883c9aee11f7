"""Mailboxes of others: an account of nobody's own, and several users in one mailbox at once."""
import re
import threading

from server import PASSWORD
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
