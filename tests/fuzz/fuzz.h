/*
 * What every fuzz target includes first. A target reads bytes as if a stranger had sent them and
 * checks what must hold whatever they are: CHECK stops the program with the input saved.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                  \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                      \
        }                                                                                 \
    } while (0)

static inline struct str input_of(const uint8_t *data, size_t size)
{
    return (struct str){size ? (const char *)data : "", size};
}
