/*
 * The walls around a process that runs somebody's SQL; it has one thread. There is no way back.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

struct sandbox_limits {
    int64_t most_memory;     /* address space beyond what is mapped already */
    int64_t most_cpu_s;
    int64_t most_file_bytes; /* written to any one file */
};

/* First of all, before anything is opened: it ends with the process that waits for it. */
enum status sandbox_follow(int64_t parent, struct error *err);
/* From here on it computes, reads and writes what it has open and takes memory, and nothing else: no file
 * is opened, no process or thread begun, no socket made, by the kernel's word (seccomp). UNAVAILABLE
 * where the kernel has no seccomp. */
enum status sandbox_close(const struct sandbox_limits *l, struct error *err);
