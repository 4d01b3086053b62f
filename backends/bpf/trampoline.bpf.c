// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
//
// The kernel's half of the rows that are called by the traced function itself, through a trampoline: fentry and
// fexit.

#include "collect.h"

// void proc_exec_connector(struct task_struct *task)
SEC("fentry/proc_exec_connector")
int entered(__u64 *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx[0];
	struct file *file = task->mm->exe_file;

	// The verifier of newer kernels knows that the member can be null, and asks.
	return file ? report(task, 1, file, 1, 0) : 0;
}

// Numbers of helpers, of which the running kernel's own list says whether it has them.
enum bpf_func_id {
	BPF_FUNC_get_func_ret = 184,
};

// int bprm_execve(struct linux_binprm *bprm), with three more arguments up to 6.1
SEC("fexit/bprm_execve")
int left(__u64 *ctx)
{
	struct linux_binprm *bprm = (struct linux_binprm *)ctx[0];
	// With a type only from 5.11 on (bpf_get_current_task_btf).
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 result;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_func_ret)) {
		if (bpf_get_func_ret(ctx, &result))
			return 0;
	} else {
		result = ctx[4];
	}
	// A call that only checks (AT_EXECVE_CHECK, 6.14) succeeds too, and leaves the new address space where it is.
	if ((int)result || bprm->mm)
		return 0;
	return report(task, 0, bprm->file, 1, bprm->filename);
}

#define FMODE_EXEC 0x20

// int security_file_open(struct file *file): one of the few functions in which `bpf_d_path` may be called.
SEC("fentry/security_file_open")
int opened(__u64 *ctx)
{
	struct file *file = (struct file *)ctx[0];
	struct task_struct *task;
	struct record *record;
	struct cpu *walk;
	__u64 time, size;
	__u32 cpu;
	long n;

	// Every file that is opened comes by here.
	if (!(file->f_flags & FMODE_EXEC))
		return 0;
	time = bpf_ktime_get_ns();
	cpu = bpf_get_smp_processor_id();
	walk = bpf_map_lookup_elem(&cpus, &cpu);
	record = bpf_map_lookup_elem(&records, &cpu);
	if (!walk || !record)
		return 0;
	task = (struct task_struct *)bpf_get_current_task();
	record->time = time;
	record->cpu = cpu;
	record->lost = walk->lost;
	read_task(walk, record, task, 0);
	read_file(record, file, 1);
	record->given_len = 0;
	record->argv_len = 0;
	record->flags = PATH_WHOLE;
	n = bpf_d_path(&file->f_path, (char *)record->text, PATH_BYTES);
	if (n < 0) {
		record->flags |= PATH_UNREADABLE;
		n = 0;
	}
	size = n;
	PIN(size);
	size &= 2 * PATH_BYTES - 1;
	record->path_len = size;
	if (to_ring(record, HEADER + size))
		walk->lost++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
