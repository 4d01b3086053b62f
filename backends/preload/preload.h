// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the parts of the preloaded object share. No C library: it is loaded beside whichever the program has, or none.

#ifndef EXECLAB_PRELOAD_H
#define EXECLAB_PRELOAD_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

enum { PATH_BYTES = 4096, NAME_BYTES = 104 };

enum { IMAGES = 1, CALLS = 2 };
enum { FULL = 1 };

// Written by the monitor before anybody loads it (`src/preload/object.rs`; keep in step). Volatile, or the compiler
// takes what it sees for what it will be.
struct settings {
	char magic[16];
	// IMAGES, CALLS, or both.
	u8 report;
	// FULL: cgroup and namespaces too.
	u8 lookup;
	// Of the abstract name.
	u8 name_length;
	u8 unused;
	u32 unused_too;
	// Where the monitor listens: a path, and a name without a file for who does not see that path.
	char path[NAME_BYTES];
	char name[NAME_BYTES];
	// A file that a byte is added to for each report that found no room.
	char lost[NAME_BYTES];
};

extern const volatile struct settings settings;

// What a report is of.
enum { IMAGE = 1, CALL = 2, SPAWNED = 3 };
enum { CUT = 1 };

// Read by `src/preload/wire.rs`; keep in step.
struct report {
	u32 magic;
	u8 kind;
	u8 flags;
	u16 unused;
	// In the process's own PID namespace.
	u32 pid;
	u32 ppid;
	// Of what posix_spawn made.
	u32 child;
	// Of the texts behind this, in their order; each argument has its NUL, nothing else has one.
	u32 path;
	u32 given;
	u32 cgroup;
	u32 mnt_ns;
	u32 pid_ns;
	u32 argv;
};

struct part {
	const void *start;
	u64 length;
};

// The parts of a report beside its arguments: the report itself and five texts.
enum { TEXTS = 6, ARGUMENTS = 200 };

// Hands a report over; its lengths are told by the parts. `argv` may be null.
void hand_over(struct report *report, struct part texts[TEXTS], const struct part *argv, u32 arguments);
// A file of /proc or a link in it, as far as it fits; 0 where it cannot be read.
u64 read_text(const char *path, char *into, u64 room);
u64 read_link(const char *path, char *into, u64 room);
u64 text_length(const char *text);

// syscall(2): rcx and r11 are what the instruction clobbers.
static inline long call6(long number, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	register long r9 asm("r9") = f;

	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	return result;
}

static inline long call(long number, long a, long b, long c)
{
	return call6(number, a, b, c, 0, 0, 0);
}

// asm/unistd_64.h
enum {
	SYS_READ = 0,
	SYS_WRITE = 1,
	SYS_OPEN = 2,
	SYS_CLOSE = 3,
	SYS_GETPID = 39,
	SYS_SOCKET = 41,
	SYS_SENDMSG = 46,
	SYS_SETSOCKOPT = 54,
	SYS_EXECVE = 59,
	SYS_GETCWD = 79,
	SYS_READLINK = 89,
	SYS_GETPPID = 110,
	SYS_FACCESSAT = 269,
	SYS_EXECVEAT = 322,
};

// fcntl.h
enum {
	O_RDONLY = 0,
	O_WRONLY = 1,
	O_APPEND = 02000,
	O_CLOEXEC = 02000000,
	AT_FDCWD = -100,
	AT_EMPTY_PATH = 0x1000,
};

#endif
