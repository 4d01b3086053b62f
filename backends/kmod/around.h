/* SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0 */
/*
 * A system call's handler with ours around it: what the rows share that stand in a handler's place.
 */
#ifndef EXECLAB_AROUND_H
#define EXECLAB_AROUND_H

#include <linux/ptrace.h>

/* In this order everywhere: of 64-bit callers, of 32-bit callers. */
enum { EXECVE, EXECVEAT, COMPAT_EXECVE, COMPAT_EXECVEAT, HANDLERS };

typedef asmlinkage long (*handler_t)(const struct pt_regs *);

/* Where the handlers are; whoever puts ours in the place of one sets it first. */
extern unsigned long handlers[HANDLERS];

/* What stands in their place. */
extern const handler_t ours[HANDLERS];

/* The caller's pointer to the path, by the registers of its call. */
const char __user *filename_of(int which, const struct pt_regs *regs);

/* After nobody can come in any more: waits until everybody who did is out, and in no instruction of this module. */
void wait_until_all_are_out(void);

#endif
