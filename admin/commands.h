/* commands.h - the handlers of all subcommands; the table is in main.c. */
#pragma once

#include "admin/tool.h"

enum outcome init_command(struct tool *tool);
enum outcome serve_command(struct tool *tool);
enum outcome status_command(struct tool *tool);
enum outcome check_command(struct tool *tool);
enum outcome recover_command(struct tool *tool);
enum outcome config_show_command(struct tool *tool);

enum outcome domain_add_command(struct tool *tool);
enum outcome domain_check_command(struct tool *tool);
enum outcome domain_dns_command(struct tool *tool);
enum outcome domain_list_command(struct tool *tool);
enum outcome domain_remove_command(struct tool *tool);

enum outcome account_add_command(struct tool *tool);
enum outcome account_list_command(struct tool *tool);
enum outcome account_show_command(struct tool *tool);
enum outcome account_passwd_command(struct tool *tool);
enum outcome account_quota_command(struct tool *tool);
enum outcome account_disable_command(struct tool *tool);
enum outcome account_enable_command(struct tool *tool);
enum outcome account_remove_command(struct tool *tool);
enum outcome account_logins_command(struct tool *tool); /* ban.c */

enum outcome app_password_add_command(struct tool *tool);
enum outcome app_password_list_command(struct tool *tool);
enum outcome app_password_revoke_command(struct tool *tool);

enum outcome totp_enable_command(struct tool *tool);
enum outcome totp_disable_command(struct tool *tool);
enum outcome totp_status_command(struct tool *tool);

enum outcome ban_list_command(struct tool *tool);
enum outcome ban_add_command(struct tool *tool);
enum outcome ban_remove_command(struct tool *tool);

enum outcome alias_add_command(struct tool *tool);
enum outcome alias_list_command(struct tool *tool);
enum outcome alias_remove_command(struct tool *tool);

enum outcome queue_list_command(struct tool *tool);
enum outcome queue_show_command(struct tool *tool);
enum outcome queue_hold_command(struct tool *tool);
enum outcome queue_release_command(struct tool *tool);
enum outcome queue_retry_command(struct tool *tool);
enum outcome queue_remove_command(struct tool *tool);

enum outcome dmarc_report_command(struct tool *tool);
enum outcome tls_report_command(struct tool *tool);

enum outcome dkim_list_command(struct tool *tool);
enum outcome dkim_rotate_command(struct tool *tool);
enum outcome dkim_remove_command(struct tool *tool);
enum outcome dkim_dns_command(struct tool *tool);

enum outcome search_rebuild_command(struct tool *tool);
enum outcome acl_list_command(struct tool *tool);
enum outcome acl_set_command(struct tool *tool);
enum outcome acl_delete_command(struct tool *tool);
enum outcome mailbox_list_command(struct tool *tool);
enum outcome mailbox_status_command(struct tool *tool);
