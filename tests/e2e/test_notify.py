"""IDLE and NOTIFY where more than one account or connection matters; dialogues are in tests/wire."""
import os
import re
import signal

from server import PASSWORD
from wire import Player

MESSAGE = r"{17+}\r\nSubject: x\r\n\r\ny\r\n\r\n"


def session(server, account):
    player = Player(server, account, PASSWORD, split=False)
    for step in ("ON", "imaps tls"), ("S~", r"\* OK .*"), ("C:", 'a LOGIN {user} "{pass}"'), ("S*", "a OK .*"):
        player.step(*step)
    return player


def play(player, *steps):
    for keyword, text in steps:
        player.step(keyword, text)


def test_mailbox_of_another_account(server, account, second_account):
    """News of it come by notices of that account."""
    owner, guest = session(server, account), session(server, second_account)
    play(owner, ("C:", f"b SETACL INBOX {second_account} lrs"), ("S~", "b OK .*"))
    play(guest, ("C:", f'b SELECT "Other Users/{account}/INBOX"'), ("S*", "b OK .*"),
         ("C:", "c IDLE"), ("S~", r"\+ .*"))
    play(owner, ("C|", "c APPEND INBOX " + MESSAGE), ("S*", "c OK .*"))
    play(guest, ("S:", "* 1 EXISTS"), ("S~", r"\* \d RECENT"), ("C:", "DONE"), ("S~", "c OK .*"),
         ("C:", "d NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge))"), ("S~", "d OK .*"))
    play(owner, ("C|", "d APPEND INBOX " + MESSAGE), ("S*", "d OK .*"))
    play(guest, ("S:", "* 2 EXISTS"), ("S~", r"\* \d RECENT"), ("S:", "* 2 FETCH (UID 2)"))
    play(guest, ("C:", "e UNSELECT"), ("S~", "e OK .*"))
    play(owner, ("C|", "e APPEND INBOX " + MESSAGE), ("S*", "e OK .*"))
    play(guest, ("C:", "f NOOP"), ("S~", "f OK .*"))  # not any more
    for player in owner, guest:
        player.socket.close()


def test_coalesced(server, account):
    """Notices may come together: what is told grows, and ends with what is there."""
    writer, reader = session(server, account), session(server, account)
    play(reader, ("C:", "b NOTIFY SET (PERSONAL (MessageNew MessageExpunge FlagChange))"),
         ("S~", "b OK .*"))
    for number in range(20):
        play(writer, ("C|", f"c{number} APPEND INBOX " + MESSAGE), ("S*", f"c{number} OK .*"))
    told = 0
    while told < 20:
        match = re.fullmatch(r'\* STATUS "INBOX" \(MESSAGES (\d+) .*', reader.line())
        assert int(match[1]) > told
        told = int(match[1])
    for player in reader, writer:
        player.socket.close()


def test_lost_notices(server, account, second_account):
    """While imapd does not read, there is room for few notices; it finds out that some were lost."""
    waiting = session(server, account)
    play(waiting, ("C:", "b SELECT INBOX"), ("S*", "b OK .*"), ("C:", "c IDLE"), ("S~", r"\+ .*"))
    pid = server.pids()["imapd"]
    os.kill(pid, signal.SIGSTOP)
    try:
        for number in range(300):  # more than there is room for
            server.deliver(second_account, f"Subject: {number}\r\n\r\nx\r\n")
            if number % 50 == 0:
                server.wait_for_mail(second_account, number + 1)
            if list((server.data / "run/notice").glob("imapd.*.lost")):
                break
        server.deliver(account, "Subject: x\r\n\r\nx\r\n")
        server.wait_for_mail(account)
    finally:
        os.kill(pid, signal.SIGCONT)
    play(waiting, ("S:", "* 1 EXISTS"))
    waiting.socket.close()


def test_mailboxes_that_others_share(server, account, second_account):
    """RFC 5465 section 3.1, 5.4, 5.9: also those that are not selected, as far as their rights go."""
    owner, guest = session(server, account), session(server, second_account)
    for number, name in enumerate(["Team", "Team/Plans", "Team/Secret"]):
        play(owner, ("C:", f"b{number} CREATE {name}"), ("S~", f"b{number} OK .*"))
    play(owner, ("C:", f"c1 SETACL Team {second_account} lr"), ("S~", "c1 OK .*"),
         ("C:", f"c2 SETACL Team/Plans {second_account} l"), ("S~", "c2 OK .*"))
    team = re.escape(f'"Other Users/{account}/Team')
    play(guest, ("C:", 'b NOTIFY SET STATUS (subtree "Other Users" (MessageNew MessageExpunge FlagChange MailboxName))'),
         ("S~", rf'\* STATUS {team}" \(MESSAGES 0 UIDNEXT 1 UIDVALIDITY \d+ UNSEEN 0 HIGHESTMODSEQ \d+\)'),
         ("S~", rf'\* LIST \(\\NoAccess \\HasNoChildren\) "/" {team}/Plans"'), ("S~", "b OK .*"))
    play(owner, ("C|", "d APPEND Team/Plans " + MESSAGE), ("S*", "d OK .*"),
         ("C|", "e APPEND Team/Secret " + MESSAGE), ("S*", "e OK .*"),
         ("C|", "f APPEND Team " + MESSAGE), ("S*", "f OK .*"))
    play(guest, ("S~", rf'\* STATUS {team}" \(MESSAGES 1 UIDNEXT 2 UIDVALIDITY \d+ UNSEEN 1\)'))
    play(owner, ("C:", f"g SETACL Team/Plans {second_account} lr"), ("S~", "g OK .*"))  # may be read from here on
    play(guest, ("S~", rf'\* LIST \(\\HasNoChildren\) "/" {team}/Plans"'))
    play(owner, ("C|", "h APPEND Team/Plans " + MESSAGE), ("S*", "h OK .*"))
    play(guest, ("S~", rf'\* STATUS {team}/Plans" \(MESSAGES 2 .*'))
    play(owner, ("C:", "i RENAME Team/Plans Team/Old"), ("S~", "i OK .*"))
    play(guest, ("S~", rf'\* LIST \(\\HasNoChildren\) "/" {team}/Old" \("OLDNAME" \({team}/Plans"\)\)'))
    play(owner, ("C:", f"j DELETEACL Team/Old {second_account}"), ("S~", "j OK .*"))  # as if it was deleted
    play(guest, ("S~", rf'\* LIST \(\\NonExistent \\HasNoChildren\) "/" {team}/Old"'),
         ("S~", rf'\* LIST \(\\HasNoChildren\) "/" {team}"'))
    play(guest, ("C:", "c NOTIFY NONE"), ("S~", "c OK .*"))
    play(owner, ("C|", "k APPEND Team " + MESSAGE), ("S*", "k OK .*"))
    play(guest, ("C:", "d NOOP"), ("S~", "d OK .*"))
    for player in owner, guest:
        player.socket.close()


def test_items_of_new_matches(server, account):
    """RFC 5465 section 7: with UPDATE a client names items that it wants of new messages that match."""
    reader, writer = session(server, account), session(server, account)
    flagged = r"(\\Flagged) " + MESSAGE
    play(writer, ("C|", "b APPEND INBOX " + MESSAGE), ("S*", "b OK .*"))
    play(reader, ("C:", "b SELECT INBOX"), ("S*", "b OK .*"),
         ("C:", "u UID SEARCH RETURN (COUNT UPDATE (UID FLAGS)) FLAGGED"), ("S:", '* ESEARCH (TAG "u") UID COUNT 0'),
         ("S~", "u OK .*"),
         ("C:", "w UID SEARCH RETURN (UPDATE(RFC822.SIZE) COUNT) SUBJECT nothing"), ("S:", '* ESEARCH (TAG "w") UID COUNT 0'),
         ("S~", "w OK .*"), ("C:", "x UID SEARCH RETURN (UPDATE (NOTHING)) ALL"), ("S~", "x BAD .*"))
    play(writer, ("C|", "c APPEND INBOX " + MESSAGE), ("S*", "c OK .*"), ("C|", "d APPEND INBOX " + flagged), ("S*", "d OK .*"))
    play(reader, ("C:", "c NOOP"), ("S:", "* 3 EXISTS"), ("S~", r"\* \d RECENT"), ("S:", '* ESEARCH (TAG "u") UID ADDTO (0 3)'),
         ("S~", "c OK .*"), ("S~", r"\* 3 FETCH \(UID 3 FLAGS \(\\Flagged.*\)\)"),
         # one that matches because its flags change is not new, nor is what the client puts there itself
         ("C:", r"d STORE 2 +FLAGS.SILENT (\Flagged)"), ("S:", '* ESEARCH (TAG "u") UID ADDTO (0 2)'), ("S~", "d OK .*"),
         ("C|", "e APPEND INBOX " + flagged), ("S:", "* 4 EXISTS"), ("S~", r"\* \d RECENT"),
         ("S:", '* ESEARCH (TAG "u") UID ADDTO (0 4)'), ("S~", "e OK .*"),
         ("C:", "f NOTIFY SET (SELECTED (MessageNew (UID) MessageExpunge))"), ("S~", "f OK .*"))
    play(writer, ("C|", "e APPEND INBOX " + flagged), ("S*", "e OK .*"))
    play(reader, ("S:", "* 5 EXISTS"), ("S~", r"\* \d RECENT"), ("S:", '* ESEARCH (TAG "u") UID ADDTO (0 5)'),
         ("S:", "* 5 FETCH (UID 5)"), ("S~", r"\* 5 FETCH \(UID 5 FLAGS \(.*\)\)"))
    for player in reader, writer:
        player.socket.close()
