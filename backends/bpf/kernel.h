// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
//
// What the program needs of the kernel's types: only the members that are used. Order and offsets
// here mean nothing: the loader puts in those of the running kernel, from its own type information.
// Checked against the type information of 5.10, 6.1, 6.12, 6.18, 7.2 and 7.3: every member below
// has the same name and meaning on all of them.

#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

// From the kernel's user-space interface; numbers that never change.
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_CGROUP_ARRAY = 8,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};
#define BPF_F_CURRENT_CPU 0xffffffffULL

#define CORE __attribute__((preserve_access_index))

struct qstr {
	__u32 len;
	const unsigned char *name;
} CORE;

// `pprev` is null for a dentry that is in no directory any more.
struct hlist_bl_node {
	void *pprev;
} CORE;

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
} CORE;

// What a file knows of its mount; it stands inside a `struct mount`.
struct vfsmount {
	struct dentry *mnt_root;
} CORE;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
} CORE;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} CORE;

struct super_block {
	__u32 s_dev;
} CORE;

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
} CORE;

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_flags;
} CORE;

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
} CORE;

// `mm` is the new address space until the process has it, and null from then on. The strings lie on its stack
// from `p` up: arguments, environment, and from `exec` on the path that was passed to the call.
struct linux_binprm {
	struct file *file;
	const char *filename;
	const char *interp;
	struct mm_struct *mm;
	unsigned long p;
	unsigned long exec;
	int argc;
} CORE;

struct ns_common {
	__u32 inum;
} CORE;

struct mnt_namespace {
	struct ns_common ns;
} CORE;

struct pid_namespace {
	struct ns_common ns;
} CORE;

struct nsproxy {
	struct mnt_namespace *mnt_ns;
} CORE;

struct upid {
	int nr;
	struct pid_namespace *ns;
} CORE;

struct pid {
	unsigned int level;
	struct upid numbers[1];
} CORE;

struct task_struct {
	struct task_struct *real_parent;
	int tgid;
	unsigned int flags;
	struct mm_struct *mm;
	struct pid *thread_pid;
	struct nsproxy *nsproxy;
} CORE;
