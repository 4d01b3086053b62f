// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
//
// The kernel's half of `ebpf-execsnoop`: what is known when the call begins is kept by the number of the thread
// until it ends, as libbpf-tools' execsnoop.bpf.c does it, with the same bounds.

#include "record.h"

// How many arguments are read at most, the path among them.
const volatile __u32 max_args = 20;

#define STRING_BYTES 128
#define ALL_ARGS 60
#define CALL_BYTES (ALL_ARGS * STRING_BYTES)

struct call {
	RECORD_HEADER
	__u8 text[CALL_BYTES];
};

// A call is too large for the stack, so an empty one comes from here.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct call);
	__uint(max_entries, 1);
} empty SEC(".maps");

// A call that never leaves under its own number stays in here: of a thread that is not the first, of one that dies
// of its exec, of one whose new image is of 32 bits. So the map makes room by itself, by forgetting some of the oldest,
// up to 128 at once.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u32);
	__type(value, struct call);
	__uint(max_entries, 1024);
} calls SEC(".maps");

// Execs of each CPU of which nothing was kept above.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} counts SEC(".maps");

// events/syscalls/sys_enter_execve/format
struct enter {
	__u64 common;
	__u64 number;
	const char *filename;
	const char *const *argv;
};

// events/syscalls/sys_exit_execve/format
struct exit {
	__u64 common;
	__u64 number;
	long result;
};

// Reads one string of the caller's; gives where the text goes on, or 0 where it could not be read.
static __always_inline __u64 read_string(struct call *call, __u64 at, const char *string)
{
	long n;

	PIN(at);
	if (at > CALL_BYTES - STRING_BYTES)
		return 0;
	n = bpf_probe_read_user_str(call->text + at, STRING_BYTES, string);
	if (n <= 0)
		return 0;
	if (n == STRING_BYTES)
		call->flags |= ARGV_CUT;
	return at + n;
}

SEC("tracepoint/syscalls/sys_enter_execve")
int enter(struct enter *ctx)
{
	__u32 zero = 0, tid = bpf_get_current_pid_tgid();
	struct task_struct *task, *parent;
	struct call *call = bpf_map_lookup_elem(&empty, &zero);
	const char *const *argv = ctx->argv;
	const char *string = 0;
	__u64 at, next;
	__u32 i;

	if (!call)
		return 0;
	if (bpf_map_update_elem(&calls, &tid, call, 0))
		return 0;
	call = bpf_map_lookup_elem(&calls, &tid);
	if (!call)
		return 0;
	task = (struct task_struct *)bpf_get_current_task();
	parent = GET(0, task, real_parent);
	call->tgid = bpf_get_current_pid_tgid() >> 32;
	call->uid = bpf_get_current_uid_gid();
	call->ppid = GET(0, parent, tgid);
	call->flags = PATH_GIVEN | ARGV0_GIVEN | NO_FILE;
	at = read_string(call, 0, ctx->filename);
	if (!at)
		return 0;
	call->given_len = at;
	for (i = 1; i < ALL_ARGS && i < max_args; i++) {
		if (bpf_probe_read_user(&string, sizeof(string), &argv[i]) || !string)
			return 0;
		next = read_string(call, at, string);
		if (!next)
			break;
		call->argv_len += next - at;
		at = next;
	}
	// One more would be one too many.
	if (!bpf_probe_read_user(&string, sizeof(string), &argv[i]) && string)
		call->flags |= ARGV_CUT;
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_execve")
int leave(struct exit *ctx)
{
	__u64 time = bpf_ktime_get_ns();
	__u32 tid = bpf_get_current_pid_tgid();
	__u32 cpu = bpf_get_smp_processor_id();
	struct call *call = bpf_map_lookup_elem(&calls, &tid);
	struct cpu *state = bpf_map_lookup_elem(&cpus, &cpu);
	__u64 size;

	if (!call) {
		__u64 *count = bpf_map_lookup_elem(&counts, &cpu);

		if (!ctx->result && count)
			*count += 1;
		return 0;
	}
	if (!state)
		return 0;
	if (!ctx->result) {
		call->time = time;
		call->cpu = cpu;
		call->lost = state->lost;
		size = (__u64)call->given_len + call->argv_len;
		PIN(size);
		if (size <= CALL_BYTES && to_ring(call, __builtin_offsetof(struct call, text) + size))
			state->lost++;
	}
	bpf_map_delete_elem(&calls, &tid);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
