"""All dialogues of tests/wire, sent whole and, if they are short, byte by byte."""
import re

import pytest

from server import PASSWORD, ROOT
from wire import Player

FILES = sorted((ROOT / "tests/wire").glob("*.txt"))
# Thousands of repeated bytes are too many to send one by one.
ONLY_WHOLE = re.compile(r"^(WHOLE|C\| .* \* \d+)$", re.M)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_whole(server, account, path):
    Player(server, account, PASSWORD, split=False).play(path)


@pytest.mark.parametrize("path", [path for path in FILES if not ONLY_WHOLE.search(path.read_text())],
                         ids=lambda path: path.stem)
def test_byte_by_byte(server, account, path):
    Player(server, account, PASSWORD, split=True).play(path)
