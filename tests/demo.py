"""Sends one message through submission and reads it over IMAP and POP3, as a person's client would.

Settings come from the environment that quickstart writes. Exit code 0 when all was as it should be.
"""
import email.message
import email.utils
import imaplib
import os
import poplib
import smtplib
import ssl
import sys
import time

HOST = os.environ["MAIL_HOST"]
TLS = ssl.create_default_context(cafile=os.environ["MAIL_CA"])
ALICE = os.environ["MAIL_USER"], os.environ["MAIL_PASS"]
BOB = os.environ["MAIL_USER2"], os.environ["MAIL_PASS2"]


def port(name):
    return int(os.environ[name + "_PORT"])


def send():
    """Alice writes to Bob; returns the subject, which nobody else has."""
    message = email.message.EmailMessage()
    message["From"] = f"Alice <{ALICE[0]}>"
    message["To"] = f"Bob <{BOB[0]}>"
    message["Subject"] = subject = f"Merhaba, it is {time.strftime('%H:%M:%S')} ({os.getpid()})"
    message["Date"] = email.utils.localtime()
    message.set_content("Postane says hello.\n.\nA line with a dot is above.\n")
    with smtplib.SMTP(HOST, port("SUBMISSION"), timeout=30) as smtp:
        smtp.starttls(context=TLS)
        smtp.login(*ALICE)
        smtp.send_message(message)
    print(f"Sent    {ALICE[0]} -> {BOB[0]}: {subject}")
    return subject


def read_imap(subject):
    deadline = time.monotonic() + 30
    with imaplib.IMAP4_SSL(HOST, port("IMAPS"), ssl_context=TLS, timeout=30) as imap:
        imap.login(*BOB)
        while time.monotonic() < deadline:
            imap.select("INBOX", readonly=True)
            _, found = imap.search(None, "SUBJECT", f'"{subject}"')
            if found[0]:
                break
            time.sleep(0.1)
        else:
            sys.exit("demo: the message did not arrive")
        _, parts = imap.fetch(found[0].split()[-1], "(BODY.PEEK[TEXT])")
    text = parts[0][1].decode()
    print(f"IMAP    {BOB[0]} reads: {text.splitlines()[0]}")
    return text


def read_pop3(subject):
    pop = poplib.POP3_SSL(HOST, port("POP3S"), context=TLS, timeout=30)
    pop.user(BOB[0])
    pop.pass_(BOB[1])
    count = pop.stat()[0]
    for number in range(count, 0, -1):
        lines = pop.retr(number)[1]
        if f"Subject: {subject}".encode() in lines:
            break
    else:
        sys.exit("demo: the message is not there over POP3")
    pop.quit()
    text = b"\r\n".join(lines[lines.index(b"") + 1:] + [b""]).decode()
    print(f"POP3    {BOB[0]} reads: {text.splitlines()[0]}")
    return text


def main():
    subject = send()
    over_imap, over_pop3 = read_imap(subject), read_pop3(subject)
    if over_imap != over_pop3 or "\r\n.\r\n" not in over_imap:
        sys.exit(f"demo: IMAP and POP3 differ: {over_imap!r} and {over_pop3!r}")


if __name__ == "__main__":
    main()
