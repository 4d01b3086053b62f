// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The constructor, which tells of the new image before its first line, and the way to the monitor.
//
// A report is one datagram: whole or not at all. A process waits while the monitor's queue is full, for a second at
// most, or until a signal comes; then it counts itself as lost, where it can, and goes on. Where nobody listens it goes on at once.

#include "preload.h"

// Read from the object by its magic, as a file.
__attribute__((used)) const volatile struct settings settings = {
	.magic = "@execlab-preload",
};

enum { MAGIC = 0x52504c58, AF_UNIX = 1, SOCK_DGRAM = 2, SOCK_CLOEXEC = O_CLOEXEC };
enum { SOL_SOCKET = 1, SO_SNDTIMEO = 21, MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000 };
enum { EINTR = 4, EAGAIN = 11, ENOMEM = 12, EMSGSIZE = 90, ENOBUFS = 105 };

struct address {
	u16 family;
	char path[108];
};

// socket.h, for 64 bits.
struct message {
	struct address *name;
	u32 name_length;
	struct part *parts;
	u64 parts_length;
	void *control;
	u64 control_length;
	u32 flags;
};

struct timeval {
	long seconds;
	long micros;
};

u64 text_length(const char *text)
{
	u64 length = 0;

	while (text && text[length])
		length++;
	return length;
}

u64 read_text(const char *path, char *into, u64 room)
{
	long fd = call(SYS_OPEN, (long)path, O_RDONLY | O_CLOEXEC, 0);
	long n;

	if (fd < 0)
		return 0;
	n = call(SYS_READ, fd, (long)into, (long)room);
	call(SYS_CLOSE, fd, 0, 0);
	return n > 0 ? (u64)n : 0;
}

u64 read_link(const char *path, char *into, u64 room)
{
	long n = call(SYS_READLINK, (long)path, (long)into, (long)room);

	return n > 0 ? (u64)n : 0;
}

// One more is lost.
static void count_loss(void)
{
	char path[NAME_BYTES];
	long fd;

	for (u32 i = 0; i < NAME_BYTES; i++)
		path[i] = settings.lost[i];
	fd = call(SYS_OPEN, (long)path, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	call(SYS_WRITE, fd, (long)"l", 1);
	call(SYS_CLOSE, fd, 0, 0);
}

// Whether somebody listens and the report did not get there all the same.
static int is_lost(long sent)
{
	return sent == -EAGAIN || sent == -EMSGSIZE || sent == -ENOBUFS || sent == -ENOMEM || sent == -EINTR;
}

static long send(long fd, struct message *message)
{
	const struct timeval patience = { .seconds = 1 };
	long sent = call(SYS_SENDMSG, fd, (long)message, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent != -EAGAIN)
		return sent;
	call6(SYS_SETSOCKOPT, fd, SOL_SOCKET, SO_SNDTIMEO, (long)&patience, sizeof(patience), 0);
	return call(SYS_SENDMSG, fd, (long)message, MSG_NOSIGNAL);
}

static long send_to_either(long fd, struct message *message)
{
	struct address address = { .family = AF_UNIX };
	long sent;

	for (u32 i = 0; i < NAME_BYTES; i++)
		address.path[i] = settings.path[i];
	message->name = &address;
	message->name_length = sizeof(address);
	sent = send(fd, message);
	if (sent >= 0 || is_lost(sent))
		return sent;
	// Another root, or another mount namespace: a name without a file, which belongs to the network's namespace.
	address.path[0] = 0;
	for (u32 i = 0; i < settings.name_length; i++)
		address.path[i + 1] = settings.name[i];
	message->name_length = sizeof(u16) + 1 + settings.name_length;
	return send(fd, message);
}

void hand_over(struct report *report, struct part texts[TEXTS], const struct part *argv, u32 arguments)
{
	struct part parts[TEXTS + ARGUMENTS];
	u32 *lengths = &report->path;
	struct message message = { .parts = parts, .parts_length = TEXTS };
	u64 room = 96 << 10;
	long fd, sent;

	report->magic = MAGIC;
	report->pid = (u32)call(SYS_GETPID, 0, 0, 0);
	report->ppid = (u32)call(SYS_GETPPID, 0, 0, 0);
	texts[0].start = report;
	texts[0].length = sizeof(*report);
	for (u32 i = 0; i < TEXTS; i++) {
		parts[i] = texts[i];
		if (i)
			lengths[i - 1] = (u32)texts[i].length;
	}
	report->argv = 0;
	for (u32 i = 0; i < arguments; i++) {
		struct part *part = &parts[message.parts_length++];

		*part = argv[i];
		if (part->length > room) {
			part->length = room;
			report->flags |= CUT;
		}
		room -= part->length;
		report->argv += (u32)part->length;
	}
	fd = call(SYS_SOCKET, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		// No descriptor or no memory is left, so this may fail too.
		count_loss();
		return;
	}
	sent = send_to_either(fd, &message);
	if (is_lost(sent))
		count_loss();
	call(SYS_CLOSE, fd, 0, 0);
}

// Of glibc's loader: where the kernel put the number of arguments, the arguments and what follows them. A program
// without a C library, and one with another, has no such name in reach.
extern const u64 *__libc_stack_end __attribute__((weak));

// The string that was passed to the call, in the list that the kernel puts behind the environment.
static void find_given(const u64 *at, struct part *given)
{
	enum { AT_NULL = 0, AT_EXECFN = 31 };

	for (; at[0] != AT_NULL; at += 2) {
		if (at[0] == AT_EXECFN) {
			given->start = (const char *)at[1];
			given->length = text_length((const char *)at[1]);
		}
	}
}

// The arguments lie one behind the other as the kernel copied them.
static void from_stack(struct part *argv, struct part *given)
{
	const u64 *at = __libc_stack_end;
	u64 argc = *at++;

	if (argc) {
		const char *first = (const char *)at[0];
		const char *last = (const char *)at[argc - 1];

		argv->start = first;
		argv->length = (u64)(last - first) + text_length(last) + 1;
	}
	at += argc + 1;
	while (*at++)
		;
	find_given(at, given);
}

// Whether the arguments were cut.
static u8 from_proc(char *room, u64 length, struct part *argv, struct part *given)
{
	// Some two dozen pairs (`NEW_AUX_ENT`, fs/binfmt_elf.c), and a zero that ends them. Not cleared before: that would be a call of
	// memset, which nobody has.
	u64 pairs[128];
	u64 n = read_text("/proc/self/auxv", (char *)pairs, sizeof(pairs) - 2 * sizeof(u64));

	pairs[n / sizeof(u64)] = 0;
	find_given(pairs, given);
	argv->start = room;
	argv->length = read_text("/proc/self/cmdline", room, length);
	return argv->length == length ? CUT : 0;
}

__attribute__((constructor)) static void image(void)
{
	struct report report = { .kind = IMAGE };
	struct part texts[TEXTS] = { 0 };
	struct part argv = { 0 };
	char path[PATH_BYTES], cgroup[PATH_BYTES], mnt[64], pid[64];
	char arguments[2 * PATH_BYTES];

	if (!(settings.report & IMAGES))
		return;
	texts[1].start = path;
	texts[1].length = read_link("/proc/self/exe", path, sizeof(path));
	if (&__libc_stack_end && __libc_stack_end)
		from_stack(&argv, &texts[2]);
	else
		report.flags = from_proc(arguments, sizeof(arguments), &argv, &texts[2]);
	if (settings.lookup & FULL) {
		texts[3].start = cgroup;
		texts[3].length = read_text("/proc/self/cgroup", cgroup, sizeof(cgroup));
		texts[4].start = mnt;
		texts[4].length = read_link("/proc/self/ns/mnt", mnt, sizeof(mnt));
		texts[5].start = pid;
		texts[5].length = read_link("/proc/self/ns/pid", pid, sizeof(pid));
	}
	hand_over(&report, texts, &argv, argv.length ? 1 : 0);
}
