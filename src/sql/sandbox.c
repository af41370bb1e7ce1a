#include "sql/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/mem.h"

#include "base/banned.h"

#ifdef __has_feature
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
/* A sanitizer maps terabytes that it never touches. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer) || \
    HAS_FEATURE(thread_sanitizer)
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

enum status sandbox_follow(int64_t parent, struct error *err)
{
    prctl(PR_SET_NAME, "cartographus-sq");
    if (chdir("/") != 0) /* DuckDB asks where it is, and may tell */
        return fail_errno(err, errno, "leave the folder");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == (pid_t)parent ? STATUS_OK : fail(err, STATUS_CANCELLED, "nobody waits for it");
}

static int64_t mapped_bytes(void)
{
    auto_file FILE *f = fopen("/proc/self/statm", "re");
    long long pages = 0;
    return f && fscanf(f, "%lld", &pages) == 1 ? pages * (int64_t)sysconf(_SC_PAGESIZE) : -1;
}

static enum status limit(int what, int64_t most, const char *name, struct error *err)
{
    const struct rlimit r = {(rlim_t)most, (rlim_t)most};
    if (setrlimit((__rlimit_resource_t)what, &r) != 0)
        return fail_errno(err, errno, "limit %s", name);
    return STATUS_OK;
}

static enum status limit_all(const struct sandbox_limits *l, struct error *err)
{
    int64_t mapped = mapped_bytes();
    if (mapped < 0)
        return fail_errno(err, errno, "read /proc/self/statm");
    if (!IS_SANITIZED)
        TRY(limit(RLIMIT_AS, mapped + l->most_memory, "the memory", err));
    TRY(limit(RLIMIT_CPU, l->most_cpu_s, "the processor's time", err));
    TRY(limit(RLIMIT_FSIZE, l->most_file_bytes, "the size of files", err));
    TRY(limit(RLIMIT_NPROC, 0, "processes", err));
    TRY(limit(RLIMIT_NOFILE, 0, "files", err)); /* what is open stays so */
    TRY(limit(RLIMIT_MEMLOCK, 0, "locked memory", err));
    return limit(RLIMIT_CORE, 0, "core dumps", err);
}

/* All that computing, memory and files that are open need; anything else fails with EPERM. */
static const int always[] = {
    SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(preadv), SCMP_SYS(write),
    SCMP_SYS(pwrite64), SCMP_SYS(writev), SCMP_SYS(lseek), SCMP_SYS(fstat), SCMP_SYS(close),
    SCMP_SYS(fcntl), /* the lock of the database's file */
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
    SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(membarrier), SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list), SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrusage), SCMP_SYS(sysinfo), SCMP_SYS(getcwd),
    SCMP_SYS(times),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static int allow_memory(scmp_filter_ctx c, int call)
{
    const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0);
    return seccomp_rule_add(c, SCMP_ACT_ALLOW, call, 1, no_code);
}

/* Signals to itself: that is how abort() ends it. */
static int allow_own_end(scmp_filter_ctx c)
{
    return seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

static enum status shut(scmp_filter_ctx c, struct error *err)
{
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(always) && r == 0; i++)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, always[i], 0);
    if (r == 0)
        r = allow_memory(c, SCMP_SYS(mmap));
    if (r == 0)
        r = allow_memory(c, SCMP_SYS(mprotect));
    if (r == 0)
        r = allow_own_end(c);
    if (r == 0)
        r = seccomp_load(c); /* with no_new_privs, by itself */
    if (r != 0)
        return fail(err, STATUS_UNAVAILABLE, "this kernel does not shut a process in (seccomp: %s), without "
                    "which nobody's SQL is run", strerror(-r));
    return STATUS_OK;
}

enum status sandbox_close(const struct sandbox_limits *l, struct error *err)
{
    signal(SIGXFSZ, SIG_IGN); /* too large an answer is an error of write() */
    TRY(limit_all(l, err));
    scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!c)
        return fail(err, STATUS_NOMEM, "no memory for the rules of seccomp");
    enum status s = shut(c, err);
    seccomp_release(c);
    return s;
}
