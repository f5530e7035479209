// Preloaded into the daemon under test: the clocks and the disk, in the hands of a test, with the binary as
// it is.
//
// WEIR_WORLD names a file of six int64, shared with the test:
//   [0] mode: 0 real clocks plus the two offsets, 1 clocks stand still at the two values
//   [1] wall clock (CLOCK_REALTIME and its kin), nanoseconds
//   [2] boot clock (CLOCK_BOOTTIME), nanoseconds
//   [3] disk full: not 0 lets every write to a regular file but standard output and error fail with ENOSPC
//   [4] disk hangs: as long as it is not 0, no sync returns
//   [5] kill: the process is killed (SIGKILL) in its n-th operation on a regular file that changes it, a
//   write when
//       half of it is done; 0: never. Counted down.
// CLOCK_MONOTONIC stays real, so that timers fire. With or without that file, looking up the name
// hangs.invalid never ends.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t* world;

__attribute__((constructor)) static void open_world(void) {
  const char* path = getenv("WEIR_WORLD");
  if (path == NULL) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) abort();
  void* map = mmap(NULL, 6 * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) abort();
  close(fd);
  world = (volatile int64_t*)map;
}

// Raw system calls: they cannot call back into what is replaced here.
int clock_gettime(clockid_t clock, struct timespec* out) {
  const long result = syscall(SYS_clock_gettime, clock, out);
  if (result != 0 || world == NULL) return (int)result;
  int64_t shift;
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
    shift = world[1];
  } else if (clock == CLOCK_BOOTTIME) {
    shift = world[2];
  } else {
    return 0;
  }
  int64_t now = shift;
  if (world[0] == 0) now += out->tv_sec * INT64_C(1000000000) + out->tv_nsec;
  out->tv_sec = now / INT64_C(1000000000);
  out->tv_nsec = now % INT64_C(1000000000);
  return 0;
}

int gettimeofday(struct timeval* restrict out, void* restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

static int is_regular(int fd) {
  struct stat file;
  return fd > STDERR_FILENO && fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
}

static int disk_refuses(int fd) {
  if (world == NULL || world[3] == 0 || !is_regular(fd)) return 0;
  errno = ENOSPC;
  return 1;
}

// Whether this operation is the process's last.
static int is_last(void) {
  if (world == NULL || world[5] == 0) return 0;
  return __sync_sub_and_fetch(&world[5], 1) == 0;
}

static void die(void) {
  syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

static ssize_t put(int fd, const void* data, size_t size, off_t offset) {
  if (disk_refuses(fd)) return -1;
  if (is_regular(fd) && is_last()) {
    syscall(SYS_pwrite64, fd, data, size / 2, offset);
    die();
  }
  return syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t write(int fd, const void* data, size_t size) {
  return disk_refuses(fd) ? -1 : syscall(SYS_write, fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return put(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  return put(fd, data, size, offset);
}

int ftruncate(int fd, off_t size) {
  if (is_last()) die();
  return (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate64(int fd, off64_t size) {
  if (is_last()) die();
  return (int)syscall(SYS_ftruncate, fd, size);
}

int unlink(const char* path) {
  if (is_last()) die();
  return (int)syscall(SYS_unlink, path);
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  return disk_refuses(fd) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

int posix_fallocate(int fd, off_t offset, off_t size) {
  if (disk_refuses(fd)) return ENOSPC;
  return syscall(SYS_fallocate, fd, 0, offset, size) == 0 ? 0 : errno;
}

static void wait_for_disk(void) {
  const struct timespec moment = {0, 1000000};
  while (world != NULL && world[4] != 0) nanosleep(&moment, NULL);
}

int fsync(int fd) {
  if (is_last()) die();
  wait_for_disk();
  return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  if (is_last()) die();
  wait_for_disk();
  return (int)syscall(SYS_fdatasync, fd);
}

int getaddrinfo(const char* restrict node, const char* restrict service,
                const struct addrinfo* restrict hints, struct addrinfo** restrict out) {
  while (node != NULL && strcmp(node, "hangs.invalid") == 0) pause();
  int (*next)(const char*, const char*, const struct addrinfo*, struct addrinfo**);
  *(void**)&next = dlsym(RTLD_NEXT, "getaddrinfo");
  return next(node, service, hints, out);
}
