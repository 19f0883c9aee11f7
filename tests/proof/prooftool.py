"""Drives build/tests/tools/prooftool: one process, a line there, a line of JSON back; and TAP."""
import base64
import json
import pathlib
import subprocess
import sys

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"


def b64(data):
    return base64.b64encode(data).decode()


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Tool:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"prooftool ended at: {words[0]}")
        return json.loads(line)

    @staticmethod
    def dns(records):
        """{name: [texts] or "!failed"} to words."""
        for name, texts in records.items():
            if isinstance(texts, str):
                yield f"{name}={texts}"
            else:
                yield from (f"{name}={b64(text.encode())}" for text in texts)

    def dkim(self, message, records, now=0):
        return self.ask("dkim", now, b64(message), *self.dns(records))

    def arc(self, message, records, now=0):
        return self.ask("arc", now, b64(message), *self.dns(records))

    def sign(self, key, domain, selector, message, now=0, expires=0):
        answer = self.ask("sign", b64(key), domain, selector, now, expires, b64(message))
        return answer["text"].encode()

    def seal(self, key, domain, selector, message, results, records, now=0):
        answer = self.ask("seal", b64(key), domain, selector, now, b64(message), b64(results),
                          *self.dns(records))
        return answer["text"].encode()

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise RuntimeError("prooftool failed at its end")


def read_exceptions(path):
    """{case: reason}; each line is "case: reason"."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split(": ", 1) for line in lines)


class Tap:
    """Counts cases. An exception is a case that does not behave as published, for a reason that
    is written down; one that does behave so is stale, and fails."""

    def __init__(self, exceptions):
        self.exceptions = exceptions
        self.seen = set()
        self.count = self.failed = 0

    def case(self, name, got, want):
        """`want`: a value, or a collection of acceptable ones."""
        good = got in want if isinstance(want, (set, tuple)) else got == want
        detail = "" if good else f" # got {got!r}, published: {want!r}"
        if name in self.exceptions:
            self.seen.add(name)
            good, detail = not good, f" # exception: {self.exceptions[name]}" if not good else \
                " # a stale exception: behaves as published"
        self.count += 1
        self.failed += not good
        print("ok" if good else "not ok", self.count, "-", name + detail)

    def end(self):
        for name in self.exceptions.keys() - self.seen:
            self.count += 1
            self.failed += 1
            print("not ok", self.count, "-", name, "# an exception for no case")
        print(f"1..{self.count}")
        sys.exit(1 if self.failed or not self.count else 0)
