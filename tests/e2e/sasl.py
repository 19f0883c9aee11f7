"""SASL clients as short as can be: messages as bytes, base64 left to the caller."""
import base64
import hashlib
import hmac
import os


def plain(user, password):
    return b"\0" + user.encode() + b"\0" + password.encode()


class Scram:
    """SCRAM-SHA-256 (RFC 5802, 7677) without channel binding."""

    def __init__(self, user, password):
        self.password = password.encode()
        self.first_bare = b"n=" + user.encode() + b",r=" + base64.b64encode(os.urandom(12))

    def first(self):
        return b"n,," + self.first_bare

    def final(self, server_first):
        fields = dict(part.split(b"=", 1) for part in server_first.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(fields[b"s"]),
                                     int(fields[b"i"]))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = b"c=biws,r=" + fields[b"r"]
        message = b",".join([self.first_bare, server_first, without_proof])
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        self.server_final = b"v=" + base64.b64encode(hmac.digest(server_key, message, "sha256"))
        return without_proof + b",p=" + base64.b64encode(proof)

    def answer(self, challenge):
        """For imaplib's and smtplib's authenticate: the next message."""
        if not challenge:
            return self.first()
        if challenge.startswith(b"r="):
            return self.final(challenge)
        assert challenge == self.server_final
        return b""
