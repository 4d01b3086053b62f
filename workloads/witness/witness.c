// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Preloaded into programs that are not ours (`/etc/ld.so.preload`, ld.so(8)): each image that starts reports
// itself, before its own first line. No monitor has a part in it.
//
// No C library: what it calls would be that of the program, which is not ready yet. One record is one
// `writev` to a file opened with O_APPEND, so that records of many processes stay whole. A program that
// cannot report itself ends, so that nothing runs of which truth does not know.
//
// Read by `src/witness.rs`; keep in step.

typedef unsigned int u32;
typedef unsigned long u64;

enum { MAGIC = 0x57494c58, NO_EVIDENCE = 99, PATH_BYTES = 4096 };

// The place of the log's name: whoever installs this object writes it here (`witness::object`). Volatile, or
// the compiler takes what it sees for what it will be.
static volatile const char LOG[256] = "@execlab-witness-log@";

struct record {
	u32 magic;
	// Of all of it, texts included.
	u32 length;
	u32 pid;
	u32 ppid;
	u32 uid;
	u32 argc;
	// Inodes of its namespaces.
	u32 mnt_ns;
	u32 pid_ns;
	// CLOCK_MONOTONIC, in nanoseconds.
	u64 started_ns;
	// Of the texts behind this, in their order: /proc/self/exe, AT_EXECFN, working directory, arguments. The
	// first three have no NUL, each argument has one.
	u32 path_length;
	u32 given_length;
	u32 cwd_length;
	u32 argv_length;
};

struct part {
	const void *start;
	u64 length;
};

// syscall(2): rcx and r11 are what the instruction clobbers.
static long call(long number, long a, long b, long c)
{
	long result;

	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(number), "D"(a), "S"(b), "d"(c)
		     : "rcx", "r11", "memory");
	return result;
}

enum {
	SYS_OPEN = 2,
	SYS_CLOSE = 3,
	SYS_STAT = 4,
	SYS_WRITEV = 20,
	SYS_GETPID = 39,
	SYS_GETCWD = 79,
	SYS_READLINK = 89,
	SYS_GETUID = 102,
	SYS_GETPPID = 110,
	SYS_CLOCK_GETTIME = 228,
	SYS_EXIT_GROUP = 231,
};

static u32 text_length(const char *text)
{
	u32 length = 0;

	while (((volatile const char *)text)[length])
		length++;
	return length;
}

// The string that was passed to exec, from the auxiliary vector behind the environment (getauxval(3)).
static const char *given(char **environment)
{
	const u64 *pair;

	while (*environment)
		environment++;
	for (pair = (const u64 *)(environment + 1); pair[0]; pair += 2)
		if (pair[0] == 31)
			return (const char *)pair[1];
	return "";
}

// The inode of a file; 0 of one that is not there.
static u32 inode(const char *file)
{
	// struct stat of x86-64: 144 bytes, the second word is the inode.
	u64 stat[18];

	return call(SYS_STAT, (long)file, (long)stat, 0) ? 0 : stat[1];
}

// ld.so calls constructors as it calls main.
__attribute__((constructor)) static void report(int argc, char **argv, char **environment)
{
	enum { CLOCK_MONOTONIC = 1, O_APPEND_WRONLY_CLOEXEC = 02000 | 01 | 02000000 };
	char path[PATH_BYTES], cwd[PATH_BYTES];
	struct { u64 seconds, nanos; } now;
	const char *name = given(environment);
	struct record record;
	long path_length, cwd_length, log, written;

	call(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, (long)&now, 0);
	path_length = call(SYS_READLINK, (long)"/proc/self/exe", (long)path, PATH_BYTES);
	// Its length with the NUL.
	cwd_length = call(SYS_GETCWD, (long)cwd, PATH_BYTES, 0);
	record.magic = MAGIC;
	record.pid = call(SYS_GETPID, 0, 0, 0);
	record.ppid = call(SYS_GETPPID, 0, 0, 0);
	record.uid = call(SYS_GETUID, 0, 0, 0);
	record.argc = argc;
	record.mnt_ns = inode("/proc/self/ns/mnt");
	record.pid_ns = inode("/proc/self/ns/pid");
	record.started_ns = now.seconds * 1000000000 + now.nanos;
	record.path_length = path_length < 0 ? 0 : path_length;
	record.given_length = text_length(name);
	record.cwd_length = cwd_length < 1 ? 0 : cwd_length - 1;
	// The kernel lays them out one behind the other (copy_strings, fs/exec.c).
	record.argv_length = argc ? argv[argc - 1] + text_length(argv[argc - 1]) + 1 - argv[0] : 0;
	record.length = sizeof(record) + record.path_length + record.given_length +
			record.cwd_length + record.argv_length;

	struct part parts[] = {
		{ &record, sizeof(record) },	   { path, record.path_length },
		{ name, record.given_length },	   { cwd, record.cwd_length },
		{ argc ? argv[0] : "", record.argv_length },
	};
	log = call(SYS_OPEN, (long)LOG, O_APPEND_WRONLY_CLOEXEC, 0);
	written = call(SYS_WRITEV, log, (long)parts, sizeof(parts) / sizeof(parts[0]));
	call(SYS_CLOSE, log, 0, 0);
	if (written != record.length)
		call(SYS_EXIT_GROUP, NO_EVIDENCE, 0, 0);
}
