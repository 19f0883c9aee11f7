/* trigram_block.c - see trigram_block.h. */
#include "message/trigram_block.h"

#include "common/mem.h"

#include <stdlib.h>

#define FIRSTS      256
#define ENTRY_MAX   (2 + sizeof(uint64_t))
#define TAG_SOME    64
#define TAG_MISSING 128
#define TAG_BITS    255
#define NUMBERS_MAX 7 /* more of them take as much as all bits */
#define DIGIT_BITS  12

static int count_of(uint64_t texts)
{
    return __builtin_popcountll(texts);
}

/* Reading. */

static bool take_bytes(struct slice *rest, void *to, size_t len)
{
    if (rest->len < len)
        return false;
    memcpy(to, rest->data, len);
    *rest = slice_from(*rest, len);
    return true;
}

static uint32_t end_of(const struct trigram_block *block, size_t rank)
{
    uint32_t end;

    memcpy(&end, block->ends.data + rank * sizeof(end), sizeof(end));
    return end;
}

static bool take_sections(struct slice *rest, struct trigram_block *block)
{
    size_t count = 0, at = 0;

    if (!take_bytes(rest, block->firsts, sizeof(block->firsts)))
        return false;
    for (size_t i = 0; i < COUNT_OF(block->firsts); i++)
        count += (size_t)count_of(block->firsts[i]);
    block->ends = slice_part(*rest, 0, count * sizeof(uint32_t));
    if (block->ends.len < count * sizeof(uint32_t))
        return false;
    *rest = slice_from(*rest, block->ends.len);
    for (size_t i = 0; i < count; i++) {
        if (end_of(block, i) < at)
            return false;
        at = end_of(block, i);
    }
    block->sections = slice_part(*rest, 0, at);
    *rest = slice_from(*rest, at);
    return block->sections.len == at;
}

static bool take_head(struct slice *rest, struct trigram_block *block)
{
    if (!take_bytes(rest, &block->listed, sizeof(block->listed)) ||
        !take_bytes(rest, &block->is_signed, sizeof(block->is_signed)) ||
        !take_bytes(rest, &block->no_pairs, sizeof(block->no_pairs)) ||
        !take_bytes(rest, &block->no_bytes, sizeof(block->no_bytes)))
        return false;
    for (uint64_t texts = block->listed | block->is_signed; texts != 0;)
        if (!take_bytes(rest, &block->sizes[block_take_number(&texts)], sizeof(block->sizes[0])))
            return false;
    return true;
}

static bool read_all(struct slice rest, struct trigram_block *block)
{
    struct slice lengths;
    uint64_t texts;
    uint16_t words;

    if (!take_head(&rest, block))
        return false;
    lengths = slice_part(rest, 0, (size_t)count_of(block->is_signed) * sizeof(words));
    rest = slice_from(rest, lengths.len);
    if (!take_sections(&rest, block))
        return false;
    for (texts = block->is_signed; texts != 0;) {
        struct slice *signature = &block->signatures[block_take_number(&texts)];

        if (!take_bytes(&lengths, &words, sizeof(words)) || words == 0 || rest.len < words * 8u)
            return false;
        *signature = slice_part(rest, 0, words * 8u);
        rest = slice_from(rest, words * 8u);
    }
    return rest.len == 0;
}

bool block_read(struct slice bytes, struct trigram_block *block_out)
{
    bool ok;

    *block_out = (struct trigram_block){ 0 };
    ok = bytes.len == 0 || read_all(bytes, block_out);
    if (!ok)
        *block_out = (struct trigram_block){ 0 };
    return ok;
}

/* Those of which at least the bytes are known. */
static uint64_t known_of(const struct trigram_block *block)
{
    return (block->listed | block->is_signed) & ~block->no_bytes;
}

static struct slice section_of(const struct trigram_block *block, unsigned first)
{
    size_t rank = 0, start;

    if ((block->firsts[first / 64] >> (first % 64) & 1) == 0)
        return (struct slice){ 0 };
    for (unsigned i = 0; i < first / 64; i++)
        rank += (size_t)count_of(block->firsts[i]);
    rank += (size_t)count_of(block->firsts[first / 64] & ((1ull << (first % 64)) - 1));
    start = rank > 0 ? end_of(block, rank - 1) : 0;
    return slice_part(block->sections, start, end_of(block, rank) - start);
}

static bool take_group(struct slice *section, unsigned *second_out, struct slice *group_out)
{
    uint16_t len;

    if (section->len < 1 + sizeof(len))
        return false;
    *second_out = (unsigned char)section->data[0];
    memcpy(&len, section->data + 1, sizeof(len));
    *group_out = slice_part(*section, 1 + sizeof(len), len);
    *section = slice_from(*section, 1 + sizeof(len) + (size_t)len);
    return true;
}

static struct slice group_of(const struct trigram_block *block, unsigned first, unsigned second)
{
    struct slice section = section_of(block, first), group;
    unsigned found;

    while (take_group(&section, &found, &group) && found <= second)
        if (found == second)
            return group;
    return (struct slice){ 0 };
}

static size_t payload_of(unsigned tag)
{
    return tag < TAG_SOME      ? 0
           : tag < TAG_MISSING ? tag - TAG_SOME
           : tag == TAG_BITS   ? sizeof(uint64_t)
                               : tag - TAG_MISSING;
}

static uint64_t texts_of(unsigned tag, const unsigned char *payload, uint64_t known)
{
    uint64_t texts = 0;

    if (tag < TAG_SOME)
        return 1ull << tag;
    if (tag == TAG_BITS) {
        memcpy(&texts, payload, sizeof(texts));
        return texts;
    }
    for (size_t i = 0; i < payload_of(tag); i++)
        texts |= 1ull << (payload[i] % BLOCK_TEXTS);
    return tag < TAG_MISSING ? texts : known & ~texts;
}

static bool take_entry(struct slice *group, uint64_t known, unsigned *third_out,
                       uint64_t *texts_out)
{
    const unsigned char *bytes = (const unsigned char *)group->data;
    size_t payload;

    if (group->len < 2)
        return false;
    payload = payload_of(bytes[1]);
    if (group->len < 2 + payload)
        return false;
    *third_out = bytes[0];
    *texts_out = texts_of(bytes[1], bytes + 2, known);
    group->data += 2 + payload;
    group->len -= 2 + payload;
    return true;
}

/* Asking. */

/* Skips what is not asked for without taking it apart. */
static uint64_t texts_with(const struct trigram_block *block, uint32_t trigram)
{
    struct slice group = group_of(block, trigram >> 16, trigram >> 8 & 0xff);
    const unsigned char *at = (const unsigned char *)group.data, *end;
    unsigned third = trigram & 0xff;

    if (group.len == 0)
        return 0; /* nor is there a place to count from */
    end = at + group.len;
    while (end - at >= 2 && at[0] < third)
        at += 2 + payload_of(at[1]);
    if (end - at < 2 || at[0] != third || (size_t)(end - at) < 2 + payload_of(at[1]))
        return 0;
    return texts_of(at[1], at + 2, known_of(block));
}

static uint64_t texts_in_group(const struct trigram_block *block, struct slice group)
{
    uint64_t all = 0, texts;
    unsigned third;

    while (take_entry(&group, known_of(block), &third, &texts))
        all |= texts;
    return all;
}

/* Texts with a needle of one or two bytes. */
static uint64_t texts_with_short(const struct trigram_block *block, struct slice needle)
{
    unsigned first = (unsigned char)needle.data[0], second;
    struct slice section = section_of(block, first), group;
    uint64_t all = 0;

    if (needle.len == 2)
        return texts_in_group(block, group_of(block, first, (unsigned char)needle.data[1]));
    while (take_group(&section, &second, &group))
        all |= texts_in_group(block, group);
    return all;
}

static uint64_t signed_without(const struct trigram_block *block, const struct probe *probe)
{
    uint64_t without = 0;

    for (uint64_t texts = block->is_signed; texts != 0;) {
        unsigned number = block_take_number(&texts);

        if (!signature_may_have(block->signatures[number], probe))
            without |= 1ull << number;
    }
    return without;
}

void block_needle_make(struct slice folded, struct block_needle *needle_out)
{
    needle_out->folded = folded;
    probe_make(folded, &needle_out->probe);
}

void block_ask(const struct trigram_block *block, const struct block_needle *needle,
               uint64_t *has_out, uint64_t *cannot_out)
{
    const struct probe *probe = &needle->probe;
    uint64_t with = block->listed;

    *has_out = *cannot_out = 0;
    if (needle->folded.len == 0 || slice_find(needle->folded, '\0') >= 0)
        return;
    if (probe->count == 0) {
        uint64_t known = known_of(block) & (needle->folded.len == 1 ? ~0ull : ~block->no_pairs);

        with = texts_with_short(block, needle->folded);
        *has_out = known & with;
        *cannot_out = known & ~with;
        return;
    }
    for (size_t i = 0; i < probe->count && with != 0; i++)
        with &= texts_with(block, probe->trigrams[i]);
    *has_out = needle->folded.len == 3 ? with : 0;
    *cannot_out = (block->listed & ~with) | signed_without(block, probe);
}

/* Writing. */

struct writer {
    struct buf sections;
    uint64_t known;
    uint32_t ends[FIRSTS];
    uint64_t firsts[4];
    int pair;        /* of the open group; -1: there is none */
    size_t group_at; /* where its length stands */
};

static void end_group(struct writer *writer)
{
    uint16_t len;

    if (writer->pair < 0)
        return;
    len = (uint16_t)(writer->sections.len - writer->group_at - sizeof(len));
    memcpy(writer->sections.data + writer->group_at, &len, sizeof(len));
    writer->ends[writer->pair >> 8] = (uint32_t)writer->sections.len;
}

static void begin_group(struct writer *writer, int pair)
{
    uint16_t len = 0;

    end_group(writer);
    writer->pair = pair;
    writer->firsts[pair >> 14] |= 1ull << (pair >> 8 & 63);
    buf_add_byte(&writer->sections, (char)pair);
    writer->group_at = writer->sections.len;
    buf_add(&writer->sections, &len, sizeof(len));
}

static size_t put_numbers(unsigned char *to, unsigned tag, uint64_t texts)
{
    size_t len = 0;

    for (to[len++] = (unsigned char)(tag + (unsigned)count_of(texts)); texts != 0;)
        to[len++] = (unsigned char)block_take_number(&texts);
    return len;
}

static void add_entry(struct writer *writer, uint32_t trigram, uint64_t texts)
{
    unsigned char *to;
    size_t len = 1;
    uint64_t missing = writer->known & ~texts;
    int count = count_of(texts), n_missing = count_of(missing);

    if (texts == 0)
        return;
    if ((int)(trigram >> 8) != writer->pair)
        begin_group(writer, (int)(trigram >> 8));
    to = (unsigned char *)buf_reserve(&writer->sections, ENTRY_MAX);
    to[0] = (unsigned char)trigram;
    if (count == 1) {
        to[len++] = (unsigned char)block_take_number(&texts);
    } else if (n_missing <= NUMBERS_MAX && n_missing < count) {
        len += put_numbers(to + len, TAG_MISSING, missing);
    } else if (count <= NUMBERS_MAX) {
        len += put_numbers(to + len, TAG_SOME, texts);
    } else {
        to[len++] = TAG_BITS;
        memcpy(to + len, &texts, sizeof(texts));
        len += sizeof(texts);
    }
    buf_wrote(&writer->sections, len);
}

bool block_next(struct block_cursor *cursor)
{
    unsigned third;

    while (!take_entry(&cursor->group, known_of(cursor->block), &third, &cursor->texts)) {
        while (!take_group(&cursor->section, &cursor->second, &cursor->group)) {
            if (cursor->first == FIRSTS)
                return false;
            cursor->section = section_of(cursor->block, cursor->first++);
        }
    }
    cursor->trigram = (uint32_t)(cursor->first - 1) << 16 | (uint32_t)cursor->second << 8 | third;
    return true;
}

/* By the trigrams, in two passes of twelve bits. */
static void sort_keys(uint32_t *keys, size_t count)
{
    uint32_t *other = mem_zero(count * sizeof(*other));

    for (unsigned shift = TRIGRAM_KEY_BITS; shift < 30; shift += DIGIT_BITS) {
        size_t starts[(1 << DIGIT_BITS) + 1] = { 0 };

        for (size_t i = 0; i < count; i++)
            starts[(keys[i] >> shift & ((1 << DIGIT_BITS) - 1)) + 1]++;
        for (size_t i = 1; i < COUNT_OF(starts); i++)
            starts[i] += starts[i - 1];
        for (size_t i = 0; i < count; i++)
            other[starts[keys[i] >> shift & ((1 << DIGIT_BITS) - 1)]++] = keys[i];
        memcpy(keys, other, count * sizeof(*keys));
    }
    free(other);
}

static uint64_t gone_of(const struct block_change *change)
{
    return change->gone | change->listed | change->is_signed;
}

/* The old entries and the new keys, both in order. */
static void merge(const struct trigram_block *old, const struct block_change *change,
                  struct writer *writer)
{
    struct block_cursor cursor = { .block = old };
    bool has_old = block_next(&cursor);

    for (size_t i = 0; has_old || i < change->n_keys;) {
        uint32_t trigram = UINT32_MAX;
        uint64_t texts = 0;

        if (i < change->n_keys)
            trigram = change->keys[i] >> TRIGRAM_KEY_BITS;
        if (has_old && cursor.trigram <= trigram) {
            trigram = cursor.trigram;
            texts = cursor.texts & ~gone_of(change);
            has_old = block_next(&cursor);
        }
        for (; i < change->n_keys && change->keys[i] >> TRIGRAM_KEY_BITS == trigram; i++)
            texts |= 1ull << (change->keys[i] % BLOCK_TEXTS);
        add_entry(writer, trigram, texts);
    }
    end_group(writer);
}

static void add_sections(const struct writer *writer, struct buf *out)
{
    buf_add(out, writer->firsts, sizeof(writer->firsts));
    for (size_t i = 0; i < FIRSTS; i++)
        if ((writer->firsts[i / 64] >> (i % 64) & 1) != 0)
            buf_add(out, &writer->ends[i], sizeof(writer->ends[i]));
    buf_add_slice(out, buf_slice(&writer->sections));
}

static struct slice signature_of(const struct trigram_block *old, const struct block_change *change,
                                 unsigned number)
{
    return (change->is_signed >> number & 1) != 0 ? change->signatures[number]
                                                  : old->signatures[number];
}

static void add_sizes(const struct trigram_block *old, const struct block_change *change,
                      uint64_t texts, struct buf *out)
{
    uint64_t changed = change->listed | change->is_signed;

    while (texts != 0) {
        unsigned number = block_take_number(&texts);
        const uint16_t *sizes = (changed >> number & 1) != 0 ? change->sizes : old->sizes;

        buf_add(out, &sizes[number], sizeof(sizes[number]));
    }
}

uint16_t block_size_of(size_t text_bytes)
{
    return (uint16_t)MIN(text_bytes / BLOCK_SIZE_UNIT, UINT16_MAX);
}

void block_write(const struct trigram_block *old, const struct block_change *change,
                 struct buf *out)
{
    uint64_t listed = (old->listed & ~gone_of(change)) | change->listed;
    uint64_t is_signed = (old->is_signed & ~gone_of(change)) | change->is_signed;
    uint64_t no_pairs = (old->no_pairs & ~gone_of(change)) | change->no_pairs;
    uint64_t no_bytes = (old->no_bytes & ~gone_of(change)) | change->no_bytes;
    struct writer writer = { .known = (listed | is_signed) & ~no_bytes, .pair = -1 };

    if (change->n_keys > 0)
        sort_keys(change->keys, change->n_keys);
    merge(old, change, &writer);
    buf_add(out, &listed, sizeof(listed));
    buf_add(out, &is_signed, sizeof(is_signed));
    buf_add(out, &no_pairs, sizeof(no_pairs));
    buf_add(out, &no_bytes, sizeof(no_bytes));
    add_sizes(old, change, listed | is_signed, out);
    for (uint64_t texts = is_signed; texts != 0;) {
        uint16_t words = (uint16_t)(signature_of(old, change, block_take_number(&texts)).len / 8);

        buf_add(out, &words, sizeof(words));
    }
    add_sections(&writer, out);
    for (uint64_t texts = is_signed; texts != 0;)
        buf_add_slice(out, signature_of(old, change, block_take_number(&texts)));
    buf_free(&writer.sections);
}
