/* What the kernel says of this process. Any thread. */
#pragma once

#include <stdint.h>

struct process_facts {
    int64_t memory_bytes, memory_peak_bytes, virtual_bytes; /* 0: unknown, as all */
    int64_t threads, open_files, most_files;
    double cpu_s;
};
void process_look(struct process_facts *ret);
