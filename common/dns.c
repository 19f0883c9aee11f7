/* dns.c - see dns.h. */
#include "common/dns.h"
