// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
//
// What is told of an exec beside its path. `typed` says whether the verifier knows the type of the pointer.

#pragma once

#include "walk.h"

static __always_inline void read_task(struct cpu *walk, struct record *record,
				      struct task_struct *task, const int typed)
{
	struct pid *pid = GET(typed, task, thread_pid);
	struct task_struct *parent;
	struct nsproxy *nsproxy;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns = 0;
	struct upid *upid;

	record->tgid = bpf_get_current_pid_tgid() >> 32;
	record->uid = bpf_get_current_uid_gid();
	record->cgroup = bpf_get_current_cgroup_id();
	parent = GET(typed, task, real_parent);
	record->ppid = GET(typed, parent, tgid);
	nsproxy = GET(typed, task, nsproxy);
	mnt_ns = GET(typed, nsproxy, mnt_ns);
	record->mnt_ns = GET(typed, mnt_ns, ns.inum);

	// Number and namespace of the innermost level. `numbers` is declared with one element on some
	// kernels and with none on others, and which one it is is known only now, so the element is
	// found by arithmetic.
	upid = (struct upid *)(number(walk, pid) + OFFSET(struct pid, numbers) +
				     (__u64)GET(typed, pid, level) *
					     bpf_core_type_size(struct upid));
	record->ns_pid = 0;
	record->pid_ns = 0;
	bpf_core_read(&record->ns_pid, 4, &upid->nr);
	bpf_core_read(&pid_ns, sizeof(pid_ns), &upid->ns);
	bpf_core_read(&record->pid_ns, 4, &pid_ns->ns.inum);
}

static __always_inline void read_file(struct record *record, struct file *file,
				      const int typed)
{
	struct inode *inode = GET(typed, file, f_inode);
	struct super_block *sb;

	record->inode = GET(typed, inode, i_ino);
	sb = GET(typed, inode, i_sb);
	record->dev = GET(typed, sb, s_dev);
}

// The kernel's own copy of the string: nobody can change it between the call and this. Gives where the
// text goes on.
static __always_inline __u64 read_given(struct record *record, __u64 at, const char *filename)
{
	__u64 size;
	long n;

	PIN(at);
	at &= 2 * PATH_BYTES - 1;
	// Null reads as nothing.
	n = bpf_probe_read_kernel_str(record->text + at, GIVEN_BYTES, filename);
	size = n > 0 ? n : 0;
	record->given_len = size;
	at += size;
	PIN(at);
	at &= 2 * PATH_BYTES - 1;
	return at;
}

// The arguments as the new image finds them, on its stack. The kernel has just written them
// there, so the pages are in memory; a program that may not sleep could not fetch them. Gives the size of the
// whole record.
static __always_inline __u64 read_argv(struct record *record, __u64 at, unsigned long start,
				       unsigned long end)
{
	__u64 size = 0;

	if (argv_limit) {
		size = end - start;
		if (size > argv_limit) {
			size = argv_limit;
			record->flags |= ARGV_CUT;
		}
		PIN(size);
		size &= ARGV_BYTES;
		if (bpf_probe_read_user(record->text + at, size, (const void *)start)) {
			record->flags |= ARGV_UNREADABLE;
			size = 0;
		}
	}
	record->argv_len = size;
	// Only what is used goes into the buffer.
	size += HEADER + at;
	PIN(size);
	size &= 0xffff;
	return size;
}

// Everything that there is to tell of an exec that is done, into the ring. No `filename` where the attach point
// does not know the string that was passed to the call.
static __always_inline int report(struct task_struct *task, const int task_typed,
				  struct file *file, const int file_typed, const char *filename)
{
	__u64 time = bpf_ktime_get_ns();
	__u32 cpu = bpf_get_smp_processor_id();
	struct cpu *walk = bpf_map_lookup_elem(&cpus, &cpu);
	struct record *record = bpf_map_lookup_elem(&records, &cpu);
	struct mm_struct *mm;
	__u64 at, size;

	if (!walk || !record)
		return 0;
	record->time = time;
	record->cpu = cpu;
	record->lost = walk->lost;
	read_task(walk, record, task, task_typed);
	read_file(record, file, file_typed);
	read_path(walk, cpu, file, file_typed);
	at = walk->used;
	record->path_len = at;
	record->flags = walk->flags;
	at = read_given(record, at, filename);
	mm = GET(task_typed, task, mm);
	size = read_argv(record, at, GET(task_typed, mm, arg_start), GET(task_typed, mm, arg_end));
	if (to_ring(record, size))
		walk->lost++;
	return 0;
}
