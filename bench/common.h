/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the measuring programs share: options, the clock, the deadline,
 * processor time and percentiles.  One thread each; they end on failure.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S  1000000000LL
#define NS_PER_MS 1000000LL

enum {
	ARGS_MAX = 32,        /* words of a command line */
	CPU_WATCH_MAX = 8,    /* processes whose time is measured */
};

/* A command line of words and key=value options.  Keys are marked as they
 * are read, so that args_done can refuse those that nobody asked for. */
struct args {
	int n;
	char **word; /* borrowed from main */
	bool used[ARGS_MAX];
};

/* Prints "program: text" and ends with 1; usage with 2. */
void die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
void usage(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

void args_init(struct args *a, int n, char **word);
/* The next word without "=", NULL when there is none. */
const char *args_word(struct args *a);
/* The value of a key, or the default. */
const char *args_text(struct args *a, const char *key, const char *otherwise);
/* The same as a number; ends with usage() outside [low, high]. */
double args_number(struct args *a, const char *key, double otherwise,
		   double low, double high);
/* The same as on or off. */
bool args_switch(struct args *a, const char *key, bool otherwise);
/* Ends with usage() when a word is left that nobody read. */
void args_done(const struct args *a);

/* Monotonic time; never fails. */
int64_t now_ns(void);

/* From now on the program ends with 1 and one line when it still runs after
 * so many seconds.  what says what it waited for; static text. */
void deadline_set(double seconds, const char *what);
void deadline_stop(void);
/* Only changes what is said. */
void deadline_phase(const char *what);

/* Processor time of this process. */
int64_t cpu_self_ns(void);

/* Processor time of other processes, all their threads, over a while. */
struct cpu_watch {
	int n;
	long pid[CPU_WATCH_MAX];
	int64_t start_ns[CPU_WATCH_MAX];
	int64_t self_ns;
	int64_t spent_ns[CPU_WATCH_MAX + 1]; /* the last is our own */
};

/* Reads the list of pids of option "pids". */
void cpu_watch_init(struct cpu_watch *w, struct args *a);
void cpu_watch_start(struct cpu_watch *w);
void cpu_watch_stop(struct cpu_watch *w);
/* Prints `,"client_cpu_s":X,"cpu_s":{"PID":X,...}`. */
void cpu_watch_print(const struct cpu_watch *w);

/* Durations, kept one by one so that percentiles are exact. */
struct samples {
	uint32_t *ns; /* owned; capped at 4.29 s each */
	size_t n;
	size_t room;
};

void samples_deinit(struct samples *s);
void samples_add(struct samples *s, int64_t ns);
/* Prints `,"p50_us":X,"p99_us":X,"min_us":X,"max_us":X,"mean_us":X` and
 * forgets the order of the samples. */
void samples_print(struct samples *s);

#endif
