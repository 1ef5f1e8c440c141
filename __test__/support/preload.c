/* Answers of the system that tests cannot have for real, for processes that are started with this library preloaded. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <time.h>

/* TEST_CLOCK_SHIFT: seconds by which the wall clock is wrong. */
int clock_gettime(clockid_t clock, struct timespec *time) {
  int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
  const char *shift = getenv("TEST_CLOCK_SHIFT");
  int code = real(clock, time);
  if (code == 0 && clock == CLOCK_REALTIME && shift) time->tv_sec += atol(shift);
  return code;
}

/* TEST_FILE_SYSTEM: the number of the kind that every file system says it is of. */
static void disguise(struct statfs *answer) {
  const char *kind = getenv("TEST_FILE_SYSTEM");
  if (kind) answer->f_type = strtoul(kind, NULL, 0);
}

int fstatfs(int file, struct statfs *answer) {
  int (*real)(int, struct statfs *) = dlsym(RTLD_NEXT, "fstatfs");
  int code = real(file, answer);
  if (code == 0) disguise(answer);
  return code;
}

int fstatfs64(int file, struct statfs64 *answer) {
  int (*real)(int, struct statfs64 *) = dlsym(RTLD_NEXT, "fstatfs64");
  int code = real(file, answer);
  if (code == 0) disguise((struct statfs *)answer);
  return code;
}
