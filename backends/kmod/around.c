// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
/* See around.h. */

#include <linux/atomic.h>
#include <linux/compat.h>
#include <linux/delay.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "around.h"
#include "report.h"

unsigned long handlers[HANDLERS];

/* Whoever replaced something makes one call that fails, and looks whether it came by. */
static unsigned long calls;
module_param(calls, ulong, 0444);
MODULE_PARM_DESC(calls, "how often one of the handlers was called through this module");

static atomic_t inside = ATOMIC_INIT(0);

const char __user *filename_of(int which, const struct pt_regs *regs)
{
	switch (which) {
	case EXECVE:
		return (const char __user *)regs->di;
	case EXECVEAT:
		return (const char __user *)regs->si;
	case COMPAT_EXECVE:
		return compat_ptr(regs->bx);
	default:
		return compat_ptr(regs->cx);
	}
}

/*
 * The string is copied before the call, while the old image is there, and again by the handler: whoever shares the
 * caller's memory can change it in between. All else is read when the call has succeeded, from the new image.
 */
static long around(int which, const struct pt_regs *regs)
{
	char *given;
	/* Only compared: it is gone when an exec has succeeded. */
	const struct mm_struct *before = current->mm;
	long length = -1, result;

	/* Before anything that may sleep: see wait_until_all_are_out. */
	atomic_inc(&inside);
	WRITE_ONCE(calls, calls + 1);
	given = kmalloc(PATH_MAX, GFP_KERNEL);
	if (given)
		length = strncpy_from_user(given, filename_of(which, regs), PATH_MAX);
	result = ((handler_t)handlers[which])(regs);
	/*
	 * A mere check (AT_EXECVE_CHECK) succeeds too, and leaves the image that it was. A string that fills all of it is
	 * too long for the kernel as well.
	 */
	if (!result && current->mm != before)
		report_image(length >= 0 && length < PATH_MAX ? given : NULL, length);
	kfree(given);
	atomic_dec(&inside);
	return result;
}

static asmlinkage long our_execve(const struct pt_regs *regs)
{
	return around(EXECVE, regs);
}

static asmlinkage long our_execveat(const struct pt_regs *regs)
{
	return around(EXECVEAT, regs);
}

static asmlinkage long our_compat_execve(const struct pt_regs *regs)
{
	return around(COMPAT_EXECVE, regs);
}

static asmlinkage long our_compat_execveat(const struct pt_regs *regs)
{
	return around(COMPAT_EXECVEAT, regs);
}

const handler_t ours[HANDLERS] = {
	our_execve,
	our_execveat,
	our_compat_execve,
	our_compat_execveat,
};

/*
 * Everybody who may sleep in here, and above all the exec itself may, is counted: nobody returns into memory that was
 * freed. A task can be between our first instruction and the counter, or between the counter and our last instruction, but
 * it does not sleep there: `synchronize_rcu_tasks` waits until each task has slept or been in user mode.
 */
void wait_until_all_are_out(void)
{
	synchronize_rcu_tasks();
	while (atomic_read(&inside))
		msleep(1);
	synchronize_rcu_tasks();
}
