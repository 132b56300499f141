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
	"usage: bench-front vhost PATH TAP [queues=1] [ring=256] [buf=N]\n"
	"                   [offload=on] [server=off] [mtu=N] [txqlen=32768]\n"
	"                   [poll=200]\n"
	"       bench-front stream PATH TAP [mtu=1500] [server=off]\n"
	"       bench-front dgram GROUP:PORT TAP [mtu=1500] [net=FILE]\n"
	"       bench-front beside TAP2 TAP [mtu=N] [net=FILE]\n"
	"       bench-front packet - INTERFACE raw=..\n"
	"each:  [txqlen=32768] [raw=count|send [size=64] [me=1] [to=2]]: "
	"equal\n"
	"       frames, and no TAP; SIGUSR1 prints the counters\n";

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

/* Of all pairs of queues, whose threads count on meanwhile. */
static uint64_t sum(const struct front *f, size_t at)
{
	uint64_t n = 0;

	for (; f; f = f->next)
		n += __atomic_load_n(
			(const uint64_t *)(const void *)((const uint8_t *)&f->c +
							 at),
			__ATOMIC_RELAXED);
	return n;
}

#define COUNT(name)                                                            \
	{                                                                      \
		#name, offsetof(struct front_counts, name)                     \
	}

void front_print(struct front *f)
{
	static const struct {
		const char *name;
		size_t at;
	} all[] = {
		COUNT(up_frames),   COUNT(up_bytes),   COUNT(up_kicks),
		COUNT(up_calls),    COUNT(up_full),    COUNT(down_frames),
		COUNT(down_bytes),  COUNT(down_kicks), COUNT(down_calls),
		COUNT(down_empty),  COUNT(waits),      COUNT(dry),
		COUNT(refused),     COUNT(lost),
	};
	struct rusage u = {0};
	double gib, cpu;

	if (!f->o.raw || f->o.way == FRONT_PACKET)
		front_tap_count(f);
	gib = (double)(sum(f, offsetof(struct front_counts, up_bytes)) +
		       sum(f, offsetof(struct front_counts, down_bytes))) /
	      (1u << 30);
	(void)getrusage(RUSAGE_SELF, &u); /* cannot fail: its own */
	cpu = seconds(u.ru_utime) + seconds(u.ru_stime);
	printf("{\"ns\":%" PRIu64 ",", front_now_ns());
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		printf("\"%s\":%" PRIu64 ",", all[i].name,
		       sum(f, all[i].at));
	printf("\"cpu_user_s\":%.6f,\"cpu_sys_s\":%.6f,"
	       "\"cpu_s_per_gib\":%.4f}\n",
	       seconds(u.ru_utime), seconds(u.ru_stime),
	       gib > 0 ? cpu / gib : 0.0);
	fflush(stdout);
}

/* ---- words ---- */

enum {
	ALL = 1 << FRONT_VHOST | 1 << FRONT_STREAM | 1 << FRONT_DGRAM |
	      1 << FRONT_BESIDE | 1 << FRONT_PACKET,
	UNIX = 1 << FRONT_VHOST | 1 << FRONT_STREAM,
	VHOST = 1 << FRONT_VHOST,
	ELSEWHERE = 1 << FRONT_DGRAM | 1 << FRONT_BESIDE,
};

/* NAME=VALUE, given as word; at is its field in struct front_opts. */
struct word {
	const char *name;
	unsigned ways; /* a bit for each that knows it */
	int (*parse)(const struct word *w, const char *word, const char *text,
		     void *at);
	size_t at;
	unsigned least, most; /* of a number */
};

static int parse_number(const struct word *w, const char *word,
			const char *text, void *at)
{
	char *end = NULL;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < w->least || n > w->most)
		return front_say("%s: a number of %u to %u", word, w->least,
				 w->most);
	*(unsigned *)at = (unsigned)n;
	return 0;
}

static int parse_switch(const struct word *w, const char *word,
			const char *text, void *at)
{
	if (strcmp(text, "on") && strcmp(text, "off"))
		return front_say("%s: on or off", word);
	*(bool *)at = !strcmp(text, "on");
	return 0;
}

static int parse_ring(const struct word *w, const char *word, const char *text,
		      void *at)
{
	const unsigned *n = at;

	if (parse_number(w, word, text, at) < 0)
		return -1;
	if (*n & (*n - 1))
		return front_say("%s: a power of two", word);
	return 0;
}

static int parse_raw(const struct word *w, const char *word, const char *text,
		     void *at)
{
	if (strcmp(text, "count") && strcmp(text, "send"))
		return front_say("%s: count or send", word);
	*(enum front_raw_how *)at =
		strcmp(text, "send") ? FRONT_COUNT : FRONT_SEND;
	return 0;
}

static int parse_text(const struct word *w, const char *word, const char *text,
		      void *at)
{
	*(const char **)at = text;
	return 0;
}

#define AT(field) offsetof(struct front_opts, field)

static const struct word words[] = {
	{"mtu", ALL, parse_number, AT(mtu), 68, 65521},
	{"txqlen", ALL, parse_number, AT(txqlen), 1, 1000000},
	{"server", UNIX, parse_switch, AT(is_server), 0, 0},
	{"queues", VHOST, parse_number, AT(queues), 1, FRONT_QUEUES_MAX},
	{"ring", VHOST, parse_ring, AT(ring), 16, 32768},
	{"poll", VHOST, parse_number, AT(poll), 0, 1000000},
	{"buf", VHOST, parse_number, AT(buf), 256, FRONT_FRAME_MAX},
	{"offload", VHOST, parse_switch, AT(offload), 0, 0},
	{"net", ELSEWHERE, parse_text, AT(net), 0, 0},
	{"raw", ALL, parse_raw, AT(raw), 0, 0},
	{"size", ALL, parse_number, AT(size), FRONT_RAW_LEAST, FRONT_RAW_MOST},
	{"me", ALL, parse_number, AT(me), 1, 255},
	{"to", ALL, parse_number, AT(to), 1, 255},
};

static int parse_word(struct front_opts *o, const char *word)
{
	const char *text = strchr(word, '=');
	size_t n = text ? (size_t)(text - word) : 0;

	if (!text)
		return front_say("%s: NAME=VALUE is expected", word);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct word *w = &words[i];

		if (strlen(w->name) == n && !strncmp(word, w->name, n) &&
		    (w->ways >> o->way & 1))
			return w->parse(w, word, text + 1,
					(uint8_t *)o + w->at);
	}
	return front_say("%s: no such word", word);
}

static const struct {
	const char *name;
	enum front_end (*run)(struct front *f);
	unsigned mtu; /* of a tap unless told otherwise; 0: as it is */
} ways[] = {
	[FRONT_VHOST] = {"vhost", front_vhost, 0},
	[FRONT_STREAM] = {"stream", front_stream, 1500},
	[FRONT_DGRAM] = {"dgram", front_frames, 1500},
	[FRONT_BESIDE] = {"beside", front_frames, 0},
	[FRONT_PACKET] = {"packet", front_packet, 0},
};

static int parse_way(struct front_opts *o, const char *name)
{
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(name, ways[i].name))
			continue;
		o->way = (enum front_way)i;
		o->mtu = ways[i].mtu;
		return 0;
	}
	return -1;
}

static int parse(struct front_opts *o, int argc, char **argv)
{
	if (argc < 4 || parse_way(o, argv[1]) < 0)
		return -1;
	o->path = argv[2];
	o->tap = argv[3];
	if (!*o->tap || strlen(o->tap) >= IFNAMSIZ)
		return front_say("%s: no name of an interface", o->tap);
	for (int i = 4; i < argc; i++) {
		if (parse_word(o, argv[i]) < 0)
			return -1;
	}
	if (o->way == FRONT_PACKET && !o->raw)
		return front_say("packet: raw=count or raw=send is needed");
	return 0;
}

int main(int argc, char **argv)
{
	struct front f = {
		.o = {.queues = 1,
		      .ring = 256,
		      .offload = true,
		      .txqlen = 32768,
		      .poll = 200,
		      .size = 64,
		      .me = 1,
		      .to = 2},
		.tap = -1,
		.peer = -1,
		.out = -1,
		.ep = -1,
		.sig = -1,
	};
	enum front_end end;

	if (parse(&f.o, argc, argv) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	f.vnet = f.o.way == FRONT_VHOST || f.o.way == FRONT_BESIDE;
	/* Signals last: until there is something to count, they just end it. */
	if (front_tap_open(&f) < 0 || front_peer_open(&f) < 0 ||
	    front_wait_open(&f) < 0)
		return FRONT_BROKEN;
	end = ways[f.o.way].run(&f);
	front_print(&f);
	return (int)end;
}
