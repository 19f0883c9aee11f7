"""What senders are told of their mail, and what an operator sees of the queue and does to it."""
import asyncio
import contextlib
import email
import json
import smtplib

import pytest

from server import DOMAIN, wait_until
from test_remote import World

SLOW = {"retry_first": "1h", "retry_last": "1h"}


@pytest.fixture
def make_world(make_server):
    with contextlib.ExitStack() as stack:
        yield lambda smtp=None: World(make_server, stack, smtp, None)


def blocks(report):
    """The fields of a report for programs: those of the message, then those of each recipient."""
    assert report.get_content_type() == "multipart/report"
    assert report["Auto-Submitted"] == "auto-replied" and report["Return-Path"] == "<>"
    return report.get_payload(1).get_payload()


def report_of(world, count=1):
    world.server.wait_for_mail(world.sender, count)
    texts = world.server.messages(world.sender)
    assert len(texts) == count
    return email.message_from_bytes(texts[-1])


def ids(world, *selection):
    return [row["id"] for row in world.server.json("queue", "list", *selection)]


def all_tried(world):
    wait_until(lambda: all(recipient["tries"] == 1 for row in world.queue()
                           for recipient in row["recipients"]), "all have been tried")


def test_one_report_for_several_domains(make_world):
    world = make_world({"report_wait": "1h"})
    one, two = world.peer("one.test"), world.peer("two.test")
    one.refusals["RCPT"] = ["550 5.1.1 no such a"]
    two.refusals["RCPT"] = ["550 5.2.2 b is full", "550 5.1.1 no such c"]
    world.send("a@one.test", "b@two.test", "c@two.test", "d@nowhere.test")
    report = report_of(world)
    message, *recipients = blocks(report)
    assert "Arrival-Date" in message and message["Reporting-MTA"] == "dns; mx.example.test"
    found = {block["Final-Recipient"]: block for block in recipients}
    assert len(found) == 4 and all(block["Action"] == "failed" for block in recipients)
    assert found["rfc822; a@one.test"]["Diagnostic-Code"] == "smtp; 550 5.1.1 no such a"
    assert found["rfc822; b@two.test"]["Status"] == "5.2.2"
    assert found["rfc822; b@two.test"]["Remote-MTA"].endswith(".two.test")
    assert "Remote-MTA" not in found["rfc822; d@nowhere.test"]
    words = report.get_payload(0).get_payload()
    assert "The mailbox is full." in words and "c@two.test" in words and "far" in words
    world.wait_for_empty_queue()


def test_delay_is_told_once_and_then_the_failure(make_world):
    world = make_world({"delay_warning": "1s", "retry_last": "1s"})
    world.peer("far.test").refusals["RCPT"] = ["451 4.7.1 later"] * 4 + ["550 5.7.1 no"]
    world.send("x@far.test", rcpt_options=["NOTIFY=DELAY,FAILURE", "ORCPT=rfc822;Ex@far.test"],
               mail_options=["ENVID=e+2B1"])
    message, recipient = blocks(report_of(world))
    assert message["Original-Envelope-Id"] == "e+1"
    assert recipient["Action"] == "delayed" and recipient["Status"] == "4.7.1"
    assert recipient["Original-Recipient"] == "rfc822; Ex@far.test"
    assert recipient["Will-Retry-Until"] and recipient["Last-Attempt-Date"]
    _, recipient = blocks(report_of(world, 2))
    assert recipient["Action"] == "failed" and recipient["Status"] == "5.7.1"
    world.wait_for_empty_queue()
    assert world.server.count(world.sender) == 2


def test_success_of_an_alias_is_its_expansion(make_world):
    world = make_world()
    peer = world.peer("far.test")
    other = world.server.add_account(f"other@{DOMAIN}")
    world.server.run("alias", "add", f"all@{DOMAIN}", other, "x@far.test")
    world.send(f"all@{DOMAIN}", rcpt_options=["NOTIFY=SUCCESS"])
    peer.only_letter()
    _, recipient = blocks(report_of(world))
    assert recipient["Action"] == "expanded"
    assert recipient["Final-Recipient"] == f"rfc822; all@{DOMAIN}"
    world.wait_for_empty_queue()
    assert world.server.count(world.sender) == 1


def test_show_tells_the_history(make_world):
    world = make_world(SLOW)
    peer = world.peer("far.test")
    peer.refusals["RCPT"] = ["451 4.7.1 come \x1b[31mback", "452 4.2.2 full"]
    world.send("x@far.test")
    world.wait_for_try(1)
    world.server.run("queue", "retry", "--destination", "far.test")
    recipient = world.wait_for_try(2)
    assert [made["status"] for made in recipient["history"]] == ["4.7.1", "4.2.2"]
    assert recipient["history"][1]["reply"] == "452 4.2.2 full"
    assert recipient["history"][1]["answered"] and "far.test" in recipient["history"][1]["host"]
    text = world.server.run("queue", "show", str(world.queue()[0]["id"]))
    assert "waits after 2 failed tries, next try 20" in text
    assert "said: 452 4.2.2 full" in text and "\x1b" not in text
    assert f"submitted by       {world.sender}" in text


def test_hold_and_release(make_world):
    world = make_world(SLOW)
    peer = world.peer("far.test")
    peer.refusals["RCPT"] = ["451 4.7.1 later"]
    world.send("x@far.test")
    world.wait_for_try(1)
    assert world.server.run("queue", "hold", "--account", world.sender).startswith("1 recipient ")
    assert ids(world, "--held") and "held by the operator" in \
        world.server.run("queue", "show", str(ids(world)[0]))
    world.server.run("queue", "retry", "--all")
    assert world.recipient()["state"] == "held" and peer.letters == []
    world.server.run("queue", "release", "--held")
    peer.only_letter()
    world.wait_for_empty_queue()


def test_selections(make_world):
    world = make_world(SLOW)
    for recipient in ("a@one.test", "b@two.test", "c@two.test"):
        world.dns.broken.add(recipient.split("@")[1])
        world.send(recipient)
    all_tried(world)
    first, second, third = ids(world)
    assert ids(world, "--destination", "TWO.test") == [second, third]
    assert ids(world, "--recipient", "b@two.test") == [second]
    assert ids(world, "--sender", world.sender, "--destination", "one.test") == [first]
    assert ids(world, "--destination", "three.test") == ids(world, "--held") == []
    limited = world.server.command("queue", "list", "--limit", "2", "--json")
    assert [row["id"] for row in json.loads(limited.stdout)] == [first, second]
    assert "3 messages for 3 recipients" in limited.stderr
    assert world.server.command("queue", "list", "--json").stderr == ""
    world.server.run("queue", "remove", "--destination", "two.test", "--yes")
    assert ids(world) == [first]
    assert world.server.count(world.sender) == 0


@pytest.mark.parametrize("arguments, complaint", [
    (["hold"], "say which"),
    (["retry", "x"], "no message number"),
    (["release", "77"], "no message 77"),
    (["remove", "--account", "nobody@nowhere.test", "--yes"], "nobody@nowhere.test"),
    (["list", "--destination", "a b"], "is no domain"),
    (["list", "--limit", "many"], "many"),
    (["hold", "--account"], "needs a value"),
])
def test_wrong_arguments(make_server, arguments, complaint):
    done = make_server().command("queue", *arguments)
    assert done.returncode in (1, 2) and complaint in done.stderr


def test_removed_while_it_is_being_sent(make_world):
    """The other server takes its time; the operator does not."""
    world = make_world()
    peer = world.peer("far.test")
    began = []

    async def handle_data(server, session, envelope):
        began.append(envelope)
        while not peer.may_answer:
            await asyncio.sleep(0.01)
        return "554 5.7.1 no"

    peer.may_answer = False
    peer.handle_DATA = handle_data
    world.send("x@far.test")
    wait_until(lambda: began, "the message is on its way")
    world.server.run("queue", "remove", str(ids(world)[0]), "--yes")
    peer.may_answer = True
    world.send(world.sender)
    world.server.wait_for_mail(world.sender)
    world.wait_for_empty_queue()
    assert world.server.count(world.sender) == 1


def test_limit_of_an_account_survives_a_restart(make_server):
    server = make_server({"limits": {"recipients_per_hour": 3}})
    sender = server.add_account(f"sender@{DOMAIN}")
    with server:
        with server.submission(sender) as smtp:
            refused = smtp.sendmail(sender, [f"{n}@far.test" for n in range(5)], "Subject: x\n\nx")
    assert len(refused) == 2
    assert all(code == 451 and b"3 recipients per hour" in text for code, text in refused.values())
    with server:
        with server.submission(sender) as smtp:
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                smtp.sendmail(sender, ["x@far.test"], "Subject: x\n\nx")
    lines = [line for line in server.log_path.read_text().splitlines() if " limit limit=" in line]
    assert len(lines) == 2 and "warn " in lines[0] and f'user="{sender}"' in lines[0]
    assert "recipients_per_hour" in lines[0]
