// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
//
// What all programs write, where they write it, and how it gets out. A program that several tasks may be in at
// once on one CPU says SLOTS before it includes this.

#pragma once

#include "kernel.h"

// What user space sets before a program is loaded; the verifier then removes what is not reached.

// How many bytes of arguments are copied at most.
const volatile __u32 argv_limit = 4096;
// With so many bytes waiting the reader is woken even if it has not taken the last ones yet; 0: the
// kernel's own rule alone, which wakes a reader that has taken everything before this record.
const volatile __u64 force_wakeup_at = 0;
// The reader is woken by nothing else than so many bytes that wait, and looks by its own clock; 0: as above.
const volatile __u64 batch_bytes = 0;

#define PATH_BYTES 8192
#define NAME_BYTES 256
#define GIVEN_BYTES 4096
#define ARGV_BYTES 32767

// Keep in step with `record.rs`.
enum {
	PATH_CUT = 1,
	ARGV_CUT = 2,
	DELETED = 4,
	DISCONNECTED = 8,
	ARGV_UNREADABLE = 16,
	PATH_UNREADABLE = 32,
	// The path is one string, from the root to the leaf, as the kernel's own functions make it.
	PATH_WHOLE = 64,
	// The path is known as it was given, and not otherwise.
	PATH_GIVEN = 128,
	// The string that was given stands where the first argument would.
	ARGV0_GIVEN = 256,
	// The file is not known by device and inode.
	NO_FILE = 512,
	// Above this: how many of the strings are arguments, where others follow them; 0 where none do.
	ARGC = 1 << 16,
};

#define RECORD_HEADER                                                          \
	__u64 time;                                                            \
	__u64 cgroup;                                                          \
	__u64 inode;                                                           \
	/* Of this CPU, before this record: so user space learns of every      \
	   loss, and between which two records it happened, without asking. */ \
	__u64 lost;                                                            \
	__u32 tgid;                                                            \
	__u32 ns_pid;                                                          \
	__u32 ppid;                                                            \
	__u32 uid;                                                             \
	__u32 mnt_ns;                                                          \
	__u32 pid_ns;                                                          \
	__u32 dev;                                                             \
	__u32 cpu;                                                             \
	__u32 path_len;                                                        \
	__u32 given_len;                                                       \
	__u32 argv_len;                                                        \
	__u32 flags;

struct record {
	RECORD_HEADER
	// Path (components from the file to the root, each ended by NUL), string passed to the call
	// (with its NUL), arguments (each with its NUL), directly one after the other. Twice as long as
	// it can get: offsets and lengths are proved by masks, which are powers of two.
	__u8 text[65536];
};
#define HEADER __builtin_offsetof(struct record, text)

// State of a walk from a file to the root of its mount namespace. It lives in a map and not in
// registers: then one step of the walk is one function that is verified once, and not a state that
// the verifier follows through thousands of iterations.
struct cpu {
	__u64 lost;
	__u64 dentry;
	// The mount that the walk is in, and what was read from it.
	__u64 mount;
	__u64 mount_parent;
	__u64 mountpoint;
	__u64 mount_root;
	__u64 used;
	__u64 flags;
};

// Arrays with an element for each CPU, and not per-CPU maps: a look-up in an array is a few inlined
// instructions on every kernel, and a per-CPU element may not be larger than 32 KiB. Nobody else
// can be in the element: either preemption is off (tracepoints and kprobes of 5.10), or the kernel does not
// start the program on a CPU on which it already runs, and counts that as a recursion miss, which
// user space reads and reports. Where neither holds there are several for each CPU, and each is claimed.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct cpu);
	__uint(max_entries, 1);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct record);
	__uint(max_entries, 1);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

// 5.10 forgets the bounds of a value that the compiler keeps in another register than the one that
// was tested. This makes it the same register.
#define PIN(value) asm volatile("" : "+r"(value))

#define OFFSET(type, member) bpf_core_field_offset(((type *)0)->member)

// A member by a plain load, where the verifier knows the pointer's type, or else through a helper. Which of
// them is decided when this is compiled.
#define GET(typed, pointer, member)                                            \
	({                                                                     \
		__typeof__((pointer)->member) __value = 0;                     \
		if (typed)                                                     \
			__value = (pointer)->member;                           \
		else                                                           \
			bpf_core_read(&__value, sizeof(__value), &(pointer)->member); \
		__value;                                                       \
	})

static __always_inline long to_ring(void *record, __u64 size)
{
	__u64 flags = 0;

	if (batch_bytes) {
		flags = BPF_RB_NO_WAKEUP;
		if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) + size >= batch_bytes)
			flags = BPF_RB_FORCE_WAKEUP;
	} else if (force_wakeup_at &&
		   bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= force_wakeup_at) {
		flags = BPF_RB_FORCE_WAKEUP;
	}
	return bpf_ringbuf_output(&ring, record, size, flags);
}
