/* SPDX-License-Identifier: BSD-3-Clause */
/* bench-front's words, and what it says; see front.h. */
#include "front.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char usage[] =
	"usage: bench-front vhost PATH TAP [ring=256] [buf=N] [offload=on]\n"
	"                   [server=off] [mtu=N] [txqlen=32768] [poll=200]\n"
	"       bench-front stream PATH TAP [mtu=1500] [server=off]\n"
	"                   [txqlen=32768]\n";

int front_say(const char *fmt, ...)
{
	va_list ap;

	fputs("bench-front: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return -1;
}

int front_say_errno(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	fputs("bench-front: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", strerror(err));
	return -1;
}

void front_ready(const struct front *f)
{
	printf("{\"ready\":true,\"features\":\"%#" PRIx64 "\"}\n",
	       f->features);
	fflush(stdout);
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void print_counts(const struct front *f)
{
	const struct front_counts *c = &f->c;
	const struct {
		const char *name;
		uint64_t n;
	} all[] = {
		{"up_frames", c->up_frames},
		{"up_bytes", c->up_bytes},
		{"up_kicks", c->up_kicks},
		{"up_calls", c->up_calls},
		{"up_full", c->up_full},
		{"down_frames", c->down_frames},
		{"down_bytes", c->down_bytes},
		{"down_kicks", c->down_kicks},
		{"down_calls", c->down_calls},
		{"down_empty", c->down_empty},
		{"waits", c->waits},
		{"dry", c->dry},
		{"refused", c->refused},
		{"lost", c->lost},
	};
	struct rusage u = {0};
	double gib = (double)(c->up_bytes + c->down_bytes) / (1u << 30);
	double cpu;

	(void)getrusage(RUSAGE_SELF, &u); /* cannot fail: its own */
	cpu = seconds(u.ru_utime) + seconds(u.ru_stime);
	putchar('{');
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		printf("\"%s\":%" PRIu64 ",", all[i].name, all[i].n);
	printf("\"cpu_user_s\":%.6f,\"cpu_sys_s\":%.6f,"
	       "\"cpu_s_per_gib\":%.4f}\n",
	       seconds(u.ru_utime), seconds(u.ru_stime),
	       gib > 0 ? cpu / gib : 0.0);
	fflush(stdout);
}

/* ---- words ---- */

static int parse_number(const char *word, const char *text, unsigned least,
			unsigned most, unsigned *np)
{
	char *end = NULL;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < least || n > most)
		return front_say("%s: a number of %u to %u", word, least,
				 most);
	*np = (unsigned)n;
	return 0;
}

static int parse_switch(const char *word, const char *text, bool *onp)
{
	if (strcmp(text, "on") && strcmp(text, "off"))
		return front_say("%s: on or off", word);
	*onp = !strcmp(text, "on");
	return 0;
}

static int parse_ring(struct front_opts *o, const char *word, const char *text)
{
	if (parse_number(word, text, 16, 32768, &o->ring) < 0)
		return -1;
	if (o->ring & (o->ring - 1))
		return front_say("%s: a power of two", word);
	return 0;
}

static int parse_word(struct front_opts *o, const char *word)
{
	const char *text = strchr(word, '=');
	size_t n = text ? (size_t)(text - word) : 0;
	bool is_vhost = !o->is_stream;

	if (!text)
		return front_say("%s: NAME=VALUE is expected", word);
	text++;
	if (n == 3 && !strncmp(word, "mtu", n))
		return parse_number(word, text, 68, 65521, &o->mtu);
	if (n == 6 && !strncmp(word, "server", n))
		return parse_switch(word, text, &o->is_server);
	if (n == 6 && !strncmp(word, "txqlen", n))
		return parse_number(word, text, 1, 1000000, &o->txqlen);
	if (is_vhost && n == 4 && !strncmp(word, "ring", n))
		return parse_ring(o, word, text);
	if (is_vhost && n == 4 && !strncmp(word, "poll", n))
		return parse_number(word, text, 0, 1000000, &o->poll);
	if (is_vhost && n == 3 && !strncmp(word, "buf", n))
		return parse_number(word, text, 256, FRONT_FRAME_MAX, &o->buf);
	if (is_vhost && n == 7 && !strncmp(word, "offload", n))
		return parse_switch(word, text, &o->offload);
	return front_say("%s: no such word", word);
}

static int parse(struct front_opts *o, int argc, char **argv)
{
	if (argc < 4)
		return -1;
	if (!strcmp(argv[1], "stream")) {
		o->is_stream = true;
		o->mtu = 1500;
	} else if (strcmp(argv[1], "vhost")) {
		return -1;
	}
	o->path = argv[2];
	o->tap = argv[3];
	if (!*o->tap || strlen(o->tap) >= IFNAMSIZ)
		return front_say("%s: no name of an interface", o->tap);
	for (int i = 4; i < argc; i++) {
		if (parse_word(o, argv[i]) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct front f = {
		.o = {.ring = 256,
		      .offload = true,
		      .txqlen = 32768,
		      .poll = 200},
		.tap = -1,
		.peer = -1,
		.ep = -1,
		.sig = -1,
	};
	enum front_end end;

	if (parse(&f.o, argc, argv) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	/* Signals last: until there is something to count, they just end it. */
	if (front_tap_open(&f, !f.o.is_stream) < 0 ||
	    front_peer_open(&f) < 0 || front_wait_open(&f) < 0)
		return FRONT_BROKEN;
	end = f.o.is_stream ? front_stream(&f) : front_vhost(&f);
	f.c.lost = front_tap_lost(&f);
	print_counts(&f);
	return (int)end;
}
