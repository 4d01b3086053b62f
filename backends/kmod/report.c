// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
/* See report.h. */

#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/ns_common.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/version.h>

#include "report.h"

/* Two times what the kernel itself gives anywhere; longer paths are reported as unreadable. */
#define PATH_BYTES 8192

static unsigned int ring_bytes = 256 << 10;
module_param(ring_bytes, uint, 0444);
MODULE_PARM_DESC(ring_bytes, "size of the ring, a power of two");

static unsigned int argv_bytes = 4096;
module_param(argv_bytes, uint, 0444);
MODULE_PARM_DESC(argv_bytes, "so many bytes of arguments are copied at most");

/* Since the device was opened. Written under `ring.lock`. */
static unsigned long lost;
module_param(lost, ulong, 0444);
MODULE_PARM_DESC(lost, "execs that found no room in the ring");

enum { RECORDING = 1, TAKEN = 2 };

static struct {
	spinlock_t lock; /* of those who write; they never sleep */
	struct mutex reading;
	wait_queue_head_t readers;
	unsigned long open; /* which of the two below it is */
	char *bytes;
	/* Bytes that were ever written and read: the difference is what waits. */
	u64 head, tail;
} ring;

/* One for each CPU: a path, behind it arguments. Whoever uses it cannot be preempted. */
static char **scratch;

/*
 * The mount namespace's number. The type is the kernel's own business (fs/mount.h); all that is used of it is where
 * the part lies that all namespaces have: at its beginning since 5.11, behind a counter before.
 */
static u32 mount_namespace(const struct nsproxy *nsproxy)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
	const struct { struct ns_common ns; } *mounts = (const void *)nsproxy->mnt_ns;
#else
	const struct { atomic_t count; struct ns_common ns; } *mounts = (const void *)nsproxy->mnt_ns;
#endif

	return mounts->ns.inum;
}

static void read_task(struct record *record)
{
	const struct pid_namespace *pids;

	record->time = ktime_get_ns();
	record->tgid = current->tgid;
	record->ns_pid = task_tgid_vnr(current);
	record->uid = from_kuid(&init_user_ns, current_uid());
	rcu_read_lock();
	record->ppid = rcu_dereference(current->real_parent)->tgid;
	record->cgroup = cgroup_id(task_dfl_cgroup(current));
	rcu_read_unlock();
	pids = task_active_pid_ns(current);
	record->pid_ns = pids ? pids->ns.inum : 0;
	record->mnt_ns = current->nsproxy ? mount_namespace(current->nsproxy) : 0;
}

/*
 * The arguments as the new image finds them, on its stack. The kernel has just written them there, so the pages are in
 * memory; here nobody may sleep to wait for them.
 */
static u32 read_argv(char *to, u32 *flags)
{
	const struct mm_struct *mm = current->mm;
	unsigned long size;

	if (!mm || !argv_bytes)
		return 0;
	size = mm->arg_end - mm->arg_start;
	if (size > argv_bytes) {
		size = argv_bytes;
		*flags |= ARGV_CUT;
	}
	if (copy_from_user_nofault(to, (const void __user *)mm->arg_start, size)) {
		*flags |= ARGV_UNREADABLE;
		return 0;
	}
	return size;
}

static u64 put(u64 at, const void *from, size_t size)
{
	size_t offset = at & (ring_bytes - 1);
	size_t first = min_t(size_t, size, ring_bytes - offset);

	memcpy(ring.bytes + offset, from, first);
	memcpy(ring.bytes, from + first, size - first);
	return at + size;
}

/* The reader is woken by the first record that it finds, and where half of the ring is full: it may be lingering. */
static void append(struct record *record, const char *path, const char *given, const char *argv)
{
	u64 before, waiting;
	bool wake;

	spin_lock(&ring.lock);
	before = ring.head;
	/* What the reader took is free only once it has been copied. */
	waiting = before - smp_load_acquire(&ring.tail);
	if (record->size > ring_bytes - waiting) {
		WRITE_ONCE(lost, lost + 1);
		spin_unlock(&ring.lock);
		return;
	}
	record->lost = lost;
	put(put(put(put(before, record, sizeof(*record)), path, record->path_len),
		given, record->given_len),
	    argv, record->argv_len);
	smp_store_release(&ring.head, before + record->size);
	/* Either the reader sees this head before it sleeps, or its last tail is seen here. */
	smp_mb();
	wake = READ_ONCE(ring.tail) == before ||
	       (waiting < ring_bytes / 2 && waiting + record->size >= ring_bytes / 2);
	spin_unlock(&ring.lock);
	if (wake)
		wake_up_interruptible(&ring.readers);
}

void report_exec(const struct path *path, const char *given, size_t given_len)
{
	struct record record = {};
	const struct inode *inode = d_backing_inode(path->dentry);
	char *buffer, *text, *argv;

	if (!(READ_ONCE(ring.open) & RECORDING))
		return;
	read_task(&record);
	record.inode = inode->i_ino;
	record.dev = inode->i_sb->s_dev;
	buffer = scratch[get_cpu()];
	argv = buffer + PATH_BYTES;
	text = d_path(path, buffer, PATH_BYTES);
	if (IS_ERR(text))
		record.flags |= PATH_UNREADABLE;
	else
		record.path_len = buffer + PATH_BYTES - 1 - text;
	if (given)
		record.given_len = given_len;
	else
		record.flags |= GIVEN_UNKNOWN;
	record.argv_len = read_argv(argv, &record.flags);
	record.size = sizeof(record) + record.path_len + record.given_len + record.argv_len;
	append(&record, text, given, argv);
	put_cpu();
}

void report_image(const char *given, size_t given_len)
{
	const struct file *file;

	if (!current->mm)
		return;
	/* Our own image holds the file; only we could put another one in its place (prctl). */
	rcu_read_lock();
	file = rcu_dereference(current->mm->exe_file);
	if (file)
		report_exec(&file->f_path, given, given_len);
	rcu_read_unlock();
}

static int device_open(struct inode *inode, struct file *file)
{
	if (cmpxchg(&ring.open, 0, TAKEN))
		return -EBUSY;
	spin_lock(&ring.lock);
	ring.tail = ring.head;
	lost = 0;
	spin_unlock(&ring.lock);
	WRITE_ONCE(ring.open, TAKEN | RECORDING);
	return stream_open(inode, file);
}

static int device_release(struct inode *inode, struct file *file)
{
	WRITE_ONCE(ring.open, 0);
	return 0;
}

/* As many whole records as fit; -EAGAIN where there is none, whatever the flags of the file say. */
static ssize_t device_read(struct file *file, char __user *to, size_t size, loff_t *at)
{
	u64 tail, head, end;
	size_t offset, first;
	ssize_t result;

	if (mutex_lock_interruptible(&ring.reading))
		return -EINTR;
	tail = ring.tail;
	smp_mb();
	head = smp_load_acquire(&ring.head);
	for (end = tail; end != head;) {
		u32 next;
		char *bytes = (char *)&next;
		int i;

		for (i = 0; i < sizeof(next); i++)
			bytes[i] = ring.bytes[(end + i) & (ring_bytes - 1)];
		if (end - tail + next > size)
			break;
		end += next;
	}
	result = end - tail;
	if (!result) {
		result = head == tail ? -EAGAIN : -EMSGSIZE;
		goto out;
	}
	offset = tail & (ring_bytes - 1);
	first = min_t(size_t, result, ring_bytes - offset);
	if (copy_to_user(to, ring.bytes + offset, first) ||
	    copy_to_user(to + first, ring.bytes, result - first)) {
		result = -EFAULT;
		goto out;
	}
	smp_store_release(&ring.tail, end);
out:
	mutex_unlock(&ring.reading);
	return result;
}

static __poll_t device_poll(struct file *file, poll_table *table)
{
	poll_wait(file, &ring.readers, table);
	smp_mb();
	return READ_ONCE(ring.head) == READ_ONCE(ring.tail) ? 0 : EPOLLIN | EPOLLRDNORM;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.read = device_read,
	.poll = device_poll,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.fops = &operations,
	.mode = 0400,
};

static void free_all(void)
{
	unsigned int cpu;

	for (cpu = 0; scratch && cpu < nr_cpu_ids; cpu++)
		kvfree(scratch[cpu]);
	kfree(scratch);
	kvfree(ring.bytes);
}

int report_start(const char *name)
{
	unsigned int cpu;
	int error = -ENOMEM;

	if (!is_power_of_2(ring_bytes) || ring_bytes < 2 * PAGE_SIZE || argv_bytes > 1 << 17)
		return -EINVAL;
	spin_lock_init(&ring.lock);
	mutex_init(&ring.reading);
	init_waitqueue_head(&ring.readers);
	ring.bytes = kvzalloc(ring_bytes, GFP_KERNEL);
	scratch = kcalloc(nr_cpu_ids, sizeof(*scratch), GFP_KERNEL);
	if (!ring.bytes || !scratch)
		goto failed;
	for_each_possible_cpu(cpu) {
		scratch[cpu] = kvzalloc(PATH_BYTES + argv_bytes, GFP_KERNEL);
		if (!scratch[cpu])
			goto failed;
	}
	device.name = name;
	error = misc_register(&device);
	if (!error)
		return 0;
failed:
	free_all();
	return error;
}

void report_stop(void)
{
	misc_deregister(&device);
	free_all();
}
