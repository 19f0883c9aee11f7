/* sts_fetch.c - see sts_fetch.h. */
#include "smtpd/remote/sts_fetch.h"

#include "common/mem.h"
#include "smtpd/remote/sts_policy.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define AT_ONCE         16
#define REST_MS         60000 /* with nothing to do; curl_multi_wakeup() ends it */
#define CONNECT_SECONDS 20L
#define WHOLE_SECONDS   60L /* section 3.3 */

struct sts_fetcher {
    struct sts_fetcher_options options;
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t lock;
    struct sts_fetch *waiting; /* under the lock */
    bool stopping;             /* ... too */
    struct sts_fetch *active;  /* the thread's own */
    size_t n_active;
};

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct sts_fetch *fetch = context;

    if (fetch->body.len + size * count > STS_POLICY_MAX)
        return 0; /* CURLE_WRITE_ERROR */
    buf_add(&fetch->body, bytes, size * count);
    return size * count;
}

static struct curl_slist *addresses_of(const struct sts_fetcher *fetcher,
                                       const struct sts_fetch *fetch)
{
    AUTO(buf_free) struct buf line = { 0 };

    buf_fmt(&line, "mta-sts.%s:%u:%s", fetch->domain, fetcher->options.port, fetch->addresses);
    return curl_slist_append(NULL, buf_text(&line));
}

static void set_url(const struct sts_fetcher *fetcher, const struct sts_fetch *fetch, CURL *easy)
{
    AUTO(buf_free) struct buf url = { 0 };

    buf_fmt(&url, "https://mta-sts.%s", fetch->domain);
    if (fetcher->options.port != 443)
        buf_fmt(&url, ":%u", fetcher->options.port);
    buf_add_text(&url, "/.well-known/mta-sts.txt");
    curl_easy_setopt(easy, CURLOPT_URL, buf_text(&url));
}

/* No proxy, no redirect, no other protocol: a policy comes from where its domain says. */
static void set_options(const struct sts_fetcher *fetcher, struct sts_fetch *fetch, CURL *easy)
{
    set_url(fetcher, fetch, easy);
    curl_easy_setopt(easy, CURLOPT_RESOLVE, fetch->addresses_list);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, WHOLE_SECONDS);
    curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, (long)STS_POLICY_MAX);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "Postane/" POSTANE_VERSION);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    if (fetcher->options.authorities[0] != '\0')
        curl_easy_setopt(easy, CURLOPT_CAINFO, fetcher->options.authorities);
}

static void begin(struct sts_fetcher *fetcher, struct sts_fetch *fetch)
{
    CURL *easy = curl_easy_init();

    if (easy == NULL)
        abort(); /* no memory */
    fetch->easy = easy;
    fetch->addresses_list = addresses_of(fetcher, fetch);
    set_options(fetcher, fetch, easy);
    fetch->next = fetcher->active;
    fetcher->active = fetch;
    fetcher->n_active++;
    if (curl_multi_add_handle(fetcher->multi, easy) != CURLM_OK)
        abort(); /* our own bug */
}

static void begin_waiting(struct sts_fetcher *fetcher)
{
    while (fetcher->n_active < AT_ONCE) {
        pthread_mutex_lock(&fetcher->lock);
        struct sts_fetch *fetch = fetcher->waiting;
        if (fetch != NULL)
            fetcher->waiting = fetch->next;
        pthread_mutex_unlock(&fetcher->lock);
        if (fetch == NULL)
            return;
        begin(fetcher, fetch);
    }
}

static void leave(struct sts_fetcher *fetcher, struct sts_fetch *fetch)
{
    struct sts_fetch **place = &fetcher->active;

    while (*place != fetch)
        place = &(*place)->next;
    *place = fetch->next;
    fetcher->n_active--;
    curl_multi_remove_handle(fetcher->multi, fetch->easy);
    curl_easy_cleanup(TAKE(fetch->easy));
    curl_slist_free_all(TAKE(fetch->addresses_list));
}

static void fail(struct sts_fetch *fetch, enum sts_fetched result, const char *reason)
{
    fetch->result = result;
    snprintf(fetch->reason, sizeof(fetch->reason), "%s", reason);
}

static void judge_answer(struct sts_fetch *fetch)
{
    const char *type = NULL;
    long status = 0;

    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(fetch->easy, CURLINFO_CONTENT_TYPE, &type);
    if (status != 200) {
        fail(fetch, STS_UNREACHABLE, "");
        snprintf(fetch->reason, sizeof(fetch->reason), "The server answers with status %ld",
                 status);
    } else if (type == NULL || !sts_type_is_text(slice_of(type))) {
        fail(fetch, STS_UNREACHABLE, "The policy's media type is not text/plain");
    } else {
        fetch->result = STS_FETCHED;
    }
}

static void judge(struct sts_fetch *fetch, CURLcode code)
{
    if (code == CURLE_OK)
        judge_answer(fetch);
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        fail(fetch, STS_UNTRUSTED, "The certificate of the policy's server is not good");
    else if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED)
        fail(fetch, STS_UNREACHABLE, "The policy is too long");
    else
        fail(fetch, STS_UNREACHABLE, curl_easy_strerror(code));
}

static void end_all_done(struct sts_fetcher *fetcher)
{
    struct CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        struct sts_fetch *fetch;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        judge(fetch, code);
        leave(fetcher, fetch);
        fetch->done(fetch);
    }
}

static bool is_stopping(struct sts_fetcher *fetcher)
{
    pthread_mutex_lock(&fetcher->lock);
    bool stopping = fetcher->stopping;
    pthread_mutex_unlock(&fetcher->lock);
    return stopping;
}

static void *run(void *context)
{
    struct sts_fetcher *fetcher = context;
    int n_running;

    while (!is_stopping(fetcher)) {
        begin_waiting(fetcher);
        curl_multi_perform(fetcher->multi, &n_running);
        end_all_done(fetcher);
        curl_multi_poll(fetcher->multi, NULL, 0, REST_MS, NULL);
    }
    while (fetcher->active != NULL)
        leave(fetcher, fetcher->active);
    return NULL;
}

struct sts_fetcher *sts_fetcher_new(const struct sts_fetcher_options *options)
{
    struct sts_fetcher *fetcher = NEW(struct sts_fetcher);

    fetcher->options = *options;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    fetcher->multi = curl_multi_init();
    pthread_mutex_init(&fetcher->lock, NULL);
    if (fetcher->multi == NULL || pthread_create(&fetcher->thread, NULL, run, fetcher) != 0)
        abort(); /* no memory, no threads at start */
    return fetcher;
}

void sts_fetcher_get(struct sts_fetcher *fetcher, struct sts_fetch *fetch)
{
    struct sts_fetch **place = &fetcher->waiting;

    fetch->next = NULL;
    pthread_mutex_lock(&fetcher->lock);
    while (*place != NULL)
        place = &(*place)->next;
    *place = fetch;
    pthread_mutex_unlock(&fetcher->lock);
    curl_multi_wakeup(fetcher->multi);
}

void sts_fetcher_free(struct sts_fetcher **fetcher_pointer)
{
    struct sts_fetcher *fetcher = TAKE(*fetcher_pointer);

    if (fetcher == NULL)
        return;
    pthread_mutex_lock(&fetcher->lock);
    fetcher->stopping = true;
    pthread_mutex_unlock(&fetcher->lock);
    curl_multi_wakeup(fetcher->multi);
    pthread_join(fetcher->thread, NULL);
    curl_multi_cleanup(fetcher->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&fetcher->lock);
    free(fetcher);
}
