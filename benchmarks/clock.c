/* Copyright: (c) 2026, fedops.flower contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A wall clock that can be stepped, for the processes that load this before the C library: the true time and as many
 * seconds more as the file FACE says, read at every call. Clocks that count from the boot are left alone, as by a real
 * step. (libfaketime 0.9.10 would be the tool, but makes Python's sleep fail.)
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void)
{
    char text[24] = "";
    long file = syscall(SYS_openat, AT_FDCWD, FACE, O_RDONLY | O_CLOEXEC);

    if (file < 0)
        return 0;
    syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    long failed = syscall(SYS_clock_gettime, clock, now);

    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec exact;

    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec exact;

    clock_gettime(CLOCK_REALTIME_COARSE, &exact);
    if (now)
        *now = exact.tv_sec;
    return exact.tv_sec;
}
