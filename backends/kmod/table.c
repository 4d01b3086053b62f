// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
/*
 * The row `kmod-syscall-table`: our functions in the places of execve and execveat in the tables of system calls.
 *
 * Where the tables are is told by whoever loads the module (/proc/kallsyms): the kernel exports neither them nor a way
 * to look them up (since 5.7). A place is taken only where the handler stands in it that was told as well.
 */

#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "around.h"
#include "report.h"

static unsigned long table;
module_param(table, ulong, 0400);
MODULE_PARM_DESC(table, "address of sys_call_table");

static unsigned long ia32_table;
module_param(ia32_table, ulong, 0400);
MODULE_PARM_DESC(ia32_table, "address of ia32_sys_call_table, or 0");

module_param_array(handlers, ulong, NULL, 0400);
MODULE_PARM_DESC(handlers, "addresses of execve and execveat, of 64-bit and of 32-bit callers");

/* Numbers of the calls (arch/x86/entry/syscalls). */
static const unsigned int numbers[HANDLERS] = { 59, 322, 11, 358 };

static unsigned long *place(int which)
{
	unsigned long base = which < COMPAT_EXECVE ? table : ia32_table;

	return base ? (unsigned long *)base + numbers[which] : NULL;
}

/* The tables may only be read. So the page is mapped once more, for as long as one word takes. */
static int put(unsigned long *at, unsigned long value)
{
	struct page *page = pfn_to_page(__pa_symbol(at) >> PAGE_SHIFT);
	char *writable = vmap(&page, 1, VM_MAP, PAGE_KERNEL);

	if (!writable)
		return -ENOMEM;
	WRITE_ONCE(*(unsigned long *)(writable + offset_in_page(at)), value);
	vunmap(writable);
	return 0;
}

/* Until nobody comes here any more, this module may not go: whatever it takes. */
static void put_back(void)
{
	int which;

	for (which = 0; which < HANDLERS; which++) {
		unsigned long *at = place(which), there;

		while (at && (there = READ_ONCE(*at)) != handlers[which]) {
			/* Someone who took the place after us calls us. He has to go first, and then it is ours again. */
			if (there == (unsigned long)ours[which] && !put(at, handlers[which]))
				continue;
			/* Or there was no memory for the mapping. */
			msleep(1);
		}
	}
	wait_until_all_are_out();
}

static int __init begin(void)
{
	int which, error;

	for (which = 0; which < HANDLERS; which++) {
		unsigned long there;

		if (!place(which))
			continue;
		if (copy_from_kernel_nofault(&there, place(which), sizeof(there)))
			return -EFAULT;
		if (!there || there != handlers[which])
			return -ENXIO;
	}
	error = report_start("execlab_table");
	if (error)
		return error;
	for (which = 0; which < HANDLERS; which++) {
		error = place(which) ? put(place(which), (unsigned long)ours[which]) : 0;
		if (error) {
			put_back();
			report_stop();
			return error;
		}
	}
	return 0;
}

static void __exit end(void)
{
	put_back();
	report_stop();
}

module_init(begin);
module_exit(end);
MODULE_DESCRIPTION("execlab: execs seen from the table of system calls");
MODULE_LICENSE("Dual MIT/GPL");
