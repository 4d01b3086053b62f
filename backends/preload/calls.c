// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The functions that a C library has for exec, in front of its own. Each of them has to be here: the library's own
// calls among them are not by name, so whoever wraps `execve` alone does not see `execl`, `system` or `popen`.
//
// They run in children of `vfork` too: nothing is allocated, nothing but errno is changed.

#include "preload.h"

#define EXPORTED __attribute__((visibility("default")))

typedef __builtin_va_list va_list;
#define va_start __builtin_va_start
#define va_arg __builtin_va_arg
#define va_end __builtin_va_end

enum { ENOSYS = 38, X_OK = 1 };

// Whoever has a C library has these; before glibc 2.34 `dlsym` only where the program loads libdl.
extern int *__errno_location(void) __attribute__((weak));
extern void *dlsym(void *handle, const char *name) __attribute__((weak));
extern void *__libc_dlsym(void *map, const char *name) __attribute__((weak));
extern void *__libc_dlopen_mode(const char *name, int mode) __attribute__((weak));
extern char **environ __attribute__((weak));

static void *next(const char *name)
{
	enum { RTLD_LAZY = 1 };
	void *const after_us = (void *)-1;
	void *found = 0;

	if (dlsym) {
		found = dlsym(after_us, name);
	} else if (__libc_dlsym && __libc_dlopen_mode) {
		void *libc = __libc_dlopen_mode("libc.so.6", RTLD_LAZY);

		if (libc)
			found = __libc_dlsym(libc, name);
	}
	return found;
}

enum { EXECVPE, FEXECVE, SPAWN, SPAWNP, FUNCTIONS };

static const char *const names[FUNCTIONS] = { "execvpe", "fexecve", "posix_spawn", "posix_spawnp" };
static void *functions[FUNCTIONS];

// Found when the object is loaded: a child of vfork is no place for it.
__attribute__((constructor)) static void find(void)
{
	if (!(settings.report & CALLS))
		return;
	for (u32 i = 0; i < FUNCTIONS; i++)
		functions[i] = next(names[i]);
}

static void *function(u32 which)
{
	if (!functions[which])
		functions[which] = next(names[which]);
	return functions[which];
}

static int fail(long error)
{
	if (__errno_location)
		*__errno_location() = (int)error;
	return -1;
}

static int answer(long result)
{
	return result < 0 ? fail(-result) : (int)result;
}

static u32 list(char *const argv[], struct part parts[ARGUMENTS], struct report *report)
{
	u32 n = 0;

	for (; argv && argv[n]; n++) {
		if (n == ARGUMENTS) {
			report->flags |= CUT;
			break;
		}
		parts[n].start = argv[n];
		parts[n].length = text_length(argv[n]) + 1;
	}
	return n;
}

static char *decimal(char *to, int number)
{
	char digits[10];
	u32 n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (n)
		*to++ = digits[--n];
	*to = 0;
	return to;
}

// Where the path begins: a text in front of it for the monitor.
static u64 beginning(int dirfd, const char *path, char *into, u64 room)
{
	char link[32] = "/proc/self/fd/";
	long n;

	if (path[0] == '/')
		return 0;
	if (dirfd >= 0) {
		decimal(link + text_length(link), dirfd);
		return read_link(link, into, room);
	}
	n = call(SYS_GETCWD, (long)into, (long)room, 0);
	return n > 1 ? (u64)n - 1 : 0;
}

// Tells of a call. One that is refused already is none: the kernel would say the same.
static void tell(int dirfd, const char *path, char *const argv[], int flags)
{
	struct report report = { .kind = CALL };
	struct part texts[TEXTS] = { 0 };
	struct part arguments[ARGUMENTS];
	char start[PATH_BYTES];
	u32 n;

	if (!(settings.report & CALLS) || !path)
		return;
	if (path[0]) {
		if (call(SYS_FACCESSAT, dirfd, (long)path, X_OK) < 0)
			return;
	} else if (!(flags & AT_EMPTY_PATH)) {
		return;
	}
	texts[1].start = start;
	texts[1].length = beginning(dirfd, path, start, sizeof(start));
	texts[2].start = path;
	texts[2].length = text_length(path);
	n = list(argv, arguments, &report);
	hand_over(&report, texts, arguments, n);
}

EXPORTED int execve(const char *path, char *const argv[], char *const envp[])
{
	tell(AT_FDCWD, path, argv, 0);
	return answer(call(SYS_EXECVE, (long)path, (long)argv, (long)envp));
}

EXPORTED int execv(const char *path, char *const argv[])
{
	return execve(path, argv, &environ ? environ : 0);
}

EXPORTED int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
	tell(dirfd, path, argv, flags);
	return answer(call6(SYS_EXECVEAT, dirfd, (long)path, (long)argv, (long)envp, flags, 0));
}

EXPORTED int fexecve(int fd, char *const argv[], char *const envp[])
{
	int (*libc)(int, char *const[], char *const[]) = function(FEXECVE);

	tell(fd, "", argv, AT_EMPTY_PATH);
	return libc ? libc(fd, argv, envp) : fail(ENOSYS);
}

// Which file a search finds is the library's to say; what is told is the name.
static void tell_name(const char *name, char *const argv[], u8 kind, u32 child)
{
	struct report report = { .kind = kind, .child = child };
	struct part texts[TEXTS] = { 0 };
	struct part arguments[ARGUMENTS];
	u32 n;

	if (!(settings.report & CALLS) || !name)
		return;
	texts[2].start = name;
	texts[2].length = text_length(name);
	n = list(argv, arguments, &report);
	hand_over(&report, texts, arguments, n);
}

EXPORTED int execvpe(const char *name, char *const argv[], char *const envp[])
{
	int (*libc)(const char *, char *const[], char *const[]) = function(EXECVPE);

	tell_name(name, argv, CALL, 0);
	return libc ? libc(name, argv, envp) : fail(ENOSYS);
}

EXPORTED int execvp(const char *name, char *const argv[])
{
	return execvpe(name, argv, &environ ? environ : 0);
}

// Counts what follows the first argument, its null included.
#define COUNT(first, count)                                     \
	do {                                                    \
		va_list all;                                    \
		count = 1;                                      \
		va_start(all, first);                           \
		while (first && va_arg(all, char *))            \
			count++;                                \
		va_end(all);                                    \
	} while (0)

#define TAKE(first, from, into, count)                          \
	do {                                                    \
		into[0] = (char *)first;                        \
		for (u64 i = 1; i <= count; i++)                \
			into[i] = i < count ? va_arg(from, char *) : 0; \
	} while (0)

EXPORTED int execl(const char *path, const char *first, ...)
{
	va_list all;
	u64 count;

	COUNT(first, count);
	char *argv[count + 1];
	va_start(all, first);
	TAKE(first, all, argv, count);
	va_end(all);
	return execv(path, argv);
}

EXPORTED int execlp(const char *name, const char *first, ...)
{
	va_list all;
	u64 count;

	COUNT(first, count);
	char *argv[count + 1];
	va_start(all, first);
	TAKE(first, all, argv, count);
	va_end(all);
	return execvp(name, argv);
}

EXPORTED int execle(const char *path, const char *first, ...)
{
	va_list all;
	u64 count;
	char *const *envp;

	COUNT(first, count);
	char *argv[count + 1];
	va_start(all, first);
	TAKE(first, all, argv, count);
	// The null behind the arguments, then the environment.
	if (first)
		va_arg(all, char *);
	envp = va_arg(all, char *const *);
	va_end(all);
	return execve(path, argv, envp);
}

typedef int spawn(int *, const char *, const void *, const void *, char *const[], char *const[]);

// It answers when the child has executed its program or failed to.
static int spawned(u32 which, int *pid, const char *path, const void *actions, const void *attributes,
		   char *const argv[], char *const envp[])
{
	spawn *libc = (spawn *)function(which);
	int child = 0, error;

	if (!libc)
		return ENOSYS;
	error = libc(&child, path, actions, attributes, argv, envp);
	if (error)
		return error;
	if (pid)
		*pid = child;
	tell_name(path, argv, SPAWNED, (u32)child);
	return 0;
}

EXPORTED int posix_spawn(int *pid, const char *path, const void *actions, const void *attributes,
			 char *const argv[], char *const envp[])
{
	return spawned(SPAWN, pid, path, actions, attributes, argv, envp);
}

EXPORTED int posix_spawnp(int *pid, const char *name, const void *actions, const void *attributes,
			  char *const argv[], char *const envp[])
{
	return spawned(SPAWNP, pid, name, actions, attributes, argv, envp);
}
