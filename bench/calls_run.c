/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a plan: one step after the other, each at its time after the word to
 * begin.  Lines of a plan, those with LENGTH followed by so many bytes:
 *
 *	hold LENGTH		a client that says this, and is held open
 *	call AT STATUS SLOT KIND METHOD URL LENGTH	a request with this body
 *	cap AT			`vmlan cap` begins; one that still runs ends
 *	end AT			it ends
 *
 * AT is in ns.  A call whose STATUS is 0 is not counted and may be answered
 * as it likes.  What the answer says of a forward is kept in SLOT (-1: not),
 * and stands for @idSLOT@ and @portSLOT@ in the calls behind it.
 */
#include "bench/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { DIGITS = 24, URL_MAX = 400 };

struct step {
	char what[8];
	int64_t at_ns;
	int status, slot, kind;
	char method[12];
	char url[URL_MAX];
	struct text body;
};

struct slot {
	char id[DIGITS], port[DIGITS];
};

struct plan {
	struct step *step;
	size_t n;
	struct slot *slot;
	int n_slots;
};

struct run {
	struct plan plan;
	const char *socket, *vmlan, *network;
	struct samples samples;
	struct text url, body, out, in;
	int64_t late_ns;
	int captures;
	pid_t cap; /* 0: none runs */
};

/* One step of the plan; false at its end. */
static bool read_step(FILE *f, struct step *s)
{
	size_t len = 0;
	bool ok;

	*s = (struct step){.slot = -1};
	if (fscanf(f, " %7s", s->what) != 1)
		return false;
	if (!strcmp(s->what, "hold"))
		ok = fscanf(f, "%zu", &len) == 1;
	else if (!strcmp(s->what, "call"))
		ok = fscanf(f, "%" SCNd64 " %d %d %d %11s %399s %zu",
			    &s->at_ns, &s->status, &s->slot, &s->kind,
			    s->method, s->url, &len) == 7;
	else
		ok = (!strcmp(s->what, "cap") || !strcmp(s->what, "end")) &&
		     fscanf(f, "%" SCNd64, &s->at_ns) == 1;
	if (!ok || getc(f) != '\n' ||
	    fread(text_room(&s->body, len + 1), 1, len, f) != len)
		die("the plan is not understood at a step \"%s\"", s->what);
	s->body.len = len;
	s->body.at[len] = 0;
	return true;
}

static void read_plan(struct plan *p, const char *path)
{
	FILE *f = fopen(path, "re");
	struct step s;

	if (!f)
		die("%s: %m", path);
	while (read_step(f, &s)) {
		p->step = realloc(p->step, (p->n + 1) * sizeof(s));
		if (!p->step)
			die("no memory");
		p->step[p->n++] = s;
		if (s.slot >= p->n_slots)
			p->n_slots = s.slot + 1;
	}
	fclose(f);
	p->slot = calloc((size_t)p->n_slots + 1, sizeof(*p->slot));
	if (!p->slot)
		die("no memory");
}

/* Text with what its marks stand for, in out. */
static void expand(const struct plan *p, struct text *out, const char *from,
		   size_t len)
{
	const char *end = from + len, *mark, *value;
	int n, used;
	char word[5];

	out->len = 0;
	while ((mark = memchr(from, '@', (size_t)(end - from)))) {
		used = 0;
		if (sscanf(mark, "@%4[a-z]%d@%n", word, &n, &used) != 2 ||
		    !used || n < 0 || n >= p->n_slots)
			die("the plan has a mark that nothing is known of");
		value = word[0] == 'i' ? p->slot[n].id : p->slot[n].port;
		text_add(out, from, (size_t)(mark - from));
		text_add(out, value, strlen(value));
		from = mark + used;
	}
	text_add(out, from, (size_t)(end - from));
}

/* Digits behind a text that is behind another one; ends where they lack. */
static void digits(const char *answer, const char *first, const char *then,
		   char *out)
{
	const char *at = strstr(answer, first);
	size_t n;

	at = at ? strstr(at + strlen(first), then) : NULL;
	if (!at)
		die("no %s in the answer: %.200s", first, answer);
	at += strlen(then);
	at += strcspn(at, "0123456789\"");
	n = strspn(at, "0123456789");
	if (!n || n >= DIGITS)
		die("no number in %s of the answer: %.200s", first, answer);
	memcpy(out, at, n);
	out[n] = 0;
}

/* The port behind the last colon of the first host that is bound. */
static void port_of(const char *answer, char *out)
{
	const char *at = strstr(answer, "\"bound\"");
	const char *end, *colon;

	at = at ? strstr(at, "\"host\"") : NULL;
	at = at ? strchr(at + 6, '"') : NULL;
	end = at ? strchr(at + 1, '"') : NULL;
	colon = end ? memrchr(at, ':', (size_t)(end - at)) : NULL;
	if (!colon || end - colon > 6)
		die("no port in the answer: %.200s", answer);
	memcpy(out, colon + 1, (size_t)(end - colon - 1));
	out[end - colon - 1] = 0;
}

static void send_all(int fd, const struct text *t)
{
	ssize_t n;

	for (size_t sent = 0; sent < t->len; sent += (size_t)n) {
		n = send(fd, t->at + sent, t->len - sent, 0);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return; /* The answer has come already. */
	}
}

/* What comes until the end, with a zero behind it. */
static void receive(int fd, struct text *t)
{
	ssize_t n;

	t->len = 0;
	do {
		n = recv(fd, text_room(t, 16384), 16384, 0);
		if (n > 0)
			t->len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	*text_room(t, 1) = 0;
}

static void call(struct run *r, const struct step *s)
{
	char head[200];
	int64_t began;
	int fd, got = 0, n;

	expand(&r->plan, &r->url, s->url, strlen(s->url));
	expand(&r->plan, &r->body, s->body.at, s->body.len);
	r->out.len = 0;
	text_add(&r->out, s->method, strlen(s->method));
	text_add(&r->out, " ", 1);
	text_add(&r->out, r->url.at, r->url.len);
	n = snprintf(head, sizeof(head), " HTTP/1.1\r\nHost: x\r\n"
		     "Connection: close\r\nX-Kind: %d\r\n"
		     "Content-Length: %zu\r\n\r\n", s->kind, r->body.len);
	text_add(&r->out, head, (size_t)n);
	text_add(&r->out, r->body.at, r->body.len);
	began = now_ns();
	fd = unix_socket(r->socket, false);
	send_all(fd, &r->out);
	receive(fd, &r->in);
	close(fd);
	if (!s->status)
		return;
	samples_add(&r->samples, now_ns() - began);
	if (sscanf(r->in.at, "HTTP/1.%*d %d", &got) != 1 || got != s->status)
		die("%s %s: %d, not %d: %.200s", s->method, s->url, got,
		    s->status, r->in.len ? r->in.at : "no answer");
	if (s->slot >= 0) {
		digits(r->in.at, "\"forwards\"", "\"id\":",
		       r->plan.slot[s->slot].id);
		port_of(r->in.at, r->plan.slot[s->slot].port);
	}
}

static void cap_end(struct run *r)
{
	int status;

	if (!r->cap)
		return;
	kill(r->cap, SIGINT);
	while (waitpid(r->cap, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid: %m");
	r->cap = 0;
	r->captures++;
	if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGINT
				: WEXITSTATUS(status) != 0)
		die("vmlan cap ended with %#x", status);
}

/* For a placebo it is a program that does nothing for as long. */
static void cap_begin(struct run *r)
{
	char *const cap[] = {(char *)r->vmlan, "cap", (char *)r->network,
			     "-w", "/dev/null", NULL};
	char *const nothing[] = {"sleep", "infinity", NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t set;
	int rc;

	cap_end(r);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	/* Ignored in what a script runs in its background. */
	sigaddset(&set, SIGINT);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&files, 0, 1);
	rc = *r->vmlan ? posix_spawn(&r->cap, r->vmlan, &files, &attr, cap,
				     environ)
		       : posix_spawnp(&r->cap, nothing[0], &files, &attr,
				      nothing, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	if (rc)
		die("vmlan cap: %s", strerror(rc));
}

/* Stays open, and reads nothing, until this process ends. */
static void hold(struct run *r, const struct step *s)
{
	int fd = unix_socket(r->socket, false), least = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
	if (send(fd, s->body.at, s->body.len, MSG_DONTWAIT) < 0 &&
	    errno != EAGAIN)
		die("a client that is held open: %m");
}

static void do_step(struct run *r, const struct step *s, int64_t began)
{
	int64_t at = began + s->at_ns, late;
	struct timespec ts = {.tv_sec = at / NS_PER_S,
			      .tv_nsec = at % NS_PER_S};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) ==
	       EINTR)
		;
	late = now_ns() - at;
	if (late > r->late_ns)
		r->late_ns = late;
	if (!strcmp(s->what, "hold"))
		hold(r, s);
	else if (!strcmp(s->what, "call"))
		call(r, s);
	else if (!strcmp(s->what, "cap"))
		cap_begin(r);
	else
		cap_end(r);
}

static double cpu_s(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int calls_run(struct args *a)
{
	struct run r = {.socket = args_word(a)};
	const char *path = args_word(a);
	double secs = args_number(a, "secs", 0, 0, 3600), self;
	int64_t began;
	int c;

	r.vmlan = args_text(a, "vmlan", "");
	r.network = args_text(a, "network", "");
	args_done(a);
	if (!r.socket || !path)
		usage("run: needs a socket and a plan");
	read_plan(&r.plan, path);
	printf("ready\n");
	fflush(stdout);
	while ((c = getchar()) != '\n')
		if (c == EOF)
			return 0; /* Nobody wants it any more. */
	deadline_set(secs + 50, "an answer");
	self = cpu_s(RUSAGE_SELF);
	began = now_ns();
	for (size_t i = 0; i < r.plan.n; i++)
		do_step(&r, &r.plan.step[i], began);
	cap_end(&r);
	printf("{\"calls\":%zu,\"captures\":%d,\"secs\":%.3f,\"late_ms\":%.3f,"
	       "\"own_cpu_s\":%.6f,\"cap_cpu_s\":%.6f", r.samples.n,
	       r.captures, (double)(now_ns() - began) / 1e9,
	       (double)r.late_ns / 1e6, cpu_s(RUSAGE_SELF) - self,
	       cpu_s(RUSAGE_CHILDREN));
	samples_print(&r.samples);
	printf("}\n");
	fflush(stdout);
	return 0;
}
