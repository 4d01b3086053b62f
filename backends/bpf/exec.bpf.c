// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
//
// The kernel's half of the backend `ebpf`: one program on the raw tracepoint sched_process_exec, in its typed form.
//
// The kernel takes helpers that read its memory from programs that say they are GPL-compatible; the
// dual licence above is.
//
// One object serves every kernel from 5.8 on: no offset is written down, the loader puts them in from
// the running kernel's own type information (CO-RE). Neither vmlinux.h nor kernel headers are needed.

#include "kernel.h"

// What user space sets before the program is loaded; the verifier then removes what is not reached.

// 0: ring buffer, 1: perf buffer.
const volatile __u32 use_perf = 0;
// How many bytes of arguments are copied at most.
const volatile __u32 argv_limit = 4096;
// With so many bytes waiting the reader is woken even if it has not taken the last ones yet; 0: the
// kernel's own rule alone, which wakes a reader that has taken everything before this record.
const volatile __u64 force_wakeup_at = 0;

#define STEPS 2048
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
};

struct record {
	__u64 time;
	__u64 cgroup;
	__u64 inode;
	// Of this CPU, before this record: so user space learns of every loss, and between which two
	// records it happened, without asking.
	__u64 lost;
	__u32 tgid;
	__u32 ns_pid;
	__u32 ppid;
	__u32 uid;
	__u32 mnt_ns;
	__u32 pid_ns;
	__u32 dev;
	__u32 cpu;
	__u32 path_len;
	__u32 given_len;
	__u32 argv_len;
	__u32 flags;
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
// can be in the element: either a tracepoint runs with preemption off (5.10), or the kernel does not
// start the program on a CPU on which it already runs, and counts that as a recursion miss, which
// user space reads and reports.
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

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} perf SEC(".maps");

// 5.10 forgets the bounds of a value that the compiler keeps in another register than the one that
// was tested. This makes it the same register.
#define PIN(value) asm volatile("" : "+r"(value))

#define OFFSET(type, member) bpf_core_field_offset(((type *)0)->member)

// The members of a dentry that a step needs stand next to each other on every kernel so far, and one
// read of 40 bytes costs a fraction of four small ones. Whether they do is decided when the program is
// loaded; where they do not, the other branch stays.
struct names {
	__u64 next;
	__u64 pprev;
	__u64 parent;
	__u32 hash;
	__u32 len;
	__u64 name;
};

static __always_inline long read_names(struct names *to, const struct dentry *dentry)
{
	const __u64 base = OFFSET(struct dentry, d_parent);

	if (OFFSET(struct dentry, d_hash.pprev) + 8 == base &&
	    OFFSET(struct dentry, d_name.len) == base + 12 &&
	    OFFSET(struct dentry, d_name.name) == base + 16)
		return bpf_probe_read_kernel(to, sizeof(*to), (const char *)dentry + base - 16);
	to->next = 0;
	to->hash = 0;
	if (bpf_core_read(&to->pprev, 8, &dentry->d_hash.pprev) ||
	    bpf_core_read(&to->parent, 8, &dentry->d_parent) ||
	    bpf_core_read(&to->len, 4, &dentry->d_name.len))
		return -1;
	return bpf_core_read(&to->name, 8, &dentry->d_name.name);
}

struct mounted {
	__u64 parent;
	__u64 mountpoint;
	__u64 root;
};

static __always_inline long enter_mount(struct cpu *walk, __u64 address)
{
	const struct mount *mount = (const struct mount *)address;
	const __u64 base = OFFSET(struct mount, mnt_parent);
	struct mounted m;
	long error;

	if (OFFSET(struct mount, mnt_mountpoint) == base + 8 &&
	    OFFSET(struct mount, mnt.mnt_root) == base + 16)
		error = bpf_probe_read_kernel(&m, sizeof(m), (const char *)mount + base);
	else
		error = bpf_core_read(&m.parent, 8, &mount->mnt_parent) ||
			bpf_core_read(&m.mountpoint, 8, &mount->mnt_mountpoint) ||
			bpf_core_read(&m.root, 8, &mount->mnt.mnt_root);
	walk->mount = address;
	walk->mount_parent = m.parent;
	walk->mountpoint = m.mountpoint;
	walk->mount_root = m.root;
	return error;
}

// One step towards the root: 1 where there are more, 0 at the end. A global function, so that it is
// verified once and by itself; 5.10 lets such a function take nothing but numbers, so it looks its
// state up again.
__attribute__((noinline)) int step(__u32 cpu)
{
	struct cpu *walk = bpf_map_lookup_elem(&cpus, &cpu);
	struct record *record = bpf_map_lookup_elem(&records, &cpu);
	struct names names;
	__u64 used, size;

	if (!walk || !record)
		return 0;
	if (walk->dentry == walk->mount_root) {
		// The root of a mount has the name of the place that it is mounted on. The first mount
		// of a mount namespace is its own parent.
		if (walk->mount == walk->mount_parent)
			return 0;
		walk->dentry = walk->mountpoint;
		if (enter_mount(walk, walk->mount_parent)) {
			walk->flags |= PATH_UNREADABLE;
			return 0;
		}
		return 1;
	}
	if (read_names(&names, (const struct dentry *)walk->dentry)) {
		walk->flags |= PATH_UNREADABLE;
		return 0;
	}
	used = walk->used;
	size = (__u64)names.len + 1;
	PIN(size);
	PIN(used);
	if (size > NAME_BYTES || used + size > PATH_BYTES) {
		walk->flags |= PATH_CUT;
		return 0;
	}
	used &= PATH_BYTES - 1;
	if (bpf_probe_read_kernel(record->text + used, size, (const void *)names.name))
		walk->flags |= PATH_UNREADABLE;
	used += size;
	PIN(used);
	walk->used = used;
	// A name that is being changed may be longer than the length that was read with it.
	record->text[(used - 1) & (2 * PATH_BYTES - 1)] = 0;

	if (names.parent == walk->dentry) {
		// The top of a file system, but not of this mount: a file without a place in any
		// directory (memfd), or a place that was moved out of what is mounted.
		walk->flags |= DISCONNECTED;
		return 0;
	}
	if (!walk->flags && used == size && !names.pprev)
		walk->flags = DELETED;
	walk->dentry = names.parent;
	return 1;
}

// A typed pointer as a number: the verifier does no arithmetic with a pointer whose type it knows
// (5.10 none at all), but what comes back out of a map is a number to it.
static __always_inline __u64 number(struct cpu *walk, const void *pointer)
{
	walk->mount = (__u64)pointer;
	asm volatile("" ::: "memory");
	return walk->mount;
}

static __always_inline void read_path(struct cpu *walk, __u32 cpu, const struct file *file)
{
	int i;

	walk->used = 0;
	walk->flags = 0;
	walk->dentry = (__u64)file->f_path.dentry;
	// `struct mount` is what the kernel keeps around each `struct vfsmount`.
	if (enter_mount(walk, number(walk, file->f_path.mnt) - OFFSET(struct mount, mnt))) {
		walk->flags = PATH_UNREADABLE;
		return;
	}
	for (i = 0; i < STEPS; i++)
		if (!step(cpu))
			return;
	walk->flags |= PATH_CUT;
}

static __always_inline void read_task(struct cpu *walk, struct record *record,
				      const struct task_struct *task)
{
	const struct pid *pid = task->thread_pid;
	const struct pid_namespace *pid_ns = 0;
	const struct upid *upid;

	record->tgid = bpf_get_current_pid_tgid() >> 32;
	record->uid = bpf_get_current_uid_gid();
	record->cgroup = bpf_get_current_cgroup_id();
	record->ppid = task->real_parent->tgid;
	record->mnt_ns = task->nsproxy->mnt_ns->ns.inum;

	// Number and namespace of the innermost level. `numbers` is declared with one element on some
	// kernels and with none on others, and which one it is is known only now, so the element is
	// found by arithmetic.
	upid = (const struct upid *)(number(walk, pid) + OFFSET(struct pid, numbers) +
				     (__u64)pid->level * bpf_core_type_size(struct upid));
	record->ns_pid = 0;
	record->pid_ns = 0;
	bpf_core_read(&record->ns_pid, 4, &upid->nr);
	bpf_core_read(&pid_ns, sizeof(pid_ns), &upid->ns);
	bpf_core_read(&record->pid_ns, 4, &pid_ns->ns.inum);
}

// A raw tracepoint whose arguments have types: then members are read by plain loads, checked when the
// program is loaded, and only what has no type any more (the walk) or lies in user memory goes
// through helpers.
SEC("tp_btf/sched_process_exec")
int exec(__u64 *ctx)
{
	__u64 time = bpf_ktime_get_ns();
	const struct task_struct *task = (const struct task_struct *)ctx[0];
	const struct linux_binprm *bprm = (const struct linux_binprm *)ctx[2];
	const struct file *file = bprm->file;
	const struct mm_struct *mm;
	__u32 cpu = bpf_get_smp_processor_id();
	struct cpu *walk = bpf_map_lookup_elem(&cpus, &cpu);
	struct record *record = bpf_map_lookup_elem(&records, &cpu);
	unsigned long arg_start;
	__u64 at, size, flags = 0;
	long n;

	if (!walk || !record)
		return 0;
	record->time = time;
	record->cpu = cpu;
	record->lost = walk->lost;
	read_task(walk, record, task);
	record->inode = file->f_inode->i_ino;
	record->dev = file->f_inode->i_sb->s_dev;
	read_path(walk, cpu, file);
	at = walk->used;
	record->path_len = at;
	record->flags = walk->flags;

	// The kernel's own copy of the string: nobody can change it between the call and this.
	PIN(at);
	at &= 2 * PATH_BYTES - 1;
	n = bpf_probe_read_kernel_str(record->text + at, GIVEN_BYTES, bprm->filename);
	size = n > 0 ? n : 0;
	record->given_len = size;
	at += size;
	PIN(at);
	at &= 2 * PATH_BYTES - 1;

	// The arguments as the new image finds them, on its stack. The kernel has just written them
	// there, so the pages are in memory; a program that may not sleep could not fetch them.
	size = 0;
	if (argv_limit) {
		mm = task->mm;
		arg_start = mm->arg_start;
		size = mm->arg_end - arg_start;
		if (size > argv_limit) {
			size = argv_limit;
			record->flags |= ARGV_CUT;
		}
		PIN(size);
		size &= ARGV_BYTES;
		if (bpf_probe_read_user(record->text + at, size, (const void *)arg_start)) {
			record->flags |= ARGV_UNREADABLE;
			size = 0;
		}
	}
	record->argv_len = size;

	// Only what is used goes into the buffer.
	size += HEADER + at;
	PIN(size);
	size &= 0xffff;
	if (use_perf) {
		n = bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, record, size);
	} else {
		if (force_wakeup_at &&
		    bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= force_wakeup_at)
			flags = BPF_RB_FORCE_WAKEUP;
		n = bpf_ringbuf_output(&ring, record, size, flags);
	}
	if (n)
		walk->lost++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
