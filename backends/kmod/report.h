/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/*
 * From an exec to the reader: what all rows share. A module has one ring of records in the kernel's memory and one
 * character device, `/dev/NAME`, that one reader at a time has open. Nothing is recorded while nobody has.
 */
#ifndef EXECLAB_REPORT_H
#define EXECLAB_REPORT_H

#include <linux/path.h>
#include <linux/types.h>

/* Keep in step with `backends/src/kmod/record.rs`. */
enum {
	PATH_UNREADABLE = 1, /* longer than PATH_BYTES, or the kernel refused */
	ARGV_CUT = 2,
	ARGV_UNREADABLE = 4,
	GIVEN_UNKNOWN = 8, /* not that it was empty, which it may be */
};

/* Behind it: path, string passed to the call, arguments with their NULs; no padding. */
struct record {
	u32 size; /* of all of it, in bytes */
	u32 flags;
	u64 time; /* CLOCK_MONOTONIC, ns */
	u64 lost; /* execs that found no room, since the device was opened */
	u64 cgroup;
	u64 inode;
	u32 tgid;
	u32 ns_pid;
	u32 ppid;
	u32 uid;
	u32 mnt_ns;
	u32 pid_ns;
	u32 dev;
	u32 path_len;
	u32 given_len;
	u32 argv_len;
};

/* Allocates the ring and makes the device. 0, or an error number. */
int report_start(const char *name);

/* Takes both away. Nothing may report any more. */
void report_stop(void);

/*
 * Records an exec of the current task, which has its new image. Never sleeps. `given` is the string that was passed to
 * the call, of `given_len` bytes, or NULL where it is not known.
 */
void report_exec(const struct path *path, const char *given, size_t given_len);

/* The same, where nobody has the file in hand: of the new image (`/proc/PID/exe`). */
void report_image(const char *given, size_t given_len);

#endif
