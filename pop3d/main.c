/* main.c - pop3d: POP3 on ports 110 (STLS) and 995 (TLS).
 *
 * Its sockets come from `postane serve` or systemd (common/daemon.h). Reading order of this folder:
 * pop3.h, command.c, auth.c, maildrop.c, mail.c.
 */
#include "pop3d/pop3.h"
#include "storage/service.h"

int main(int argc, char **argv)
{
    struct pop3_service pop3;
    struct protocol protocol = pop3_protocol;
    const struct daemon_listener listeners[] = {
        { "pop3", &protocol, false },
        { "pop3s", &protocol, true },
    };
    struct service service;
    int code;

    if (!service_init(&service, "pop3d", "the POP3 server of Postane", argc, argv, &code))
        return code;
    pop3 = (struct pop3_service){
        .login = service.login,
        .tls_available = service.daemon.tls.certificate != NULL,
        .plaintext = service.settings.plaintext,
        .failure_delay_ms = service.settings.failure_delay,
        .failures_max = service.settings.failures,
        .expire_days = service.settings.pop3_expire,
    };
    protocol.context = &pop3;
    service.daemon.idle_ms = service.settings.idle_pop3;
    service.daemon.login_ms = service.settings.login_time;
    service.daemon.busy_reply = "-ERR [SYS/TEMP] Too many connections, try again later\r\n";
    service.daemon.banned_reply = "-ERR [SYS/TEMP] This address is banned\r\n";
    service.daemon.listeners = listeners;
    service.daemon.n_listeners = COUNT_OF(listeners);
    return service_run(&service);
}
