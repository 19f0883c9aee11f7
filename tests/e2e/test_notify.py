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
