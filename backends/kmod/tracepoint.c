// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
/*
 * The row `kmod-tracepoint`: a probe on the tracepoint sched_process_exec. The kernel exports no name of it, but lets
 * modules go through all that there are.
 */

#include <linux/binfmts.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "report.h"

/* Passed once for each exec that succeeded, by the task itself, when it has its new image and its final pid. */
static void probe(void *data, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	report_exec(&bprm->file->f_path, bprm->filename, strlen(bprm->filename));
}

static struct tracepoint *found;

static void look(struct tracepoint *tracepoint, void *data)
{
	if (!strcmp(tracepoint->name, "sched_process_exec"))
		found = tracepoint;
}

static int __init begin(void)
{
	int error;

	for_each_kernel_tracepoint(look, NULL);
	if (!found)
		return -ENXIO;
	error = report_start("execlab_tracepoint");
	if (error)
		return error;
	error = tracepoint_probe_register(found, probe, NULL);
	if (error)
		report_stop();
	return error;
}

static void __exit end(void)
{
	tracepoint_probe_unregister(found, probe, NULL);
	/* Nobody is in the probe any more when this returns. */
	tracepoint_synchronize_unregister();
	report_stop();
}

module_init(begin);
module_exit(end);
MODULE_DESCRIPTION("execlab: execs seen at a tracepoint");
MODULE_LICENSE("Dual MIT/GPL");
