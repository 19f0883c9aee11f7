/* shipment.c - see shipment.h. */
#include "smtpd/remote/shipment.h"

#include <stdio.h>
#include <stdlib.h>

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

static bool is_due(const struct queue_recipient *to, int64_t now_ms)
{
    return to->account == 0 && to->state == QUEUE_WAITING && to->next_try_ms <= now_ms;
}

struct shipment *shipments_of_letter(struct letter *letter, int64_t now_ms)
{
    const struct queue_message *message = &letter->message;
    struct shipment *list = NULL;

    for (size_t i = 0; i < message->n_recipients; i++) {
        const struct queue_recipient *to = &message->recipients[i];
        char domain[SHIPMENT_NAME_SIZE];

        if (!is_due(to, now_ms))
            continue;
        queue_domain(to->address, domain);
        struct shipment *shipment = find(list, domain, sender_of(letter, to));
        if (shipment == NULL) {
            shipment = shipment_new(letter, domain,
                                    MIN(message->n_recipients - i, SHIPMENT_RECIPIENTS_MAX));
            shipment->next = list;
            list = shipment;
        }
        shipment->errands[shipment->n_errands++].to = to;
    }
    return list;
}

struct shipment *shipments_of(const struct queue_message *message, int64_t now_ms)
{
    AUTO(letter_free) struct letter *letter = letter_from_queue(message);

    return shipments_of_letter(letter, now_ms);
}

struct body *shipment_body(const struct shipment *shipment)
{
    return shipment->body != NULL ? shipment->body : shipment->letter->body;
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

void shipments_free(struct shipment **list)
{
    while (*list != NULL) {
        struct shipment *first = *list;

        *list = first->next;
        shipment_free(&first);
    }
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
    if (outcome == OUTCOME_DELIVERED)
        answer_status(answer, errand->status);
    else
        answer_refusal_status(answer, errand->status);
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
