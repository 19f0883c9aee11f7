/* ceiling.c - see ceiling.h.
 *
 * /proc/self/statm costs a microsecond or two; it is opened before the process is confined. Where
 * there is none (no /proc), only what is held counts.
 */
#include "common/ceiling.h"

#include "common/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#define LOOK_EVERY_MS 5

static struct {
    size_t bytes;
    int statm; /* -1: cannot be measured */
    uint64_t looked_ms;
    atomic_size_t used, held;
    atomic_int state;
} ceiling = { .statm = -1 };

bool ceiling_set(size_t bytes, struct error *err)
{
    if (ceiling.statm >= 0)
        close(ceiling.statm);
    ceiling.bytes = bytes;
    ceiling.looked_ms = 0;
    ceiling.statm = -1;
    atomic_store(&ceiling.state, CEILING_PLENTY);
    if (bytes == 0)
        return true;
    ceiling.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    return ceiling.statm >= 0 || errno == ENOENT || error_errno(err, "opening /proc/self/statm");
}

/* Its fields are pages: size, resident, and how many of the latter are files or shared. */
static bool measure(size_t *used_out)
{
    char text[128];
    ssize_t len = pread(ceiling.statm, text, sizeof(text), 0);
    struct slice rest = slice_make(text, len > 0 ? (size_t)len : 0), size, resident, shared;
    uint64_t all, others;

    if (!slice_split(&rest, ' ', &size) || !slice_split(&rest, ' ', &resident) ||
        !slice_split(&rest, ' ', &shared) || !slice_number(resident, INT64_MAX, &all) ||
        !slice_number(shared, INT64_MAX, &others))
        return false;
    *used_out = (size_t)(all - MIN(all, others)) * (size_t)sysconf(_SC_PAGESIZE);
    return true;
}

static enum ceiling_state state_at(size_t used)
{
    if (used >= ceiling.bytes / 8 * 7)
        return CEILING_SCARCE;
    return used >= ceiling.bytes / 4 * 3 ? CEILING_TIGHT : CEILING_PLENTY;
}

enum ceiling_state ceiling_look(uint64_t now_ms)
{
    size_t used;

    if (ceiling.statm < 0 || now_ms - ceiling.looked_ms < LOOK_EVERY_MS)
        return ceiling_state();
    ceiling.looked_ms = now_ms;
    if (measure(&used)) {
        atomic_store_explicit(&ceiling.used, used, memory_order_relaxed);
        atomic_store_explicit(&ceiling.state, (int)state_at(used), memory_order_relaxed);
    }
    return ceiling_state();
}

enum ceiling_state ceiling_state(void)
{
    return (enum ceiling_state)atomic_load_explicit(&ceiling.state, memory_order_relaxed);
}

size_t ceiling_bytes(void)
{
    return ceiling.bytes;
}

size_t ceiling_used(void)
{
    return atomic_load_explicit(&ceiling.used, memory_order_relaxed);
}

size_t ceiling_held(void)
{
    return atomic_load_explicit(&ceiling.held, memory_order_relaxed);
}

static void count(struct held *held, size_t bytes)
{
    atomic_fetch_add_explicit(&ceiling.held, bytes - held->bytes, memory_order_relaxed);
    held->bytes = bytes;
}

bool ceiling_hold(struct held *held, size_t bytes)
{
    bool more = bytes > held->bytes;

    if (bytes == held->bytes)
        return true;
    if (more && ceiling.bytes > 0) {
        if (ceiling_state() == CEILING_SCARCE ||
            ceiling_held() + (bytes - held->bytes) > ceiling.bytes / 2)
            return false;
    }
    count(held, bytes);
    return true;
}
