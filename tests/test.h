/* What every C test includes first: cmocka, without its `fail` macro (ours is base/error.h's). */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#undef fail
