/* main.c - `postane`, the operator's command: finds the subcommand and runs it.
 *
 * Reading order of this folder: tool.h, output.h, then the file of a subcommand's group; `serve` is
 * serve.c, sockets.c, supervisor.c.
 *
 * Changes go to the store directly, beside running daemons, which see them at once.
 */
#include "admin/commands.h"
#include "admin/selector.h"

#include "common/crypto.h"

#include <stdio.h>

static const struct command commands[] = {
    { "init", NULL, init_command,
      "[--domain NAME] [--hostname NAME] [--data DIR] [--user USER]\n"
      "                    [--certificate FILE --key FILE] [--force]",
      "write a configuration and create the data directory",
      "Writes to the file of -c (/etc/postane/postane.conf), which must not exist without\n"
      "--force. A data directory that is there already is kept as it is.\n"
      "  --domain NAME        take mail for it; makes its signing keys\n"
      "  --hostname NAME      this machine's name in the DNS, the MX of its domains\n"
      "  --data DIR           where all mail is kept (/var/lib/postane)\n"
      "  --user USER          the daemons run as this system user (postane); '': as who starts "
      "them\n"
      "  --certificate FILE, --key FILE   PEM files, which the user must be able to read" },
    { "serve", NULL, serve_command, "", "run the three daemons",
      "Opens the ports, as root if need be, becomes the service user, starts smtpd, imapd and\n"
      "pop3d and starts them again when they end. Prints one line when all are ready.\n"
      "SIGHUP reads certificates again, SIGTERM stops." },
    { "status", NULL, status_command, "[--json]", "show what the daemons are doing", NULL },
    { "check", NULL, check_command, "[--repair] [--hashes] [--json]",
      "look for damage in the store",
      "Exit code 3 when there is damage that was not repaired.\n"
      "  --repair   mend what can be mended\n"
      "  --hashes   read every message and compare its hash: slow" },
    { "recover", NULL, recover_command, "ADDRESS --to FOLDER | --into ADDRESS | --replace [--json]",
      "save the messages of an account whose mail.db is damaged",
      "Reads all that can be read, whatever is damaged, and changes nothing there.\n"
      "  --to FOLDER      write a Maildir++ into a new folder\n"
      "  --into ADDRESS   store them in another account\n"
      "  --replace        rename the damaged files, make a new store and put them in there" },
    { "config", "show", config_show_command, "[--json]", "print all settings, with help", NULL },

    { "domain", "add", domain_add_command, "DOMAIN", "take mail for a domain", NULL },
    { "domain", "list", domain_list_command, "[--json]", "list the domains", NULL },
    { "domain", "dns", domain_dns_command, "DOMAIN [--mta-sts MODE] [--json]",
      "print what to publish in the DNS",
      "Prints lines of a zone file, each with its reason, and the MTA-STS policy file.\n"
      "  --mta-sts MODE   testing (without this option), enforce or none: the policy's mode" },
    { "domain", "check", domain_check_command, "DOMAIN [--json]",
      "compare what is published with what should be",
      "Asks the DNS (settings in [dns]) and explains each difference. Exit code 3 when something\n"
      "is wrong; hints alone are not." },
    { "domain", "remove", domain_remove_command, "DOMAIN", "stop taking mail for a domain",
      "A domain that has accounts cannot be removed. Its aliases and signing keys go with it." },

    { "account", "add", account_add_command,
      "ADDRESS [--name NAME] [--bytes SIZE] [--messages N] [--mailboxes N] [--annotations SIZE]"
      " [--stdin] [--shared]",
      "add an account",
      "The password is asked for, or with --stdin read from standard input (one line). With\n"
      "--shared there is none: nobody logs in, and its mailboxes are under \"Shared/\" for those "
      "to\n"
      "whom `postane acl set` gives rights." },
    { "account", "list", account_list_command, "[DOMAIN] [--json]", "list the accounts", NULL },
    { "account", "show", account_show_command, "ADDRESS [--json]", "show one account", NULL },
    { "account", "passwd", account_passwd_command, "ADDRESS [--stdin]", "set the password",
      "The password is asked for, or with --stdin read from standard input (one line)." },
    { "account", "quota", account_quota_command,
      "ADDRESS [--bytes SIZE] [--messages N] [--mailboxes N] [--annotations SIZE]",
      "limit what an account may keep",
      "0 stands for the default, [limits] quota_bytes, quota_messages, quota_mailboxes and\n"
      "quota_annotations." },
    { "account", "disable", account_disable_command, "ADDRESS", "refuse its logins and its mail",
      NULL },
    { "account", "enable", account_enable_command, "ADDRESS", "take it back", NULL },
    { "account", "logins", account_logins_command, "ADDRESS [--json]",
      "show when and from where somebody has logged in, or tried to",
      "Logins that are alike (protocol, address, method, result) are one row with a count. Kept\n"
      "are the latest 100 of those that went well, and 50 of others, for [auth] login_history." },
    { "account", "remove", account_remove_command, "ADDRESS [--yes]",
      "remove an account and all its mail", NULL },

    { "app-password", "add", app_password_add_command,
      "ADDRESS NAME [--for PROTOCOLS] [--days N] [--json]",
      "make a password for one device or program",
      "Prints it, this once. NAME tells you which device it is: \"Alice's phone\".\n"
      "  --for PROTOCOLS   what it opens: of imap, pop3, smtp, with commas between (all)\n"
      "  --days N          it expires in N days" },
    { "app-password", "list", app_password_list_command, "ADDRESS [--json]",
      "list them, with their last use", "The last use is noted once an hour." },
    { "app-password", "revoke", app_password_revoke_command, "ADDRESS NAME",
      "take one back; its sessions end", NULL },

    { "totp", "enable", totp_enable_command, "ADDRESS", "ask for a code beside the main password",
      "Prints the key as an otpauth:// URI, for an authenticator (TOTP, RFC 6238). The password "
      "of\n"
      "the account is then the main one with the six digits behind it, each code for one login.\n"
      "Programs that log in by themselves need app passwords." },
    { "totp", "disable", totp_disable_command, "ADDRESS", "let the main password be enough",
      "Also when the authenticator is lost." },
    { "totp", "status", totp_status_command, "ADDRESS [--json]", "tell whether a code is needed",
      NULL },

    { "ban", "list", ban_list_command, "[--json]", "list the addresses that may not connect",
      "Those that the guard has banned for guessing passwords, and an operator's." },
    { "ban", "add", ban_add_command, "NETWORK [--for TIME] [--reason TEXT]",
      "let nobody connect from an address or network",
      "At once, in all daemons; connections that are open are cut. What the guard bans may still\n"
      "bring mail on port 25; what you ban may not.\n"
      "  --for TIME      for so long (90s, 30m, 12h, 7d); without it for ever" },
    { "ban", "remove", ban_remove_command, "NETWORK", "let them connect again",
      "The wrong passwords that led to a ban are forgotten." },

    { "alias", "add", alias_add_command, "ADDRESS TARGET...", "send mail for an address on",
      "Targets may be here or elsewhere. *@DOMAIN is the catch-all of a domain. Targets of an\n"
      "alias that is there already are added to it." },
    { "alias", "list", alias_list_command, "[--json]", "list the aliases", NULL },
    { "alias", "remove", alias_remove_command, "ADDRESS", "remove an alias", NULL },

    { "queue", "list", queue_list_command, SELECTOR_ARGUMENTS " [--limit N] [--json]",
      "list mail that waits for delivery",
      "Shows the oldest 200 messages; --limit N shows others, 0 all of them. What is "
      "selected:\n" SELECTOR_HELP },
    { "queue", "show", queue_show_command, "ID [--json]",
      "show one message: why it waits, and what other servers said", NULL },
    { "queue", "hold", queue_hold_command, "ID | --all | " SELECTOR_ARGUMENTS,
      "keep mail in the queue until it is released", SELECTOR_HELP },
    { "queue", "release", queue_release_command, "ID | --all | " SELECTOR_ARGUMENTS,
      "let held mail go on", SELECTOR_HELP },
    { "queue", "retry", queue_retry_command, "ID | --all | " SELECTOR_ARGUMENTS,
      "try to deliver now", "What is held stays so.\n" SELECTOR_HELP },
    { "queue", "remove", queue_remove_command, "ID | --all | " SELECTOR_ARGUMENTS " [--yes]",
      "drop mail from the queue; its sender is not told", SELECTOR_HELP },

    { "dkim", "list", dkim_list_command, "[DOMAIN] [--json]", "list the signing keys",
      "A key waits until it has been seen in the DNS, then it is active and signs. It is retired\n"
      "when a newer one has become active." },
    { "dkim", "dns", dkim_dns_command, "DOMAIN [--json]", "print the records of its signing keys",
      NULL },
    { "dkim", "rotate", dkim_rotate_command, "DOMAIN [--force]", "make new signing keys",
      "They sign once they have been published and seen in the DNS.\n"
      "  --force   even when keys wait already" },
    { "dkim", "remove", dkim_remove_command, "DOMAIN SELECTOR", "remove a signing key", NULL },

    { "dmarc", "report", dmarc_report_command, "ADDRESS [--mailbox NAME] [--days N] [--json]",
      "sum up the DMARC reports in a mailbox",
      "Reads the aggregate reports that other servers have sent to ADDRESS (the rua= of your\n"
      "DMARC record) and shows who sent mail in your name and what became of it; what failed\n"
      "both DKIM and SPF comes first.\n"
      "  --mailbox NAME   where they lie (INBOX)\n"
      "  --days N         those of the last N days (30)" },

    { "tls", "report", tls_report_command, "ADDRESS [--mailbox NAME] [--days N] [--json]",
      "sum up the TLS reports in a mailbox",
      "Reads what other servers have told of TLS to this one (the rua= of your TLSRPT record);\n"
      "failures come first. Options as for `dmarc report`." },

    { "search", "rebuild", search_rebuild_command, "[ACCOUNT] [--json]",
      "make the search indexes anew, of all accounts or one",
      "Searches work meanwhile, and find the same, but slowly. Rarely needed: imapd fills the\n"
      "indexes by itself, also after search.db was removed or damaged; `postane status` shows how\n"
      "far it is." },

    { "acl", "list", acl_list_command, "ADDRESS MAILBOX [--json]",
      "show who may do what in a mailbox", "The owner has all rights, and is not in the list." },
    { "acl", "set", acl_set_command, "ADDRESS MAILBOX WHO RIGHTS", "give rights on a mailbox",
      "WHO is an address here, or \"anyone\"; with \"!\" before it, the rights are taken from "
      "whoever\n"
      "has them. RIGHTS replace those given before:\n"
      "  l  sees it    r  reads it   s  \\Seen      w  other flags   i  puts messages in\n"
      "  k  makes mailboxes below    x  deletes it  t  \\Deleted      e  expunges\n"
      "  p  posts      a  changes these rights" },
    { "acl", "delete", acl_delete_command, "ADDRESS MAILBOX WHO", "take these rights back", NULL },

    { "mailbox", "list", mailbox_list_command, "ADDRESS [--json]",
      "list the mailboxes of an account", NULL },
    { "mailbox", "status", mailbox_status_command, "ADDRESS [MAILBOX] [--json]",
      "show one mailbox (INBOX)", NULL },
};

static void print_name(const struct command *command)
{
    printf("%s%s%s", command->group, command->verb != NULL ? " " : "",
           command->verb != NULL ? command->verb : "");
}

static void print_help(const struct command *command)
{
    printf("usage: postane [-c FILE] ");
    print_name(command);
    printf(" %s\n\n%s\n", command->arguments, command->summary);
    if (command->details != NULL)
        printf("\n%s\n", command->details);
}

/* All subcommands, or those of one group. */
static void print_overview(const char *group)
{
    printf("usage: postane [-c FILE] COMMAND [ARGUMENT]...\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const struct command *command = &commands[i];
        char name[40];

        if (group != NULL && strcmp(group, command->group) != 0)
            continue;
        snprintf(name, sizeof(name), "%s %s", command->group,
                 command->verb != NULL ? command->verb : "");
        printf("  %-20s %s\n", name, command->summary);
    }
    printf("\n`postane COMMAND --help` tells more. -c FILE or $POSTANE_CONFIG names the "
           "configuration,\n/etc/postane/postane.conf without.\n");
}

static bool is_group(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].group, word) == 0)
            return true;
    return false;
}

/* NULL when there is no such command. Takes its one or two words from the arguments. */
static const struct command *take_command(struct tool *tool)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const struct command *command = &commands[i];
        size_t n_words = command->verb != NULL ? 2 : 1;

        if (tool->n_args < n_words || strcmp(tool->args[0], command->group) != 0)
            continue;
        if (command->verb != NULL && strcmp(tool->args[1], command->verb) != 0)
            continue;
        tool->args += n_words;
        tool->n_args -= n_words;
        return command;
    }
    return NULL;
}

static enum outcome run_command(struct tool *tool, const struct command *command)
{
    enum outcome outcome;

    tool->json = tool_flag(tool, "--json");
    /* `init` writes the file that the others read. */
    if (!settings_load(command->run == init_command ? "/dev/null" : tool->config_path,
                       &tool->settings, &tool->err))
        outcome = OUTCOME_FAILED;
    else
        outcome = command->run(tool);
    if (outcome == OUTCOME_FAILED || outcome == OUTCOME_USAGE)
        fprintf(stderr, "postane: %s\n", tool->err.text);
    if (outcome == OUTCOME_USAGE) {
        fprintf(stderr, "`postane %s%s%s --help` tells more.\n", command->group,
                command->verb != NULL ? " " : "", command->verb != NULL ? command->verb : "");
    }
    return outcome;
}

static enum outcome no_such_command(struct tool *tool)
{
    if (!tool_has_argument(tool))
        fprintf(stderr, "postane: say what to do; `postane --help` lists all commands\n");
    else if (is_group(tool->args[0]) && tool->n_args > 1)
        fprintf(stderr, "postane: no such command: %s %s; `postane %s --help` lists all\n",
                tool->args[0], tool->args[1], tool->args[0]);
    else if (is_group(tool->args[0]))
        fprintf(stderr, "postane: `postane %s --help` lists what can be done with it\n",
                tool->args[0]);
    else
        fprintf(stderr, "postane: no such command: %s; `postane --help` lists all\n",
                tool->args[0]);
    return OUTCOME_USAGE;
}

static enum outcome run(struct tool *tool)
{
    bool help = tool_flag(tool, "--help") || tool_flag(tool, "-h");
    const struct command *command;

    if (tool_flag(tool, "--version")) {
        printf("postane " POSTANE_VERSION "\n");
        return OUTCOME_DONE;
    }
    if (!tool_option(tool, "-c", &tool->config_path) ||
        !tool_option(tool, "--config", &tool->config_path)) {
        fprintf(stderr, "postane: %s\n", tool->err.text);
        return OUTCOME_USAGE;
    }
    command = take_command(tool);
    if (help && command != NULL)
        print_help(command);
    else if (help)
        print_overview(tool_has_argument(tool) && is_group(tool->args[0]) ? tool->args[0] : NULL);
    else if (command == NULL)
        return no_such_command(tool);
    else
        return run_command(tool, command);
    return OUTCOME_DONE;
}

int main(int argc, char **argv)
{
    struct tool tool;
    enum outcome outcome;

    crypto_init();
    tool_init(&tool, argc, argv);
    outcome = run(&tool);
    tool_deinit(&tool);
    return (int)outcome;
}
