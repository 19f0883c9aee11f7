"""What is checked in the lab, by groups; a check is a function of the net that fails by an exception."""
import checks_proof
import checks_tls
from lab import wait_until

PATIENCE = 20


def check_arrived(message):
    body = message.get_payload().replace("\r\n", "\n").rstrip("\n")
    assert body == "A line.\n.a line with a dot", repr(body)


def exchange(name, sender, receiver):
    """A check that a message comes from one to the other, whole."""
    def check(net):
        a, b = getattr(net, sender), getattr(net, receiver)
        subject = f"from {sender} to {receiver}"
        a.send(b.user, subject)
        check_arrived(b.wait_for(subject))
    check.__name__ = f"{name}_{sender}_to_{receiver}"
    return check


def mail_goes_with_tls(net):
    net.one.send(net.two.user, "with TLS")
    message = net.two.wait_for("with TLS")
    assert "mx.one.test" in message["Received"] and "TLS" in str(message.get_all("Received"))


def mail_unknown_user_bounces(net):
    net.one.send("nobody@three.test", "for nobody")
    message = wait_until(
        lambda: next((m for m in net.one.messages()
                      if m.get_content_type() == "multipart/report"), None),
        "the report came", PATIENCE)
    assert "nobody@three.test" in message.get_payload(1).as_string()


def mail_queues_are_empty(net):
    for domain in (net.one, net.two):
        wait_until(lambda: domain.queue() == [], f"the queue of {domain.domain} is empty")
    wait_until(lambda: net.three.postfix.queue_length() == 0, "Postfix's queue is empty")


GROUPS = {
    "mail": [exchange("mail", a, b) for a, b in (
        ("one", "two"), ("two", "one"), ("one", "three"), ("two", "three"), ("three", "one"),
        ("three", "two"))] + [mail_goes_with_tls, mail_unknown_user_bounces],
    "peers": [exchange("peers", a, b) for peer in ("four", "five", "six")
              for a, b in (("one", peer), (peer, "one"))],
    "proof": checks_proof.CHECKS,
    "tls": checks_tls.CHECKS,
    "end": [mail_queues_are_empty],
}
