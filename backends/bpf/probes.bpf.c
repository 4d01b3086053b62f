// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
//
// The kernel's half of the rows whose programs are given pointers without types: every member is read through a
// helper.

#include "collect.h"

// The arguments of the tracepoint, as plain numbers.
SEC("raw_tp/sched_process_exec")
int raw(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct linux_binprm *bprm = (struct linux_binprm *)ctx[2];

	return report(task, 0, GET(0, bprm, file), 0, GET(0, bprm, filename));
}

// The event as ftrace and perf have it (events/sched/sched_process_exec/format): the same on every kernel.
struct exec_event {
	__u64 common;
	// Where the string is: offset from here below, length above.
	__u32 filename;
	int pid;
	int old_pid;
};

SEC("tracepoint/sched/sched_process_exec")
int classic(struct exec_event *ctx)
{
	__u64 time = bpf_ktime_get_ns();
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct mm_struct *mm = GET(0, task, mm);
	__u32 cpu = bpf_get_smp_processor_id();
	struct cpu *walk = bpf_map_lookup_elem(&cpus, &cpu);
	struct record *record = bpf_map_lookup_elem(&records, &cpu);
	__u64 at, size;

	if (!walk || !record)
		return 0;
	record->time = time;
	record->cpu = cpu;
	record->lost = walk->lost;
	read_task(walk, record, task, 0);
	record->path_len = 0;
	record->flags = PATH_GIVEN | NO_FILE;
	at = read_given(record, 0, (const char *)ctx + (ctx->filename & 0xffff));
	size = read_argv(record, at, GET(0, mm, arg_start), GET(0, mm, arg_end));
	if (to_ring(record, size))
		walk->lost++;
	return 0;
}

// `struct pt_regs` of x86-64, as an array.
enum { AX = 10, DI = 14 };

// void proc_exec_connector(struct task_struct *task)
SEC("kprobe/proc_exec_connector")
int connector(__u64 *registers)
{
	struct task_struct *task = (struct task_struct *)registers[DI];
	struct mm_struct *mm = GET(0, task, mm);

	return report(task, 0, GET(0, mm, exe_file), 0, 0);
}

// The calls that are under way, by the address of their task: its number may be another one when the call returns.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u64);
	__type(value, __u64);
	__uint(max_entries, 8192);
} calls SEC(".maps");

// int bprm_execve(struct linux_binprm *bprm, ...)
SEC("kprobe/bprm_execve")
int call(__u64 *registers)
{
	__u64 task = bpf_get_current_task();
	__u64 bprm = registers[DI];

	bpf_map_update_elem(&calls, &task, &bprm, 0);
	return 0;
}

SEC("kretprobe/bprm_execve")
int returned(__u64 *registers)
{
	__u64 key = bpf_get_current_task();
	struct task_struct *task = (struct task_struct *)key;
	__u64 *found = bpf_map_lookup_elem(&calls, &key);
	struct linux_binprm *bprm = found ? (struct linux_binprm *)*found : 0;
	const char *filename = 0;
	struct mm_struct *mm;

	if (found)
		bpf_map_delete_elem(&calls, &key);
	if ((int)registers[AX])
		return 0;
	if (bprm) {
		// A call that only checks (AT_EXECVE_CHECK, 6.14) succeeds too, and leaves the new address space
		// where it is.
		if (GET(0, bprm, mm))
			return 0;
		filename = GET(0, bprm, filename);
	}
	mm = GET(0, task, mm);
	return report(task, 0, GET(0, mm, exe_file), 0, filename);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
