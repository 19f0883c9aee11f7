/* signature.c - see signature.h. */
#include "common/signature.h"
