/* html_private.h - between html.c and the names of characters. */
#pragma once

#include "message/html.h"

/* The character that "&name;" stands for; 0: there is none. */
uint32_t html_entity(struct slice name);
