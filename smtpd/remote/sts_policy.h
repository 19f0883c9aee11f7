/* sts_policy.h - reads what a domain publishes for MTA-STS (RFC 8461 section 3): a TXT record that
 * names a policy's version, and the policy, a small file of "key: value" lines.
 *
 * Pure; slices point into the input. Threads: any.
 */
#pragma once

#include "common/slice.h"

#define STS_POLICY_MAX 65536    /* bytes of the file */
#define STS_MX_MAX     64       /* patterns; more make the policy a bad one */
#define STS_ID_MAX     32       /* bytes of an id */
#define STS_AGE_MAX_S  31557600 /* about a year: section 3.2 */

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

struct sts_policy {
    enum sts_mode mode;
    uint64_t max_age_s;
    struct slice mx[STS_MX_MAX]; /* "mail.example.com" or "*.example.net" */
    size_t n_mx;
};

/* The id in one TXT record of "_mta-sts." + domain. False: it is another kind of record, or a
 * damaged one. Where several records have one, there is no policy (section 3.1). */
bool sts_record_parse(struct slice text, struct slice *id_out);

/* False: this is no policy that could be followed. */
bool sts_policy_parse(struct slice file, struct sts_policy *policy_out);

/* Whether a host may be sent to (section 4.1). A leading "*" stands for one label. */
bool sts_policy_names(const struct sts_policy *policy, struct slice host);

/* Whether an answer's media type is text/plain; parameters do not matter (section 3.2). */
bool sts_type_is_text(struct slice content_type);

const char *sts_mode_name(enum sts_mode mode);
