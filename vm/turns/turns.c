// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Loaded into a QEMU that counts instructions, in front of the C library: its main loop and the thread of its one CPU take
// turns, so that the main loop never runs while the guest does. Why it must not: `docs/exact-lab.md`, "Why idle time is exact".
//
// QEMU has one big lock. The main loop lets go of it only to poll, the CPU's thread only to execute the guest or to wait, on
// that lock, until there is something to execute (accel/tcg/tcg-accel-ops-rr.c, util/main-loop.c). So the lock is the mutex
// that the main thread gave back last before it polls and another thread waited with, and that other thread is the CPU's.
// In a program that is made otherwise no lock is found and nothing is changed.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static int (*libc_lock)(pthread_mutex_t *);
static int (*libc_unlock)(pthread_mutex_t *);
static int (*libc_wait)(pthread_cond_t *, pthread_mutex_t *);
static int (*libc_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

// The thread that loaded this.
static __thread int is_main;
// Of the main thread: what it gave back last.
static pthread_mutex_t *given_back;
// With what this thread waited last, and what any thread but the main one did.
static __thread pthread_mutex_t *waited_with;
static pthread_mutex_t *_Atomic others_waited_with;
// The big lock, once it is known.
static pthread_mutex_t *_Atomic big_lock;
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

static void wait_while_set(atomic_int *flag)
{
	while (atomic_load(flag))
		syscall(SYS_futex, flag, FUTEX_WAIT_PRIVATE, 1, 0, 0, 0);
}

static void clear(atomic_int *flag)
{
	atomic_store(flag, 0);
	syscall(SYS_futex, flag, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
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
		if (waited_with == mutex && atomic_load(&executing))
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
	if (!is_big(mutex) || waited_with != mutex)
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
	if (is_main && given_back && given_back == atomic_load(&others_waited_with))
		atomic_store(&big_lock, given_back);
	return libc_ppoll(files, count, timeout, mask);
}
