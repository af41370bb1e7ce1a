/* What every C test includes first: cmocka, without its `fail` macro (ours is base/error.h's). */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail
#undef fail_msg
#define fail_msg(msg, ...)                                              \
    do {                                                                \
        print_error("ERROR: " msg "\n" __VA_OPT__(, ) __VA_ARGS__);     \
        _fail(__FILE__, __LINE__);                                      \
    } while (0)
