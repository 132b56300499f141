/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the measuring programs share; see common.h.
 */
#include "bench/common.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void say(const char *format, va_list ap)
{
	char line[400];
	int n = snprintf(line, sizeof(line), "%s: ",
			 program_invocation_short_name);

	vsnprintf(line + n, sizeof(line) - (size_t)n, format, ap);
	fprintf(stderr, "%s\n", line);
}

void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	fflush(stdout);
	_exit(1); /* What is held ends with the process. */
}

void usage(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(format, ap);
	va_end(ap);
	exit(2);
}

void args_init(struct args *a, int n, char **word)
{
	if (n > ARGS_MAX)
		usage("more than %d words", ARGS_MAX);
	*a = (struct args){.n = n, .word = word};
}

const char *args_word(struct args *a)
{
	for (int i = 0; i < a->n; i++) {
		if (a->used[i] || strchr(a->word[i], '='))
			continue;
		a->used[i] = true;
		return a->word[i];
	}
	return NULL;
}

const char *args_text(struct args *a, const char *key, const char *otherwise)
{
	size_t len = strlen(key);

	for (int i = 0; i < a->n; i++) {
		if (strncmp(a->word[i], key, len) || a->word[i][len] != '=')
			continue;
		a->used[i] = true;
		otherwise = a->word[i] + len + 1;
	}
	return otherwise;
}

double args_number(struct args *a, const char *key, double otherwise,
		   double low, double high)
{
	const char *text = args_text(a, key, NULL);
	char *end;
	double v;

	if (!text)
		return otherwise;
	v = strtod(text, &end);
	if (end == text || *end || !(v >= low && v <= high))
		usage("%s=%s: must be a number from %g to %g", key, text, low,
		      high);
	return v;
}

bool args_switch(struct args *a, const char *key, bool otherwise)
{
	const char *text = args_text(a, key, NULL);

	if (!text)
		return otherwise;
	if (strcmp(text, "on") && strcmp(text, "off"))
		usage("%s=%s: must be on or off", key, text);
	return !strcmp(text, "on");
}

void args_done(const struct args *a)
{
	for (int i = 0; i < a->n; i++)
		if (!a->used[i])
			usage("%s: not known here", a->word[i]);
}

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t cpu_self_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static const char *volatile waiting_for = "";

static void deadline_passed(int sig)
{
	const char *parts[] = {program_invocation_short_name,
			       ": no end in time: ", waiting_for, "\n"};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (write(2, parts[i], strlen(parts[i])) < 0)
			break;
	_exit(1);
}

void deadline_phase(const char *what)
{
	waiting_for = what;
}

void deadline_set(double seconds, const char *what)
{
	struct sigaction sa = {.sa_handler = deadline_passed};
	struct itimerval it = {
		.it_value = {.tv_sec = (time_t)seconds, .tv_usec = 1},
	};

	waiting_for = what;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

void deadline_stop(void)
{
	struct itimerval it = {0};

	setitimer(ITIMER_REAL, &it, NULL);
}

/* Time on a processor of one thread, 0 when it is gone. */
static int64_t task_ns(long pid, const char *tid)
{
	char path[300];
	char text[100];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/task/%s/schedstat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	return strtoll(text, NULL, 10);
}

static int64_t process_ns(long pid)
{
	char path[64];
	struct dirent *e;
	int64_t sum = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%ld/task", pid);
	d = opendir(path);
	if (!d)
		die("process %ld, whose time is to be measured, is gone", pid);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			sum += task_ns(pid, e->d_name);
	closedir(d);
	return sum;
}

void cpu_watch_init(struct cpu_watch *w, struct args *a)
{
	const char *p = args_text(a, "pids", "");

	*w = (struct cpu_watch){0};
	while (*p) {
		char *end;
		long pid = strtol(p, &end, 10);

		if (end == p || pid <= 0 || w->n == CPU_WATCH_MAX)
			usage("pids: must be up to %d numbers with commas",
			      CPU_WATCH_MAX);
		w->pid[w->n++] = pid;
		p = *end == ',' ? end + 1 : end;
	}
}

void cpu_watch_start(struct cpu_watch *w)
{
	for (int i = 0; i < w->n; i++)
		w->start_ns[i] = process_ns(w->pid[i]);
	w->self_ns = cpu_self_ns();
}

void cpu_watch_stop(struct cpu_watch *w)
{
	for (int i = 0; i < w->n; i++)
		w->spent_ns[i] = process_ns(w->pid[i]) - w->start_ns[i];
	w->spent_ns[w->n] = cpu_self_ns() - w->self_ns;
}

void cpu_watch_print(const struct cpu_watch *w)
{
	printf(",\"client_cpu_s\":%.6f", (double)w->spent_ns[w->n] / 1e9);
	if (!w->n)
		return;
	printf(",\"cpu_s\":{");
	for (int i = 0; i < w->n; i++)
		printf("%s\"%ld\":%.6f", i ? "," : "", w->pid[i],
		       (double)w->spent_ns[i] / 1e9);
	printf("}");
}

void samples_add(struct samples *s, int64_t ns)
{
	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : 1 << 16;
		s->ns = realloc(s->ns, s->room * sizeof(*s->ns));
		if (!s->ns)
			die("no memory for %zu samples", s->room);
	}
	s->ns[s->n++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int compare_ns(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void samples_deinit(struct samples *s)
{
	free(s->ns);
	*s = (struct samples){0};
}

void samples_print(struct samples *s)
{
	double sum = 0;

	if (!s->n) {
		printf(",\"p50_us\":null,\"p99_us\":null,\"min_us\":null,"
		       "\"max_us\":null,\"mean_us\":null");
		return;
	}
	qsort(s->ns, s->n, sizeof(*s->ns), compare_ns);
	for (size_t i = 0; i < s->n; i++)
		sum += s->ns[i];
	printf(",\"p50_us\":%.2f,\"p99_us\":%.2f,\"min_us\":%.2f,"
	       "\"max_us\":%.2f,\"mean_us\":%.2f",
	       s->ns[s->n / 2] / 1e3, s->ns[s->n - 1 - s->n / 100] / 1e3,
	       s->ns[0] / 1e3, s->ns[s->n - 1] / 1e3,
	       sum / (double)s->n / 1e3);
}
