"""All dialogues of tests/wire, sent whole and, if they are short, byte by byte."""
import re

import pytest

from server import DOMAIN, PASSWORD, ROOT
from wire import Player, settings

FILES = sorted((ROOT / "tests/wire").glob("*.txt"))
# Thousands of repeated bytes are too many to send one by one.
ONLY_WHOLE = re.compile(r"^(WHOLE|C\| .* \* \d+)$", re.M)


@pytest.fixture
def play(server, account, make_server):
    def play_on(path, split):
        if not settings(path):
            Player(server, account, PASSWORD, split).play(path)
            return
        with make_server(settings(path)) as own:
            Player(own, own.add_account(f"user@{DOMAIN}"), PASSWORD, split).play(path)
    return play_on


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_whole(play, path):
    play(path, split=False)


@pytest.mark.parametrize("path", [path for path in FILES if not ONLY_WHOLE.search(path.read_text())],
                         ids=lambda path: path.stem)
def test_byte_by_byte(play, path):
    play(path, split=True)


def test_every_capability_has_a_dialogue(server, account):
    """A line "# Capabilities: ..." says what a dialogue is about."""
    with server.imap(account) as imap:
        told = imap.capability()[1][0].decode()
    told = re.sub(r"(LIMIT=)\d+", r"\1", told).split()
    lines = re.findall(r"^# Capabilities: (.*)", "\n".join(path.read_text() for path in FILES), re.M)
    assert set(told) <= set(" ".join(lines).split())
