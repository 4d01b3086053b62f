// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The two threads of a QEMU that counts instructions, as far as `turns.c` has to do with them: for its test. Prints how often
// the main thread had the lock, and how often the other one executed meanwhile.

#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 200 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_cond_t stopped = PTHREAD_COND_INITIALIZER;
static int created, started, idle, stop, has_stopped, done, end;
static atomic_int executing;

static void *cpu(void *unused)
{
	const struct timespec slice = { 0, 200 * 1000 };

	pthread_mutex_lock(&lock);
	created = 1;
	pthread_cond_signal(&stopped);
	while (!started)
		pthread_cond_wait(&changed, &lock);
	for (int round = 0; round < ROUNDS; round++) {
		pthread_mutex_unlock(&lock);
		executing = 1;
		nanosleep(&slice, 0);
		executing = 0;
		pthread_mutex_lock(&lock);
		for (idle = round % 8 == 0; idle && !stop;)
			pthread_cond_wait(&changed, &lock);
		while (stop) {
			has_stopped = 1;
			pthread_cond_signal(&stopped);
			pthread_cond_wait(&changed, &lock);
		}
	}
	done = 1;
	pthread_cond_signal(&stopped);
	while (!end)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return unused;
}

int main(void)
{
	const struct timespec soon = { 0, 50 * 1000 };
	int turns = 0, together = 0, pauses = 0;
	pthread_t thread;

	// Whoever waits for the other for ever is not to be waited for.
	alarm(60);
	pthread_mutex_lock(&lock);
	pthread_create(&thread, 0, cpu, 0);
	while (!created)
		pthread_cond_wait(&stopped, &lock);
	pthread_mutex_unlock(&lock);
	ppoll(0, 0, &soon, 0);
	pthread_mutex_lock(&lock);
	started = 1;
	pthread_cond_signal(&changed);
	while (!done) {
		pthread_mutex_unlock(&lock);
		ppoll(0, 0, &soon, 0);
		pthread_mutex_lock(&lock);
		turns++;
		together += executing;
		idle = 0;
		pthread_cond_signal(&changed);
		// As QEMU pauses its CPUs: inside a turn, waiting for the other thread.
		if (turns % 16 == 0 && !done) {
			stop = 1;
			pthread_cond_signal(&changed);
			while (!has_stopped && !done)
				pthread_cond_wait(&stopped, &lock);
			together += executing;
			pauses += has_stopped;
			stop = has_stopped = 0;
			pthread_cond_signal(&changed);
		}
	}
	end = 1;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, 0);
	printf("%d %d %d\n", turns, together, pauses);
	return 0;
}
