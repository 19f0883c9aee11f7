"""Guessing passwords: who waits, who is banned, who never is; what an operator sees and does."""
import base64
import itertools
import socket

import pytest

from server import DOMAIN, PASSWORD, Server, wait_until

GUARDED = {"auth": {"plaintext": "yes", "wait_max": "100ms", "wait_after": 3, "ban_after": 8,
                    "exempt": "192.0.2.200"},
           "listen": {"proxy_hosts": "127.0.0.1"}}
numbers = itertools.count(1)


class Line:
    """A connection in clear text that a proxy says comes from `address`."""

    def __init__(self, server, name, address):
        self.socket = socket.create_connection(("127.0.0.1", server.ports[name]), timeout=30)
        self.file = self.socket.makefile("rwb")
        family, local = ("TCP6", "2001:db8::1") if ":" in address else ("TCP4", "192.0.2.1")
        self.send(f"PROXY {family} {address} {local} 40000 143")
        self.greeting = self.read()

    def send(self, line):
        self.file.write(line.encode() + b"\r\n")
        self.file.flush()

    def read(self):
        return self.file.readline().decode()

    def ask(self, line):
        self.send(line)
        return self.read()

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def login_imap(server, address, user, password):
    with Line(server, "imap", address) as line:
        return line.ask(f'a login {user} "{password}"').startswith("a OK")


def login_pop3(server, address, user, password):
    with Line(server, "pop3", address) as line:
        line.ask(f"USER {user}")
        return line.ask(f"PASS {password}").startswith("+OK")


def login_smtp(server, address, user, password):
    token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    with Line(server, "submission", address) as line:
        line.send("EHLO client")
        while line.read()[3:4] == "-":
            pass
        return line.ask(f"AUTH PLAIN {token}").startswith("235")


LOGINS = [login_imap, login_pop3, login_smtp]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("guard"), GUARDED) as server:
        yield server


class World:
    """A user of one test, and addresses that no other test has used."""

    def __init__(self, server):
        self.number = next(numbers)
        self.user = server.add_account(f"user{self.number}@{DOMAIN}")
        self.home = f"203.0.{self.number}.5"
        self.office = f"192.168.{self.number}.10"
        self.attacker = f"198.51.{self.number}.66"


@pytest.fixture
def guarded(running):
    running.world = World(running)
    return running


def bans(server):
    return {row["network"]: row["by"] for row in server.json("ban", "list")}


def is_refused(server, address):
    """On all three, with the protocol's own words."""
    words = []
    for name in ("imap", "pop3", "submission"):
        with Line(server, name, address) as line:
            words.append(line.greeting)
    refused = [words[0].startswith("* BYE [UNAVAILABLE]"), words[1].startswith("-ERR [SYS/TEMP]"),
               words[2].startswith("421 4.7.0")]
    welcome = [words[0].startswith("* OK"), words[1].startswith("+OK"), words[2].startswith("220 ")]
    cut = [word == "" for word in words]  # in the moment when the ban comes
    assert [sum(kinds) for kinds in zip(refused, welcome, cut)] == [1, 1, 1], words
    return all(refused)


def guess(server, address, count, user, first=0):
    """Different passwords, by turns over the three protocols."""
    for number in range(first, first + count):
        assert not LOGINS[number % 3](server, address, user, f"guess {number}")


def test_different_passwords_ban_an_address(guarded):
    guess(guarded, guarded.world.attacker, 7, guarded.world.user)
    assert not is_refused(guarded, guarded.world.attacker)
    guess(guarded, guarded.world.attacker, 1, guarded.world.user, first=7)
    wait_until(lambda: is_refused(guarded, guarded.world.attacker), "the ban in all three daemons")
    assert bans(guarded)[guarded.world.attacker] == "guard"
    with Line(guarded, "smtp", guarded.world.attacker) as line:
        assert line.greeting.startswith("220 ")  # mail for users comes from anywhere
    assert not is_refused(guarded, guarded.world.attacker[:-1] + "7")
    assert login_imap(guarded, guarded.world.home, guarded.world.user, PASSWORD)
    assert guarded.log().count(f'ban network="{guarded.world.attacker}"') == 1
    # It outlives a restart; and it can be taken back.
    guarded.stop()
    guarded.start()
    assert is_refused(guarded, guarded.world.attacker)
    guarded.run("ban", "remove", guarded.world.attacker)
    wait_until(lambda: not is_refused(guarded, guarded.world.attacker), "the end of the ban in all three")
    assert all(login(guarded, guarded.world.attacker, guarded.world.user, PASSWORD) for login in LOGINS)


def test_one_old_password_bans_nobody(guarded):
    for _ in range(10):
        for login in LOGINS:
            assert not login(guarded, guarded.world.home, guarded.world.user, "the one before")
    assert not is_refused(guarded, guarded.world.home)
    assert all(login(guarded, guarded.world.home, guarded.world.user, PASSWORD) for login in LOGINS)
    assert guarded.world.home not in bans(guarded)


def test_counts_survive_a_restart(guarded):
    guess(guarded, guarded.world.attacker, 7, guarded.world.user)
    guarded.stop()
    guarded.start()
    guess(guarded, guarded.world.attacker, 1, guarded.world.user, first=7)
    wait_until(lambda: is_refused(guarded, guarded.world.attacker), "the ban")


def test_a_right_password_gets_in_from_a_shared_address(guarded):
    """An office: somebody has logged in from it, so whatever else comes from there bans it not."""
    assert login_imap(guarded, guarded.world.office, guarded.world.user, PASSWORD)
    other = guarded.add_account(f"eve{guarded.world.number}@{DOMAIN}")
    guess(guarded, guarded.world.office, 20, f"nobody@{DOMAIN}")
    assert not is_refused(guarded, guarded.world.office)
    assert all(login(guarded, guarded.world.office, guarded.world.user, PASSWORD) for login in LOGINS)
    assert all(login(guarded, guarded.world.office, other, PASSWORD) for login in LOGINS)
    # Even against the one whose password is guessed there.
    guess(guarded, guarded.world.office, 12, guarded.world.user, first=100)
    assert all(login(guarded, guarded.world.office, guarded.world.user, PASSWORD) for login in LOGINS)
    assert guarded.world.office not in bans(guarded)


def test_an_attacked_account_stays_open(guarded):
    """By many addresses: they are banned one by one, and its user gets in from anywhere else."""
    for network in range(6):
        guess(guarded, f"10.{network}.0.1", 8, guarded.world.user, first=100 * network)
    wait_until(lambda: all(f"10.{network}.0.1" in bans(guarded) for network in range(6)), "bans")
    assert all(login(guarded, guarded.world.home, guarded.world.user, PASSWORD) for login in LOGINS)


def test_ipv6_counts_by_customer_and_network(guarded):
    for number in range(8):
        LOGINS[number % 3](guarded, f"2001:db8:1:2::{number + 1}", guarded.world.user, f"guess {number}")
    wait_until(lambda: is_refused(guarded, "2001:db8:1:2:aaaa::1"), "the ban of the /64")
    assert bans(guarded)["2001:db8:1:2::/64"] == "guard"
    for number in range(80):
        login_imap(guarded, f"2001:db8:7:{number + 1:x}::1", f"user{number}@{DOMAIN}", "summer")
    wait_until(lambda: is_refused(guarded, "2001:db8:7:ffff::1"), "the ban of the /48")
    assert bans(guarded)["2001:db8:7::/48"] == "guard"
    assert not is_refused(guarded, "2001:db8:8::1")


def test_exempt_addresses(guarded):
    guess(guarded, "192.0.2.200", 12, guarded.world.user)
    assert "192.0.2.200" not in bans(guarded)
    assert login_imap(guarded, "192.0.2.200", guarded.world.user, PASSWORD)


def test_scram_guesses(guarded):
    """No password is seen; but what fails as fast as this is no phone."""
    def proof():
        with Line(guarded, "imap", guarded.world.attacker) as line:
            first = base64.b64encode(f"n,,n={guarded.world.user},r=abcdef".encode()).decode()
            answer = line.ask(f"a authenticate SCRAM-SHA-256 {first}")
            if not answer.startswith("+ "):
                return answer
            server_first = base64.b64decode(answer[2:]).decode()
            nonce = server_first.split(",")[0]
            wrong = base64.b64encode(b"x" * 32).decode()
            return line.ask(base64.b64encode(f"c=biws,{nonce},p={wrong}".encode()).decode())

    assert proof().startswith("a NO [AUTHENTICATIONFAILED]")
    for _ in range(30):
        proof()
    wait_until(lambda: guarded.world.attacker in bans(guarded), "the ban")


def test_an_operator_bans(guarded):
    office = guarded.world.office
    network = office.rsplit(".", 1)[0] + ".0/24"
    with Line(guarded, "imap", office) as line:
        assert line.ask(f'a login {guarded.world.user} "{PASSWORD}"').startswith("a OK")
        guarded.run("ban", "add", network, "--for", "1h", "--reason", "a test")
        assert line.read() == ""  # it is cut
    wait_until(lambda: is_refused(guarded, office), "the ban")
    with Line(guarded, "smtp", office) as line:
        assert line.greeting.startswith("421 4.7.0")
    row, = [row for row in guarded.json("ban", "list") if row["network"] == network]
    assert (row["by"], row["reason"]) == ("operator", "a test")
    assert row["until"] - row["since"] == 3600000
    assert not is_refused(guarded, guarded.world.home)
    guarded.run("ban", "remove", network)
    wait_until(lambda: not is_refused(guarded, office), "its end")
    guarded.run("ban", "add", office, "--for", "1s")
    wait_until(lambda: office not in bans(guarded), "the end by itself")
    assert not is_refused(guarded, office)


@pytest.mark.parametrize("arguments, words", [
    (["add", "example.org"], "no address and no network"),
    (["add", "0.0.0.0/33"], "no address and no network"),
    (["add", "::/0"], "everybody"),
    (["add", "192.0.2.1", "--for", "soon"], "--for takes"),
    (["add", "192.0.2.1", "--for", "0s"], "--for takes"),
    (["add", "192.0.2.1", "--for", "99999999d"], "--for takes"),
    (["add"], "NETWORK"),
])
def test_wrong_bans(server, arguments, words):
    done = server.command("ban", *arguments)
    assert done.returncode == 2 and words in done.stderr


def test_no_ban_to_remove(server):
    done = server.command("ban", "remove", "192.0.2.77")
    assert done.returncode == 1 and "192.0.2.77" in done.stderr


def test_login_history(guarded):
    for _ in range(3):
        for login in LOGINS:
            assert login(guarded, guarded.world.home, guarded.world.user, PASSWORD)
    assert not login_pop3(guarded, guarded.world.attacker, guarded.world.user, "wrong")

    def rows():
        return {(row["protocol"], row["address"], row["result"]): row["count"]
                for row in guarded.json("account", "logins", guarded.world.user)}

    want = {("imap", guarded.world.home, "ok"): 3, ("pop3", guarded.world.home, "ok"): 3, ("smtp", guarded.world.home, "ok"): 3,
            ("pop3", guarded.world.attacker, "wrong password"): 1}
    wait_until(lambda: rows() == want, "all of them in the history")
    # The last ones before a stop are written, too.
    assert login_imap(guarded, guarded.world.home, guarded.world.user, PASSWORD)
    guarded.stop()
    want[("imap", guarded.world.home, "ok")] = 4
    assert rows() == want
    guarded.start()
    assert login_imap(guarded, guarded.world.home, guarded.world.user, PASSWORD)
    want[("imap", guarded.world.home, "ok")] = 5
    wait_until(lambda: rows() == want, "one row after the restart")
    # A flood of failures does not push out what went well.
    for number in range(60):
        login_imap(guarded, f"10.99.{number}.1", guarded.world.user, "wrong")
    wait_until(lambda: len(rows()) >= 53, "50 failures at most")
    assert all(key in rows() for key in want if key[2] == "ok")
    assert len(rows()) == 53
    assert "10.99.59.1" in guarded.run("account", "logins", guarded.world.user)
