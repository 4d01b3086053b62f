// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
//
// The kernel's half of `ebpf`, and of the rows that differ from it in what they leave out or in their buffer: one
// program on the raw tracepoint sched_process_exec, in its typed form.
//
// The kernel takes helpers that read its memory from programs that say they are GPL-compatible; the
// dual licence above is.
//
// One object serves every kernel from 5.8 on: no offset is written down, the loader puts them in from
// the running kernel's own type information (CO-RE). Neither vmlinux.h nor kernel headers are needed.

#include "collect.h"

// 0: ring buffer, 1: perf buffer.
const volatile __u32 use_perf = 0;
// 1: who executed, and when; no path, no strings.
const volatile __u32 bare = 0;
// 1: execs below the cgroup in the map are left out.
const volatile __u32 leave_out_cgroup = 0;
// 1: what the kernel itself executes is left out.
const volatile __u32 leave_out_helpers = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} perf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(max_entries, 1);
} cgroups SEC(".maps");

// How many were left out on each CPU.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} counts SEC(".maps");

#define PF_KTHREAD 0x00200000

// What the kernel executes by itself (modprobe, the handler of core dumps) is a child of one of its threads.
static __always_inline int is_left_out(struct task_struct *task)
{
	if (leave_out_cgroup && bpf_current_task_under_cgroup(&cgroups, 0) == 1)
		return 1;
	return leave_out_helpers && (task->real_parent->flags & PF_KTHREAD);
}

// A raw tracepoint whose arguments have types: then members are read by plain loads, checked when the
// program is loaded, and only what has no type any more (the walk) or lies in user memory goes
// through helpers.
SEC("tp_btf/sched_process_exec")
int exec(__u64 *ctx)
{
	__u64 time = bpf_ktime_get_ns();
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct linux_binprm *bprm = (struct linux_binprm *)ctx[2];
	struct file *file = bprm->file;
	struct mm_struct *mm;
	__u32 cpu = bpf_get_smp_processor_id();
	struct cpu *walk = bpf_map_lookup_elem(&cpus, &cpu);
	struct record *record = bpf_map_lookup_elem(&records, &cpu);
	__u64 at, size;
	long n;

	if (!walk || !record)
		return 0;
	if (is_left_out(task)) {
		__u64 *count = bpf_map_lookup_elem(&counts, &cpu);

		if (count)
			*count += 1;
		return 0;
	}
	record->time = time;
	record->cpu = cpu;
	record->lost = walk->lost;
	read_task(walk, record, task, 1);
	read_file(record, file, 1);
	if (bare) {
		record->path_len = 0;
		record->given_len = 0;
		record->argv_len = 0;
		record->flags = 0;
		size = HEADER;
	} else {
		read_path(walk, cpu, file, 1);
		at = walk->used;
		record->path_len = at;
		record->flags = walk->flags;
		at = read_given(record, at, bprm->filename);
		mm = task->mm;
		size = read_argv(record, at, mm->arg_start, mm->arg_end);
	}
	if (use_perf)
		n = bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, record, size);
	else
		n = to_ring(record, size);
	if (n)
		walk->lost++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
