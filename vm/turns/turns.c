// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Loaded into a QEMU that counts instructions, in front of the C library: its main loop and the thread of its one CPU take
// turns, so that the main loop never runs while the guest does. Why it must not: `docs/exact-lab.md`, "Why idle time is exact".
//
// QEMU has one big lock. The main loop lets go of it only to poll, the CPU's thread only to execute the guest or to wait, on
// that lock, until there is something to execute (accel/tcg/tcg-accel-ops-rr.c, util/main-loop.c). So the lock is the mutex
// that the main thread gave back last before it polls and another thread waited with, and that other thread is the CPU's.
// In a program that is made otherwise no lock is found and nothing is changed; whoever started it sees that by the mark.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int (*libc_lock)(pthread_mutex_t *);
static int (*libc_unlock)(pthread_mutex_t *);
static int (*libc_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*libc_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

// glibc alone has it.
extern void *dlvsym(void *, const char *, const char *) __attribute__((weak));

// The thread that loaded this, and that which executes the guest.
static __thread int is_main, is_cpu;
// Of the main thread: what it gave back last.
static pthread_mutex_t *given_back;
// With what this thread waited last, and what any thread but the main one did.
static __thread pthread_mutex_t *waited_with;
static pthread_mutex_t *_Atomic others_waited_with;
// The big lock, once it is known.
static pthread_mutex_t *_Atomic big_lock;
// 1 once a thread is known to be the CPU's. Another one may wait with the big lock too (a migration, for the CPU to pause).
static atomic_int has_cpu;
// 1 while the CPU's thread executes the guest.
static atomic_int executing;
// 1 from when the main thread wants the big lock until it gives it back.
static atomic_int wanted;

__attribute__((constructor)) static void load(void)
{
	is_main = 1;
	libc_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	libc_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
	libc_ppoll = dlsym(RTLD_NEXT, "ppoll");
	// glibc has an older one of that name too, for conditions of another layout.
	if (dlvsym)
		libc_wait = dlvsym(RTLD_NEXT, "pthread_cond_wait", "GLIBC_2.3.2");
	if (!libc_wait)
		libc_wait = dlsym(RTLD_NEXT, "pthread_cond_wait");
}

// Others may be loaded, and lock, before this is.
static void be_loaded(void)
{
	if (!libc_wait) {
		load();
		is_main = syscall(SYS_gettid) == getpid();
	}
}

// Functions of mutexes leave errno alone.
static void wait_while_set(atomic_int *flag)
{
	int before = errno;

	while (atomic_load(flag))
		syscall(SYS_futex, flag, FUTEX_WAIT_PRIVATE, 1, 0, 0, 0);
	errno = before;
}

static void clear(atomic_int *flag)
{
	int before = errno;

	atomic_store(flag, 0);
	syscall(SYS_futex, flag, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
	errno = before;
}

// The lock was found: says so to whoever started this, by a byte behind the object, and has what QEMU starts (`exec:` of a
// migration) do without it, since that does not inherit the descriptor.
static void mark(void)
{
	static const char ours[] = "/proc/self/fd/";
	const char *loaded = getenv("LD_PRELOAD");
	const char *rest;
	char *end;
	int fd;

	if (!loaded || strncmp(loaded, ours, sizeof ours - 1))
		return;
	fd = (int)strtol(loaded + sizeof ours - 1, &end, 10);
	if (write(fd, "!", 1) != 1)
		return;
	rest = *end ? end + 1 : end;
	if (*rest)
		setenv("LD_PRELOAD", rest, 1);
	else
		unsetenv("LD_PRELOAD");
}

static int is_big(pthread_mutex_t *mutex)
{
	return mutex == atomic_load(&big_lock);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	be_loaded();
	if (!is_big(mutex))
		return libc_lock(mutex);
	if (!is_main) {
		if (is_cpu && atomic_load(&executing))
			clear(&executing);
		return libc_lock(mutex);
	}
	atomic_store(&wanted, 1);
	for (;;) {
		int failed = libc_lock(mutex);

		if (failed || !atomic_load(&executing))
			return failed;
		libc_unlock(mutex);
		wait_while_set(&executing);
	}
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	int failed;

	be_loaded();
	if (is_main) {
		given_back = mutex;
		if (is_big(mutex))
			clear(&wanted);
		return libc_unlock(mutex);
	}
	if (!is_cpu && is_big(mutex) && waited_with == mutex)
		is_cpu = !atomic_exchange(&has_cpu, 1);
	if (!is_cpu || !is_big(mutex))
		return libc_unlock(mutex);
	// Said before it is asked whether the main thread wants a turn, and that thread says so before it looks at this:
	// one of the two sees the other.
	atomic_store(&executing, 1);
	if (!atomic_load(&wanted))
		return libc_unlock(mutex);
	failed = libc_unlock(mutex);
	do {
		clear(&executing);
		wait_while_set(&wanted);
		atomic_store(&executing, 1);
	} while (atomic_load(&wanted));
	return failed;
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
	int failed;

	be_loaded();
	if (!is_main) {
		waited_with = mutex;
		atomic_store(&others_waited_with, mutex);
		return libc_wait(condition, mutex);
	}
	// It waits for the CPU's thread to stop, which has to come that far.
	if (is_big(mutex))
		clear(&wanted);
	failed = libc_wait(condition, mutex);
	if (is_big(mutex))
		atomic_store(&wanted, 1);
	return failed;
}

int ppoll(struct pollfd *files, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
	be_loaded();
	if (is_main && !atomic_load(&big_lock) && given_back &&
	    given_back == atomic_load(&others_waited_with)) {
		atomic_store(&big_lock, given_back);
		mark();
	}
	return libc_ppoll(files, count, timeout, mask);
}
