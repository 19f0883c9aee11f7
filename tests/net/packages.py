"""Mail servers that Debian does not let be installed side by side: tests/prepare unpacks them into
build-peers/, and they run from there."""
import pathlib

from lab import ROOT

PEERS = ROOT / "build-peers"


def peer_root(name):
    root = PEERS / name
    if not root.exists():
        raise FileNotFoundError(f"{root} is not there: run tests/prepare")
    return root


def program(path):
    """One program of them, such as "postfix/usr/sbin/smtp-sink"."""
    name, _, rest = path.partition("/")
    return pathlib.Path(peer_root(name) / rest)
