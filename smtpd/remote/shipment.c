/* shipment.c - see shipment.h. */
#include "smtpd/remote/shipment.h"

#include "storage/names.h"

#include <stdio.h>
#include <stdlib.h>

/* The domain as the DNS knows it; a literal as it is; "" when the address has none. */
static void domain_of(struct slice address, char domain_out[SHIPMENT_NAME_SIZE])
{
    AUTO(arena_free) struct arena arena = { 0 };
    AUTO(buf_free) struct buf name = { 0 };
    struct path path;

    domain_out[0] = '\0';
    if (!path_parse_bare(&arena, address, &path) || path.domain.len == 0)
        return;
    if (path.domain.data[0] == '[')
        buf_add_slice(&name, path.domain);
    else if (!name_domain(path.domain, &name))
        return;
    if (name.len < SHIPMENT_NAME_SIZE)
        memcpy(domain_out, buf_text(&name), name.len + 1);
}

static struct slice sender_of(const struct letter *letter, const struct queue_recipient *to)
{
    return to->reverse_path.len > 0 ? to->reverse_path : letter->message.sender;
}

struct slice shipment_sender(const struct shipment *shipment)
{
    return sender_of(shipment->letter, shipment->errands[0].to);
}

static struct shipment *shipment_new(struct letter *letter, const char *domain, size_t room)
{
    struct shipment *shipment = mem_zero(sizeof(*shipment) + room * sizeof(shipment->errands[0]));

    shipment->letter = letter_share(letter);
    snprintf(shipment->domain, sizeof(shipment->domain), "%s", domain);
    return shipment;
}

static struct shipment *find(struct shipment *list, const char *domain, struct slice sender)
{
    while (list != NULL &&
           (strcmp(list->domain, domain) != 0 || list->n_errands == SHIPMENT_RECIPIENTS_MAX ||
            !slice_equal(shipment_sender(list), sender)))
        list = list->next;
    return list;
}

struct shipment *shipments_of(const struct queue_message *message)
{
    AUTO(letter_free) struct letter *letter = letter_from_queue(message);
    size_t left = letter->message.n_recipients;
    struct shipment *list = NULL;

    for (; left > 0; left--) {
        const struct queue_recipient *to =
            &letter->message.recipients[letter->message.n_recipients - left];
        char domain[SHIPMENT_NAME_SIZE];

        domain_of(to->address, domain);
        struct shipment *shipment = find(list, domain, sender_of(letter, to));
        if (shipment == NULL) {
            shipment = shipment_new(letter, domain, MIN(left, SHIPMENT_RECIPIENTS_MAX));
            shipment->next = list;
            list = shipment;
        }
        shipment->errands[shipment->n_errands++].to = to;
    }
    return list;
}

void shipment_free(struct shipment **shipment)
{
    struct shipment *old = TAKE(*shipment);

    if (old == NULL)
        return;
    letter_free(&old->letter);
    body_free(&old->body);
    free(old);
}

void errand_end(struct errand *errand, enum outcome outcome, const char *status, const char *text)
{
    errand->outcome = outcome;
    errand->answered = false;
    snprintf(errand->status, sizeof(errand->status), "%s", status);
    snprintf(errand->text, sizeof(errand->text), "%s", text);
}

void errand_end_by_answer(struct errand *errand, enum outcome outcome, const struct answer *answer)
{
    errand->outcome = outcome;
    errand->answered = true;
    answer_status(answer, errand->status);
    answer_print(answer, errand->text, sizeof(errand->text));
}

void shipment_end(struct shipment *shipment, enum outcome outcome, const char *status,
                  const char *text)
{
    for (size_t i = 0; i < shipment->n_errands; i++)
        if (shipment->errands[i].outcome == OUTCOME_OPEN)
            errand_end(&shipment->errands[i], outcome, status, text);
}

bool shipment_is_open(const struct shipment *shipment)
{
    for (size_t i = 0; i < shipment->n_errands; i++)
        if (shipment->errands[i].outcome == OUTCOME_OPEN)
            return true;
    return false;
}
