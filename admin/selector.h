/* selector.h - which part of the queue a command is about: its options, and an ID. */
#pragma once

#include "admin/tool.h"
#include "storage/queue_operate.h"

#define SELECTOR_ARGUMENTS                                                                         \
    "[--account ADDRESS] [--sender ADDRESS] [--destination DOMAIN]\n"                              \
    "                    [--recipient ADDRESS] [--held]"

#define SELECTOR_HELP                                                                              \
    "  --account ADDRESS       what this account of ours has sent\n"                               \
    "  --sender ADDRESS        what has this sender\n"                                             \
    "  --destination DOMAIN    recipients at this domain\n"                                        \
    "  --recipient ADDRESS     this recipient\n"                                                   \
    "  --held                  what is held\n"                                                     \
    "Several together select what all of them say."

struct selector {
    struct queue_filter filter;
    const char *account, *sender, *destination, *recipient; /* as given, or NULL */
    bool is_narrow;                                         /* something was said */
};

/* Takes the options. False when one lacks its value. */
bool selector_take(struct tool *tool, struct selector *selector) MUST_CHECK;

/* Takes the number of a message. */
bool selector_take_id(struct tool *tool, uint64_t *id_out) MUST_CHECK;

/* After tool_open(): finds the account. */
bool selector_resolve(struct tool *tool, struct selector *selector) MUST_CHECK;

/* Reads one message; false with a word on what may have become of it. */
bool selector_find(struct tool *tool, uint64_t id, struct queue_message *message_out) MUST_CHECK;
