// A wall clock that is off by as many seconds as the file named by FAKETIME_TIMESTAMP_FILE says.
//
// Preloaded where no sound libfaketime is at hand; see wall_clock.py. All other clocks, and all
// timed waits, are left alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS 200

typedef int (*clock_gettime_fn)(clockid_t, struct timespec *);

static _Atomic(clock_gettime_fn) next_one;
static atomic_long looked_ms = -LOOK_EVERY_MS;
static atomic_long offset_s;

static clock_gettime_fn real(void) {
    clock_gettime_fn found = atomic_load(&next_one);
    if (found == NULL) {
        found = (clock_gettime_fn)dlsym(RTLD_NEXT, "clock_gettime");
        atomic_store(&next_one, found);
    }
    return found;
}

static void look(void) {
    struct timespec now;
    real()(CLOCK_MONOTONIC, &now);
    long ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (ms - atomic_load(&looked_ms) < LOOK_EVERY_MS) return;
    atomic_store(&looked_ms, ms);
    const char *path = getenv("FAKETIME_TIMESTAMP_FILE");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    char text[32] = {0};
    if (read(file, text, sizeof text - 1) > 0) atomic_store(&offset_s, atol(text));
    close(file);
}

int clock_gettime(clockid_t id, struct timespec *out) {
    int failed = real()(id, out);
    if (failed || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return failed;
    look();
    out->tv_sec += atomic_load(&offset_s);
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) *out = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
