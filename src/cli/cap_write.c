/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames from a ring to a file; see cap.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "capture/scribe.h"
#include "cli/cap.h"
#include "cli/cap_filter.h"
#include "os/clock.h"

enum {
	FILE_BUFFER = 1 << 18, /* bytes */
	RECORDS_PER_TURN = 512, /* then the writer gets its room back */
	END_WAIT_MS = 3000,    /* for the engine's last words */
};

/* ---- the file ---- */

static bool passes(void *arg, const struct ring_record *r, const uint8_t *data)
{
	return cap_filter_passes(arg, data, r->data_len, r->frame_len);
}

static FILE *open_file(const char *name, struct error *e)
{
	/* What people say to each other: nobody else's, unless somebody has
	 * made the file, with a mode of his choice.  It is emptied when there
	 * is something to write (cap_out_begin()). */
	CLEANUP_FD int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (f)
		(void)fd_steal(&fd);
	else
		error_errno(e, errno, "cap: %s", name);
	return f;
}

int cap_out_open(struct cap_out *o, const struct cap_args *a, struct error *e)
{
	bool is_file = a->file && strcmp(a->file, "-") != 0;

	*o = CAP_OUT_NULL;
	o->args = a;
	if (!a->file && isatty(STDOUT_FILENO))
		return error_set(e, EXIT_USAGE,
				 "cap: a terminal shows no frames; -w FILE "
				 "writes them to one, and vmlan cap %s | "
				 "wireshark -k -i - shows them",
				 a->name);
	if (a->filter && cap_filter_new(a->filter, &o->filter, e) < 0)
		return -1;
	o->f = is_file ? open_file(a->file, e) : stdout;
	if (!o->f) {
		cap_out_close(o);
		return -1;
	}
	(void)setvbuf(o->f, NULL, _IOFBF, FILE_BUFFER); /* or a smaller one */
	return 0;
}

void cap_out_begin(struct cap_out *o)
{
	if (o->f != stdout) /* a pipe has nothing to be emptied of */
		(void)!ftruncate(fileno(o->f), 0);
}

void cap_out_close(struct cap_out *o)
{
	cap_filter_free(o->filter);
	if (o->f)
		fclose(o->f);
	*o = CAP_OUT_NULL;
}

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int make_scribe(struct cap_out *o, struct scribe_config *c,
		       struct scribe **sp, struct error *e)
{
	int r;

	c->f = o->f;
	c->comment = o->comment;
	c->snap_len = o->args->snap_len;
	c->filter = o->args->filter;
	c->passes = passes;
	c->arg = o->filter;
	c->n_max = o->args->n_max;
	r = scribe_new(c, sp);
	return r < 0 ? error_errno(e, r, "cap") : 0;
}

/* 0; who reads may have enough and go, which is no failure. */
static int flush(struct cap_out *o, bool *is_gonep, struct error *e)
{
	if (fflush(o->f) == 0 && !ferror(o->f))
		return 0;
	*is_gonep = errno == EPIPE;
	return *is_gonep ? 0
			 : error_errno(e, errno, "cap: %s",
				       o->args->file ? o->args->file
						     : "standard output");
}

/* ---- what is kept ---- */

static void tell_reach(const struct cap_out *o, uint64_t now, uint64_t oldest)
{
	if (!oldest || oldest <= now - o->args->last_ns || oldest > now)
		return;
	fprintf(stderr,
		"vmlan: what is kept of %s reaches back %.1f s, to no more\n",
		o->what, (double)(now - oldest) / 1e9);
}

int cap_last(struct cap_out *o, int ring, struct error *e)
{
	uint64_t now = wall_ns(), oldest = 0;
	struct scribe_config c = {.since_ns = now - o->args->last_ns};
	struct scribe *s = NULL;
	struct scribe_sum sum;
	struct ring_reader r;
	struct ring_record rec;
	const uint8_t *data;
	bool is_gone = false;
	int got, rc;

	rc = ring_reader_open(&r, ring, RING_KEPT);
	if (rc < 0)
		return error_errno(e, rc, "cap: what is kept");
	rc = make_scribe(o, &c, &s, e);
	while (rc == 0 && !is_gone &&
	       (got = ring_reader_next(&r, &rec, &data)) != RING_R_NONE) {
		if (got == RING_R_DAMAGED)
			continue;
		if (!oldest)
			oldest = rec.when_ns;
		rc = scribe_record(s, &rec, data);
		if (rc < 0)
			error_errno(e, rc, "cap");
	}
	if (rc == 0) {
		scribe_end(s, now, 0, &sum);
		rc = flush(o, &is_gone, e);
		tell_reach(o, now, oldest);
		fprintf(stderr, "vmlan: %" PRIu64 " frames of %s\n",
			sum.n_written, o->what);
	}
	scribe_free(s);
	ring_reader_close(&r);
	return rc;
}

/* ---- what comes ---- */

struct follow {
	struct cap_out *o;
	struct ring_reader r;
	struct scribe *s; /* owned */
	int wake, sock, signals;
	bool is_ending;	  /* the engine has been told, or has gone */
	bool is_gone;	  /* nobody reads */
	bool is_lost;	  /* network or engine, without a last word */
	int64_t until_ms; /* is_ending: the engine has that long */
	bool is_cut;	  /* who waits for the rest has enough */
	unsigned n_damaged;
};

static void end_soon(struct follow *f)
{
	if (f->is_ending)
		return;
	f->is_ending = true;
	f->until_ms = now_ms() + END_WAIT_MS;
	(void)shutdown(f->sock, SHUT_WR);
}

/* What there is, but no more than a turn's: who writes may be faster, and a
 * signal is to be heard.  *is_dryp: that was all. */
static int drain(struct follow *f, bool *is_dryp, struct error *e)
{
	uint64_t n_max = f->o->args->n_max;
	struct ring_record rec;
	const uint8_t *data;
	unsigned n = 0;
	int got, r = 0;

	*is_dryp = false;
	while (r == 0 && n++ < RECORDS_PER_TURN) {
		got = ring_reader_next(&f->r, &rec, &data);
		if (got == RING_R_NONE) {
			*is_dryp = true;
			break;
		}
		if (got == RING_R_RECORD)
			r = scribe_record(f->s, &rec, data);
		else
			f->n_damaged++;
		if (n_max && scribe_written(f->s) >= n_max)
			end_soon(f);
	}
	ring_reader_done(&f->r);
	return r < 0 ? error_errno(e, r, "cap") : 0;
}

static void on_signal(struct follow *f)
{
	struct signalfd_siginfo info;
	bool is_second = f->is_ending;

	if (read(f->signals, &info, sizeof(info)) != sizeof(info))
		return;
	end_soon(f);
	f->is_cut |= is_second;
}

/* Waits for something; or only looks, where there is more to write. */
static void await(struct follow *f, bool is_dry)
{
	struct pollfd p[] = {
		{.fd = f->wake, .events = POLLIN},
		{.fd = f->signals, .events = POLLIN},
		{.fd = f->is_lost ? -1 : f->sock, .events = POLLIN},
		{.fd = f->is_gone ? -1 : fileno(f->o->f)}, /* POLLERR */
	};
	int64_t left = f->is_ending ? f->until_ms - now_ms() : -1;
	int ms = left < 0 && f->is_ending ? 0 : (int)left;
	uint64_t n;

	if (!is_dry || !ring_reader_wait(&f->r))
		ms = 0;
	if (poll(p, array_len(p), ms) <= 0)
		return;
	if (p[0].revents)
		(void)!read(f->wake, &n, sizeof(n));
	if (p[1].revents)
		on_signal(f);
	if (p[2].revents) { /* the keeper closes it when the network ends */
		f->is_lost = true;
		end_soon(f);
	}
	if (p[3].revents & (POLLERR | POLLHUP)) {
		f->is_gone = true;
		end_soon(f);
	}
}

static int follow(struct follow *f, struct error *e)
{
	for (;;) {
		bool is_over = ring_reader_is_over(&f->r), is_dry;
		int r = drain(f, &is_dry, e);

		if (r == 0 && is_dry && !f->is_gone)
			r = flush(f->o, &f->is_gone, e);
		if (r < 0)
			return r;
		if (f->is_gone)
			end_soon(f);
		if ((is_over && is_dry) || f->is_gone)
			return 0;
		/* What a writer has left behind ends by itself. */
		if (f->is_cut ||
		    (f->is_ending && !is_over && now_ms() >= f->until_ms))
			return 0;
		await(f, is_dry);
	}
}

static void tell(const struct follow *f, const struct scribe_sum *sum)
{
	uint64_t lost = ring_reader_lost(&f->r);

	if (f->is_cut)
		fprintf(stderr,
			"vmlan: told to end twice: what was left of %s is not "
			"written\n",
			f->o->what);
	else if (!ring_reader_is_over(&f->r) && !f->is_gone)
		fprintf(stderr,
			"vmlan: %s has ended without a word: its last frames "
			"may be missing\n",
			f->o->what);
	if (f->n_damaged)
		fprintf(stderr, "vmlan: %u times the engine said what is no "
				"record\n",
			f->n_damaged);
	fprintf(stderr, "vmlan: %" PRIu64 " frames of %s", sum->n_written,
		f->o->what);
	if (lost)
		fprintf(stderr,
			"; %" PRIu64 " more are lost, for which the capture "
			"had no room (--memory, -s)",
			lost);
	fputc('\n', stderr);
}

int cap_follow(struct cap_out *o, int ring, int wake, int sock,
	       struct error *e)
{
	struct follow f = {.o = o, .wake = wake, .sock = sock, .signals = -1};
	struct scribe_config c = {.has_counts = true};
	struct scribe_sum sum;
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return error_errno(e, errno, "cap");
	f.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r = f.signals < 0 ? -errno : ring_reader_open(&f.r, ring, RING_STREAM);
	if (r < 0)
		error_errno(e, r, "cap");
	else
		r = make_scribe(o, &c, &f.s, e);
	if (r == 0)
		r = follow(&f, e);
	if (r == 0) {
		scribe_end(f.s, wall_ns(), ring_reader_lost(&f.r), &sum);
		if (!f.is_gone)
			r = flush(o, &f.is_gone, e);
		tell(&f, &sum);
	}
	scribe_free(f.s);
	ring_reader_close(&f.r);
	fd_close(&f.signals);
	return r;
}
