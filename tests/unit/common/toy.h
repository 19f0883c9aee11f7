/* toy.h - a toy line protocol on a real server in a thread of its own, and a blocking client.
 *
 * The test thread is the client; it sees timeouts as failures, so a test cannot hang.
 */
#pragma once

#include "common/listener.h"
#include "common/session.h"

#include <pthread.h>
#include <uv.h>

/* cmocka wants these before itself. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>

struct toy_options {
    bool tls, tls_at_once; /* for main.example and *.other.example */
    uint64_t idle_ms, stall_ms;
    size_t input_max, max_sessions, max_per_address;
    const char *proxy_hosts;
};

struct toy {
    struct toy_options options;
    char folder[64]; /* with the certificate and its key */
    uv_loop_t loop;
    uv_async_t asked; /* the test thread wants something done on the loop thread */
    void (*ask)(struct toy *toy);
    uint64_t ask_key, ask_detail;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct net *net;
    struct tls *tls;
    struct pool *pool, *slow;
    struct server *server;
    struct listener *listener;
    uint16_t port;
    size_t sessions;           /* answer to toy_sessions() */
    atomic_int opened, closed; /* protocol->open() and close() calls */
    atomic_int desks;
    struct protocol protocol;
};

void toy_start(struct toy *toy, const struct toy_options *options);
void toy_end(struct toy *toy);  /* asks sessions to stop, waits for them */
void toy_stop(struct toy *toy); /* only asks */
void toy_notify(struct toy *toy, uint64_t key, uint64_t detail);
void toy_reload(struct toy *toy);
size_t toy_sessions(struct toy *toy);
void toy_make_certificate(const char *folder, const char *file, const char *host_name);

struct client {
    int fd;
    gnutls_session_t session; /* NULL in clear text */
    gnutls_certificate_credentials_t credentials;
};

void client_open(struct client *client, const struct toy *toy);
void client_close(struct client *client);
void client_send(struct client *client, const void *data, size_t len);
void client_say(struct client *client, const char *text);
void client_prepare_tls(struct client *client, const char *server_name);
void client_shake(struct client *client, const char *server_name); /* TLS from here on */
size_t client_read(struct client *client, void *data, size_t len); /* 0: end */
void client_expect(struct client *client, const char *text);       /* exactly these bytes next */
void client_expect_end(struct client *client);
