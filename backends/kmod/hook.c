// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
/*
 * The row `kmod-syscall-hook`: at the handlers of execve and execveat themselves, however the kernel comes to them.
 * Either by a return probe, which looks at the call and at its return, or by ftrace, which lets another function be
 * called in a handler's place.
 */

#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "around.h"
#include "report.h"

static char *how = "kretprobe";
module_param(how, charp, 0444);
MODULE_PARM_DESC(how, "kretprobe or ftrace");

static int maxactive;
module_param(maxactive, int, 0444);
MODULE_PARM_DESC(maxactive, "calls that a return probe can follow at once; 0: as many as the kernel thinks fit");

static const char *const names[HANDLERS] = {
	"__x64_sys_execve",
	"__x64_sys_execveat",
	"__ia32_compat_sys_execve",
	"__ia32_compat_sys_execveat",
};

/* All that this kernel has: it may have been built without calls of 32-bit programs. */
enum { WANTED = IS_ENABLED(CONFIG_IA32_EMULATION) ? HANDLERS : COMPAT_EXECVE };

static int get_wanted(char *buffer, const struct kernel_param *parameter)
{
	return scnprintf(buffer, PAGE_SIZE, "%d\n", WANTED);
}

static const struct kernel_param_ops wanted_ops = { .get = get_wanted };
module_param_cb(wanted, &wanted_ops, NULL, 0444);
MODULE_PARM_DESC(wanted, "how many handlers are hooked: 4, or 2 where there are none of 32-bit callers");

/* Return probes. A page is the most that one may keep between a call and its return (since 6.1). */
struct kept {
	const struct mm_struct *before; /* of the image that called */
	s32 length; /* below 0: it could not be read */
	char given[4084];
};

static struct kretprobe probes[HANDLERS];

static int at_call(struct kretprobe_instance *instance, struct pt_regs *regs);
static int at_return(struct kretprobe_instance *instance, struct pt_regs *regs);

static struct kretprobe *probe_of(struct kretprobe_instance *instance)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
	return get_kretprobe(instance);
#else
	return instance->rp;
#endif
}

static int at_call(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct kept *kept = (struct kept *)instance->data;
	const char __user *from;

	/* Of a probe that is being taken away. */
	if (!probe_of(instance))
		return 1;
	kept->before = current->mm;
	from = filename_of(probe_of(instance) - probes, (const struct pt_regs *)regs->di);
	/* Nobody may sleep here, so what is not in memory stays unknown. */
	pagefault_disable();
	kept->length = strncpy_from_user(kept->given, from, sizeof(kept->given));
	pagefault_enable();
	if (kept->length == sizeof(kept->given))
		kept->length = -1;
	return 0;
}

static int at_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct kept *kept = (struct kept *)instance->data;

	/* A mere check (AT_EXECVE_CHECK) succeeds too, and leaves the image that it was. */
	if (!regs_return_value(regs) && current->mm != kept->before)
		report_image(kept->length >= 0 ? kept->given : NULL, kept->length);
	return 0;
}

/* Calls that no return probe had room to follow. */
static int get_missed(char *buffer, const struct kernel_param *parameter)
{
	unsigned long missed = 0;
	int which;

	for (which = 0; which < HANDLERS; which++)
		missed += READ_ONCE(probes[which].nmissed) + READ_ONCE(probes[which].kp.nmissed);
	return scnprintf(buffer, PAGE_SIZE, "%lu\n", missed);
}

static const struct kernel_param_ops missed_ops = { .get = get_missed };
module_param_cb(missed, &missed_ops, NULL, 0444);
MODULE_PARM_DESC(missed, "calls that no return probe had room to follow");

static void remove_probe(int which)
{
	unregister_kretprobe(&probes[which]);
}

static int add_probe(int which)
{
	struct kretprobe *probe = &probes[which];

	probe->kp.symbol_name = names[which];
	probe->handler = at_return;
	probe->entry_handler = at_call;
	probe->data_size = sizeof(struct kept);
	probe->maxactive = maxactive;
	return register_kretprobe(probe);
}

/* ftrace. */
static struct ftrace_ops hooks[HANDLERS];

#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
static void notrace redirect(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			     struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
#else
static void notrace redirect(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			     struct pt_regs *regs)
{
#endif
	int which = ops - hooks;

	/* Our own call of the handler goes on to it. */
	if (!regs || within_module(parent, THIS_MODULE))
		return;
	/* `ip` is that of the call to ftrace: the first instruction, or the second behind an endbr64. */
	WRITE_ONCE(handlers[which], *(const u32 *)(ip - 4) == 0xfa1e0ff3 ? ip - 4 : ip);
	regs->ip = (unsigned long)ours[which];
}

static void remove_hook(int which)
{
	WARN_ON(unregister_ftrace_function(&hooks[which]));
	/* What ftrace keeps of the filter goes with an empty one. */
	ftrace_set_filter(&hooks[which], NULL, 0, 1);
}

static int add_hook(int which)
{
	struct ftrace_ops *hook = &hooks[which];
	int error;

	hook->func = redirect;
	hook->flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY;
	error = ftrace_set_filter(hook, (unsigned char *)names[which], strlen(names[which]), 1);
	if (!error)
		error = register_ftrace_function(hook);
	if (error)
		ftrace_set_filter(hook, NULL, 0, 1);
	return error;
}

static bool with_ftrace;
static bool taken[HANDLERS];

static void remove_all(void)
{
	int which;

	for (which = 0; which < HANDLERS; which++) {
		if (!taken[which])
			continue;
		if (with_ftrace)
			remove_hook(which);
		else
			remove_probe(which);
	}
	wait_until_all_are_out();
}

static int add_all(void)
{
	int which, error;

	for (which = 0; which < WANTED; which++) {
		error = with_ftrace ? add_hook(which) : add_probe(which);
		taken[which] = !error;
		/* Half of them is no less work, and nobody would know which half. */
		if (error) {
			pr_err("execlab_hook: %s: %d\n", names[which], error);
			remove_all();
			return error;
		}
	}
	return 0;
}

static int __init begin(void)
{
	int error;

	with_ftrace = !strcmp(how, "ftrace");
	if (!with_ftrace && strcmp(how, "kretprobe"))
		return -EINVAL;
	error = report_start("execlab_hook");
	if (error)
		return error;
	error = add_all();
	if (error)
		report_stop();
	return error;
}

static void __exit end(void)
{
	remove_all();
	report_stop();
}

module_init(begin);
module_exit(end);
MODULE_DESCRIPTION("execlab: execs seen at the handlers of system calls");
MODULE_LICENSE("Dual MIT/GPL");
