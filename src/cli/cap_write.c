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
	RECORDS_PER_TURN = 512, /* then the writer gets its room back */
	END_WAIT_MS = 3000,    /* for the engine's last words */
};

/* ---- the file ---- */

static bool passes(void *arg, const struct ring_record *r, const uint8_t *data)
{
	return cap_filter_passes(arg, data, r->data_len, r->frame_len);
}

/* What people say to each other: nobody else's, unless somebody has made the
 * file, with a mode of his choice.  It is emptied when there is something to
 * write (cap_out_begin()). */
static int open_file(struct cap_out *o, const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	o->is_new = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd;
}

int cap_out_open(struct cap_out *o, const struct cap_args *a, struct error *e)
{
	bool is_file = a->file && strcmp(a->file, "-") != 0;
	int fd, r;

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
	fd = is_file ? open_file(o, a->file) : STDOUT_FILENO;
	r = fd < 0 ? -errno : cap_sink_open(&o->sink, fd);
	if (r == 0)
		return 0;
	cap_out_close(o);
	return error_errno(e, r, "cap: %s",
			   is_file ? a->file : "standard output");
}

void cap_out_begin(struct cap_out *o)
{
	o->is_new = false;
	if (o->sink.fd != STDOUT_FILENO) /* a pipe has nothing to lose */
		(void)!ftruncate(o->sink.fd, 0);
}

void cap_out_close(struct cap_out *o)
{
	cap_filter_free(o->filter);
	cap_sink_close(&o->sink);
	if (o->is_new)
		(void)unlink(o->args->file);
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

	c->f = o->sink.f;
	c->comment = o->comment;
	c->snap_len = o->args->snap_len;
	c->filter = o->args->filter;
	c->passes = passes;
	c->arg = o->filter;
	c->n_max = o->args->n_max;
	r = scribe_new(c, sp);
	return r < 0 ? error_errno(e, r, "cap") : 0;
}

/* 0; who reads may have enough and go, which is no failure, nor is it if who
 * wants no more is told so to end. */
static int judge(struct cap_out *o, struct error *e)
{
	int err = o->sink.err;

	if (!err || err == EPIPE || err == ECANCELED)
		return 0;
	return error_errno(e, err, "cap: %s",
			   o->args->file ? o->args->file : "standard output");
}

/* ---- what is kept ---- */

static void tell_reach(const struct cap_out *o, uint64_t since, uint64_t now,
		       uint64_t oldest)
{
	if (!oldest || oldest <= since || oldest > now)
		return;
	fprintf(stderr,
		"vmlan: what is kept of %s reaches back %.1f s, to no more\n",
		o->what, (double)(now - oldest) / 1e9);
}

int cap_last(struct cap_out *o, int ring, struct error *e)
{
	uint64_t now = wall_ns(), oldest = 0, ago = o->args->last_ns;
	struct scribe_config c = {.since_ns = ago < now ? now - ago : 0};
	struct scribe *s = NULL;
	struct scribe_sum sum;
	struct ring_reader r;
	struct ring_record rec;
	const uint8_t *data;
	bool is_overtaken = false;
	int got, rc;

	rc = ring_reader_open(&r, ring, RING_KEPT);
	if (rc < 0)
		return error_errno(e, rc, "cap: what is kept");
	rc = make_scribe(o, &c, &s, e);
	while (rc == 0 && !o->sink.err &&
	       (got = ring_reader_next(&r, &rec, &data)) != RING_R_NONE) {
		is_overtaken |= got == RING_R_DAMAGED;
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
		(void)cap_sink_flush(&o->sink);
		rc = judge(o, e);
		if (is_overtaken || (r.head && !oldest))
			fprintf(stderr,
				"vmlan: of what is kept of %s some was "
				"overwritten while it was read: more memory "
				"(--keep) gives more time\n",
				o->what);
		tell_reach(o, c.since_ns, now, oldest);
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
	int wake, sock;
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
	bool is_second = f->is_ending;

	if (!cap_sink_hear(&f->o->sink))
		return;
	end_soon(f);
	f->is_cut |= is_second;
}

/* What the sink has come to know. */
static int look_at_sink(struct follow *f, struct error *e)
{
	const struct cap_sink *s = &f->o->sink;

	f->is_gone |= s->err == EPIPE;
	f->is_cut |= s->err == ECANCELED;
	if (f->is_gone || s->n_told)
		end_soon(f);
	return judge(f->o, e);
}

/* Waits for something; or only looks, where there is more to write. */
static void await(struct follow *f, bool is_dry)
{
	struct pollfd p[] = {
		{.fd = f->wake, .events = POLLIN},
		{.fd = f->o->sink.signals, .events = POLLIN},
		{.fd = f->is_lost ? -1 : f->sock, .events = POLLIN},
		{.fd = f->is_gone ? -1 : f->o->sink.fd}, /* POLLERR */
	};
	int64_t left = f->is_ending ? f->until_ms - now_ms() : -1;
	int ms = left < 0 && f->is_ending ? 0 : (int)left;
	char woken[64];

	if (!is_dry || !ring_reader_wait(&f->r))
		ms = 0;
	if (poll(p, array_len(p), ms) <= 0)
		return;
	if (p[0].revents && read(f->wake, woken, sizeof(woken)) == 0) {
		f->wake = -1; /* nobody is left who would wake us */
		end_soon(f);
	}
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

		if (r == 0 && is_dry)
			(void)cap_sink_flush(&f->o->sink);
		if (r == 0)
			r = look_at_sink(f, e);
		if (r < 0)
			return r;
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
			"vmlan: told to end%s: what was left of %s is not "
			"written\n",
			f->o->sink.err == ECANCELED && f->o->sink.n_told < 2
				? ", and nobody reads"
				: " twice",
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
	struct follow f = {.o = o, .wake = wake, .sock = sock};
	CLEANUP_FD int signals = -1;
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
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	o->sink.signals = signals;
	r = signals < 0 ? -errno : ring_reader_open(&f.r, ring, RING_STREAM);
	if (r < 0)
		error_errno(e, r, "cap");
	else
		r = make_scribe(o, &c, &f.s, e);
	if (r == 0)
		r = follow(&f, e);
	if (r == 0) {
		if (ring_reader_has_gaps(&f.r))
			scribe_lacks_counts(f.s);
		scribe_end(f.s, wall_ns(), ring_reader_lost(&f.r), &sum);
		(void)cap_sink_flush(&o->sink);
		r = look_at_sink(&f, e);
		tell(&f, &sum);
	}
	scribe_free(f.s);
	ring_reader_close(&f.r);
	o->sink.signals = -1;
	return r;
}
