// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
//
// The kernel's half of the rows that are called by the security hooks of an exec. All of them allow it.
//
// Nothing keeps such a program from being interrupted by another task that comes to the same hook on the same
// CPU (no recursion is looked for in LSM programs, and a sleepable one sleeps). So there are several places to
// write in for each CPU, and each is claimed by an atomic exchange: a program of the instruction set v3, 5.12.

#define SLOTS 4

#include "collect.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 1);
} claims SEC(".maps");

// Where one exec is written.
struct place {
	__u32 slot;
	__u32 cpu;
	__u64 *claim;
	struct cpu *walk;
	struct record *record;
};

static __always_inline void count_loss(__u32 cpu)
{
	__u32 first = cpu * SLOTS;
	struct cpu *walk = bpf_map_lookup_elem(&cpus, &first);

	if (walk)
		__sync_fetch_and_add(&walk->lost, 1);
}

// Gives whether there was one. It is let go by `done`.
static __always_inline int claim(struct place *place)
{
	__u32 first, i;
	struct cpu *counts;

	place->cpu = bpf_get_smp_processor_id();
	first = place->cpu * SLOTS;
	counts = bpf_map_lookup_elem(&cpus, &first);
	if (!counts)
		return 0;
#pragma clang loop unroll(full)
	for (i = 0; i < SLOTS; i++) {
		place->slot = first + i;
		place->claim = bpf_map_lookup_elem(&claims, &place->slot);
		if (place->claim && !__sync_val_compare_and_swap(place->claim, 0, 1)) {
			place->walk = bpf_map_lookup_elem(&cpus, &place->slot);
			place->record = bpf_map_lookup_elem(&records, &place->slot);
			if (!place->walk || !place->record)
				return 0;
			place->record->cpu = place->cpu;
			place->record->lost = counts->lost;
			return 1;
		}
	}
	__sync_fetch_and_add(&counts->lost, 1);
	return 0;
}

static __always_inline int done(struct place *place, __u64 size)
{
	if (to_ring(place->record, size))
		count_loss(place->cpu);
	// Only this CPU ever looks at it.
	*(volatile __u64 *)place->claim = 0;
	return 0;
}

// What each stage of an exec is told by: the file is the one of the stage, the string the one of the call.
static __always_inline void who(struct place *place, struct linux_binprm *bprm)
{
	place->record->time = bpf_ktime_get_ns();
	read_task(place->walk, place->record, bpf_get_current_task_btf(), 1);
	read_file(place->record, bprm->file, 1);
}

// int bprm_check_security(struct linux_binprm *bprm)
SEC("lsm/bprm_check_security")
int check(__u64 *ctx)
{
	struct linux_binprm *bprm = (struct linux_binprm *)ctx[0];
	struct place place;
	__u64 at;

	if (!claim(&place))
		return 0;
	who(&place, bprm);
	read_path(place.walk, place.slot, bprm->file, 1);
	at = place.walk->used;
	place.record->path_len = at;
	place.record->flags = place.walk->flags;
	// The arguments lie in an address space that is not this task's yet.
	place.record->argv_len = 0;
	at = read_given(place.record, at, bprm->filename);
	return done(&place, HEADER + at);
}

// The last part, and out: the strings as the kernel copied them onto the new stack. The image has not been laid out
// yet, so nobody says where the arguments end, but how many they are. Who may sleep can fetch what is not in memory.
static __always_inline int strings(struct place *place, __u64 at, struct linux_binprm *bprm,
				   const int may_sleep)
{
	struct record *record = place->record;
	void *start = (void *)bprm->p;
	__u64 size = bprm->exec - bprm->p;
	__u64 argc = (__u32)bprm->argc;
	long error;

	record->flags |= (argc > 0xffff ? 0xffff : (__u32)argc) * ARGC;
	if (size > argv_limit)
		size = argv_limit;
	PIN(size);
	size &= ARGV_BYTES;
	if (may_sleep)
		error = bpf_copy_from_user(record->text + at, size, start);
	else
		error = bpf_probe_read_user(record->text + at, size, start);
	if (error) {
		record->flags |= ARGV_UNREADABLE;
		size = 0;
	}
	record->argv_len = size;
	return done(place, HEADER + at + size);
}

// void bprm_committed_creds(const struct linux_binprm *bprm)
SEC("lsm/bprm_committed_creds")
int committed(__u64 *ctx)
{
	struct linux_binprm *bprm = (struct linux_binprm *)ctx[0];
	struct place place;
	__u64 at;

	if (!claim(&place))
		return 0;
	who(&place, bprm);
	read_path(place.walk, place.slot, bprm->file, 1);
	at = place.walk->used;
	place.record->path_len = at;
	place.record->flags = place.walk->flags;
	at = read_given(place.record, at, bprm->filename);
	return strings(&place, at, bprm, 0);
}

static __always_inline __u64 whole_path(struct record *record, long n)
{
	__u64 size = n;

	record->flags = PATH_WHOLE;
	if (n < 0) {
		record->flags |= PATH_UNREADABLE;
		size = 0;
	}
	PIN(size);
	size &= 2 * PATH_BYTES - 1;
	record->path_len = size;
	return size;
}

SEC("lsm.s/bprm_committed_creds")
int committed_sleepable(__u64 *ctx)
{
	struct linux_binprm *bprm = (struct linux_binprm *)ctx[0];
	struct place place;
	__u64 at;

	if (!claim(&place))
		return 0;
	who(&place, bprm);
	at = whole_path(place.record, bpf_d_path(&bprm->file->f_path, (char *)place.record->text,
						 PATH_BYTES));
	at = read_given(place.record, at, bprm->filename);
	return strings(&place, at, bprm, 1);
}

// int bpf_path_d_path(const struct path *path, char *buf, size_t buf__sz), a function of the kernel (6.12) and
// no helper. The loader does not know such calls, so the instruction is written out here; `kfunc.rs` puts the
// number of the function, which is another one on each kernel, in the place of the one below.
static __always_inline long bpf_path_d_path(struct path *path, char *buffer, __u64 bytes)
{
	register long r0 asm("r0");
	register struct path *r1 asm("r1") = path;
	register char *r2 asm("r2") = buffer;
	register __u64 r3 asm("r3") = bytes;

	asm volatile(".byte 0x85, 0x20, 0, 0, 0x6b, 0x66, 0x6e, 0x7f"
		     : "=r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
		     :
		     : "r4", "r5", "memory");
	return r0;
}

SEC("lsm/bprm_committed_creds")
int committed_kfunc(__u64 *ctx)
{
	struct linux_binprm *bprm = (struct linux_binprm *)ctx[0];
	struct place place;
	__u64 at;

	if (!claim(&place))
		return 0;
	who(&place, bprm);
	at = whole_path(place.record, bpf_path_d_path(&bprm->file->f_path,
						      (char *)place.record->text, PATH_BYTES));
	at = read_given(place.record, at, bprm->filename);
	return strings(&place, at, bprm, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
