/* SPDX-License-Identifier: BSD-3-Clause */
/* The host's clock, for guests; see ntp.h. */
#include "service/ntp.h"

#include <errno.h>
#include <stdlib.h>

#include "wire/ntp.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	RATES = 1024,
	PRECISION = -20,	/* 1 us: what reading it costs, and more */
	ERROR_MAX_US = 1000000, /* that clients bear */
	REF_ID = 0x7f7f0101,	/* 127.127.1.1: a clock of the machine's own */
};

/* What a port of the lan had in a second.  Two ports in one place begin anew
 * each time the other comes, so neither can use up what is the other's. */
struct rate {
	uint32_t port;
	unsigned n;
	uint64_t second;
};

struct ntp {
	const struct service_env *env; /* borrowed */
	struct host_clock clock;
	bool has_clock;
	uint64_t clock_ns; /* when it was asked for, of env->now_ns .. */
	uint64_t clock_realtime; /* .. and in its own time */
	struct rate rate[RATES];
};

int ntp_new(const struct service_env *env, struct ntp **np)
{
	struct ntp *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->env = env;
	*np = n;
	return 0;
}

struct ntp *ntp_free(struct ntp *n)
{
	free(n);
	return NULL;
}

static bool is_within_rate(struct ntp *n)
{
	const uint32_t port = service_payer(n->env);
	const uint64_t second = *n->env->now_ns / SECOND_NS;
	struct rate *r = &n->rate[port % RATES];

	if (r->port != port || r->second != second)
		*r = (struct rate){.port = port, .second = second};
	return r->n++ < NTP_RATE;
}

/* Once a second is often enough for what changes in minutes. */
static void look_at_clock(struct ntp *n, uint64_t realtime)
{
	struct host *h = n->env->host;

	if (n->has_clock && *n->env->now_ns - n->clock_ns < SECOND_NS)
		return;
	h->ops->clock(h, &n->clock);
	n->has_clock = true;
	n->clock_ns = *n->env->now_ns;
	n->clock_realtime = realtime;
}

static uint8_t leap_of(const struct host_clock *c)
{
	if (!c->is_synced || !c->leap)
		return NTP_LEAP_NONE;
	return c->leap > 0 ? NTP_LEAP_LONGER : NTP_LEAP_SHORTER;
}

static uint32_t error_of(const struct host_clock *c)
{
	if (!c->is_synced)
		return 0;
	return c->max_error_us < ERROR_MAX_US ? c->max_error_us : ERROR_MAX_US;
}

static void answer(struct ntp *n, const struct packet *pkt,
		   const struct ntp_msg *ask, uint64_t received)
{
	struct host *h = n->env->host;
	struct ntp_msg m = {
		.leap = leap_of(&n->clock),
		.version = ask->version,
		.mode = NTP_MODE_SERVER,
		.stratum = NTP_STRATUM,
		.poll = ask->poll,
		.precision = PRECISION,
		.root_dispersion = ntp_short(error_of(&n->clock)),
		.ref_id = REF_ID,
		.reference = ntp_time(n->clock_realtime),
		.originate = ask->transmit,
		.receive = ntp_time(received),
	};
	uint8_t buf[NTP_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	const struct service_dgram d = {
		.to = pkt->eth_src,
		.src = pkt->dst,
		.dst = pkt->src,
		.payload = buf,
		.len = sizeof(buf),
	};

	/* As late as can be. */
	m.transmit = ntp_time(h->ops->realtime(h));
	ntp_emit(&w, &m);
	(void)service_send(n->env, &d); /* it fits every MTU */
}

void ntp_input(struct ntp *n, const struct packet *pkt, const uint8_t *payload,
	       size_t len)
{
	struct host *h = n->env->host;
	const uint64_t received = h->ops->realtime(h);
	struct rd r = rd_init(payload, len);
	struct ntp_msg ask;

	if (!ntp_parse(&r, &ask) || ask.mode != NTP_MODE_CLIENT ||
	    ask.version < NTP_VERSION_MIN || ask.version > NTP_VERSION_MAX) {
		drop(n->env->drops, DROP_NTP_BAD);
		return;
	}
	if (!is_within_rate(n)) {
		drop(n->env->drops, DROP_NTP_RATE);
		return;
	}
	look_at_clock(n, received);
	answer(n, pkt, &ask, received);
}
