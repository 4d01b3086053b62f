// The payload as a 32-bit program: it leaves the same evidence as `payload.rs`, sleeps, and knows one act,
// `exec`. In C, because the toolchain of the guest's other programs has no 32-bit target; the clang that
// compiles the eBPF programs has one.
//
// What is written and which arguments it takes is told in `payload.rs` and `../src/evidence/layout.rs`. System
// calls by `int 0x80`, numbers of arch/x86/entry/syscalls/syscall_32.tbl.

typedef unsigned int u32;
typedef unsigned long long u64;

enum { WRITE = 4, EXECVE = 11, GETPID = 20, GETPPID = 64, NANOSLEEP = 162, EXIT_GROUP = 252,
       CLOCK_GETTIME64 = 403 };
enum { AT_UID = 11, CLOCK_MONOTONIC = 1, EVIDENCE_FD = 3, NO_EVIDENCE = 99 };

struct evidence {
	u32 magic, id, pid, uid;
	u64 started_ns;
	u32 ppid, reserved;
};
_Static_assert(sizeof(struct evidence) == 32, "as in layout.rs");

// The kernel enters with the stack pointer at argc and nothing else set (System V ABI, i386, 2.3.1).
__asm__(".globl _start\n"
	"_start:\n"
	"xorl %ebp, %ebp\n"
	"movl %esp, %eax\n"
	"andl $-16, %esp\n"
	"subl $12, %esp\n"
	"pushl %eax\n"
	"call run\n"
	"ud2\n");

static int syscall3(int number, u32 a, u32 b, u32 c)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

static void __attribute__((noreturn)) leave(int status)
{
	for (;;)
		syscall3(EXIT_GROUP, status, 0, 0);
}

// `x` and eight lower-case hexadecimal digits; whether it is one.
static int parse_id(const char *text, u32 *id)
{
	int at;

	if (text[0] != 'x')
		return 0;
	*id = 0;
	for (at = 1; at <= 8; at++) {
		char digit = text[at];

		if (digit >= '0' && digit <= '9')
			*id = *id << 4 | (u32)(digit - '0');
		else if (digit >= 'a' && digit <= 'f')
			*id = *id << 4 | (u32)(digit - 'a' + 10);
		else
			return 0;
	}
	return text[9] == 0;
}

// Sleeps so many decimal nanoseconds. Whole seconds are the digits before the last nine: no division of 64
// bits, for which the compiler would call a library that is not there.
static void sleep_for(const char *nanos)
{
	u32 time[2] = { 0, 0 };
	int length = 0, at;

	while (nanos[length] >= '0' && nanos[length] <= '9')
		length++;
	for (at = 0; at < length; at++) {
		u32 *part = &time[at >= length - 9];

		*part = *part * 10 + (u32)(nanos[at] - '0');
	}
	if (time[0] || time[1])
		syscall3(NANOSLEEP, (u32)time, 0, 0);
}

void __attribute__((noreturn, used)) run(u32 *stack)
{
	u32 argc = stack[0], at = 0;
	char **argv = (char **)(stack + 1), **envp = argv + argc + 1;
	struct evidence evidence = { .magic = 0x45564c58, .id = 0xffffffff, .uid = 0xffffffff };
	struct { u64 seconds, nanos; } now;
	u32 *vector = (u32 *)envp;

	if (syscall3(CLOCK_GETTIME64, CLOCK_MONOTONIC, (u32)&now, 0))
		leave(NO_EVIDENCE);
	evidence.started_ns = now.seconds * 1000000000 + now.nanos;
	evidence.pid = syscall3(GETPID, 0, 0, 0);
	evidence.ppid = syscall3(GETPPID, 0, 0, 0);
	while (*vector)
		vector++;
	for (vector++; *vector; vector += 2)
		if (*vector == AT_UID)
			evidence.uid = vector[1];
	while (at < argc && !parse_id(argv[at], &evidence.id))
		at++;
	if (syscall3(WRITE, EVIDENCE_FD, (u32)&evidence, sizeof(evidence)) != sizeof(evidence))
		leave(NO_EVIDENCE);

	// Behind the id: the lifetime, then the act with its path and arguments.
	if (at + 3 < argc) {
		const char *act = argv[at + 2];

		if (act[0] == 'e' && act[1] == 'x' && act[2] == 'e' && act[3] == 'c' && !act[4])
			syscall3(EXECVE, (u32)argv[at + 3], (u32)(argv + at + 4), (u32)envp);
		leave(NO_EVIDENCE);
	}
	if (at + 1 < argc)
		sleep_for(argv[at + 1]);
	leave(0);
}
