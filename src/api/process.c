#include "api/process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

static void read_status(struct process_facts *ret)
{
    static const struct {
        const char *name;
        size_t offset;
        int64_t unit;
    } rows[] = {{"VmRSS:", offsetof(struct process_facts, memory_bytes), 1024},
                {"VmHWM:", offsetof(struct process_facts, memory_peak_bytes), 1024},
                {"VmSize:", offsetof(struct process_facts, virtual_bytes), 1024},
                {"Threads:", offsetof(struct process_facts, threads), 1}};
    auto_file FILE *f = fopen("/proc/self/status", "re");
    char line[256], name[32];
    long long value;
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "%31s %lld", name, &value) != 2)
            continue;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
            if (streq(name, rows[i].name))
                memcpy((char *)ret + rows[i].offset, &(int64_t){value * rows[i].unit}, sizeof(int64_t));
    }
}

static int64_t count_open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    int64_t count = 0;
    if (d == NULL)
        return 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(d);
    return count - 1; /* the folder itself */
}

void process_look(struct process_facts *ret)
{
    *ret = (struct process_facts){0};
    read_status(ret);
    ret->open_files = count_open_files();
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &most) == 0)
        ret->most_files = (int64_t)most.rlim_cur;
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) == 0)
        ret->cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}
