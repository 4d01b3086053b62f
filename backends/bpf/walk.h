// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
//
// The path of a file by its directory entries, up through the mounts to the root of the mount namespace: from
// the leaf to the root, each name ended by NUL. No helper gives a path where it is needed, and none a longer
// one than a page.

#pragma once

#include "record.h"

#define STEPS 2048

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
__attribute__((noinline)) int step(__u32 slot)
{
	struct cpu *walk = bpf_map_lookup_elem(&cpus, &slot);
	struct record *record = bpf_map_lookup_elem(&records, &slot);
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

static __always_inline void read_path(struct cpu *walk, __u32 slot, struct file *file,
				      const int typed)
{
	int i;

	walk->used = 0;
	walk->flags = 0;
	walk->dentry = (__u64)GET(typed, file, f_path.dentry);
	// `struct mount` is what the kernel keeps around each `struct vfsmount`.
	if (enter_mount(walk, number(walk, GET(typed, file, f_path.mnt)) - OFFSET(struct mount, mnt))) {
		walk->flags = PATH_UNREADABLE;
		return;
	}
	for (i = 0; i < STEPS; i++)
		if (!step(slot))
			return;
	walk->flags |= PATH_CUT;
}
