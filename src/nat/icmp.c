/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP errors and echo of our own addresses (icmp.h); ping.c has the flows to
 * the world.  Called on the worker's thread.
 */
#include "nat/icmp_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* after time.h, which it needs */

#include "base/cursor.h"
#include "wire/csum.h"

enum {
	TOO_BIG_MIN = 68, /* RFC 791: every link carries this */
	/* what a header of IPv6 is longer than one of IPv4 */
	IP6_LONGER = IP6_HDR_LEN - IP4_HDR_LEN,
};

/* One error, ready to be built. */
struct report {
	uint8_t type; /* of to's family, and so is code */
	uint8_t code;
	uint32_t rest; /* second word of the header: MTU, pointer */
	addr from;
	addr to;
	mac to_mac;
	const uint8_t *quote; /* from the IP header on */
	uint32_t quote_len;
};

void icmp_send(struct icmp *ic, const struct out_addr *a, uint8_t type,
	       uint8_t code, uint32_t rest, const uint8_t *data, uint32_t len)
{
	struct out_dgram d = {.a = *a, .payload = data, .len = len};
	struct icmp_hdr hdr = {.type = type,
			       .code = code,
			       .id = (uint16_t)(rest >> 16),
			       .seq = (uint16_t)rest};
	struct wr w = wr_init(d.head, sizeof(d.head));
	uint64_t sum = icmp_pseudo(&a->src, &a->dst, ICMP_HDR_LEN + len);

	icmp_emit(&w, &hdr);
	hdr.csum = csum_fold(
		csum_add(data, len, csum_add(d.head, sizeof(d.head), sum)));
	w = wr_init(d.head, sizeof(d.head));
	icmp_emit(&w, &hdr);
	out_dgram(&ic->out, &d);
	out_flush(&ic->out);
}

/* One token per error. */
static bool take_token(struct icmp *ic, struct icmp_bucket *b)
{
	const uint64_t ns = UINT64_C(1000000000) / ICMP_ERROR_RATE;
	uint64_t n = (*ic->env->now_ns - b->refill_ns) / ns;

	if (n > 0) {
		b->refill_ns += n * ns;
		b->n_tokens = n < ICMP_ERROR_BURST - b->n_tokens
				      ? b->n_tokens + (unsigned)n
				      : ICMP_ERROR_BURST;
	}
	if (b->n_tokens == 0) {
		drop(ic->env->drops, DROP_ICMP_RATE);
		return false;
	}
	b->n_tokens--;
	return true;
}

bool icmp_ration(struct icmp *ic, mac guest)
{
	return take_token(ic, &ic->bucket[hash_bytes(&ic->flows.key, guest.b,
						     sizeof(guest.b)) %
					  ICMP_BUCKETS]);
}

static void send_report(struct icmp *ic, const struct report *r)
{
	struct out_addr a = {.to = r->to_mac,
			     .src = r->from,
			     .dst = r->to,
			     .proto = icmp_proto(&r->to),
			     .ttl = IP_HOP_LIMIT};
	uint32_t max = (uint32_t)icmp_quote_max(&r->to);

	if (icmp_ration(ic, r->to_mac))
		icmp_send(ic, &a, r->type, r->code, r->rest, r->quote,
			  r->quote_len < max ? r->quote_len : max);
}

/* RFC 1122 3.2.2, RFC 4443 2.4 (e): what no error may be sent about. */
static bool may_answer(const struct packet *pkt, const struct frame *f)
{
	const addr *src = &pkt->src.ip;
	bool is_later = pkt->is_fragment && pkt->frag_off > 0;
	uint8_t type;

	if (pkt->ip_version == 0 || mac_is_group(pkt->eth_dst) ||
	    mac_is_group(pkt->eth_src))
		return false;
	if (addr_is_multicast(&pkt->dst.ip) ||
	    addr_is_broadcast(&pkt->dst.ip) || !addr_is_unicast(src))
		return false;
	/* "No next header" asks for nothing (RFC 8200 4.7). */
	if (pkt->ip_version == 6 && pkt->proto == IPPROTO_NONE)
		return false;
	if (is_later)
		return pkt->ip_version == 6;
	if (pkt->proto != icmp_proto(src))
		return true;
	return frame_copy(f, pkt->l4_off, 1, &type) &&
	       type == icmp_echo_type(src);
}

/* The MTU for a message to a: 0, that nobody knows it, can be said in ICMP
 * only (RFC 1191 4). */
static uint16_t tell_mtu(uint32_t mtu, const addr *a)
{
	uint32_t least = TOO_BIG_MIN;

	if (!addr_is_v4(a)) /* RFC 8200 5 */
		least = IP6_MTU_MIN;
	else if (mtu == 0)
		return 0;
	if (mtu < least)
		return (uint16_t)least;
	return mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)mtu;
}

/* An error about pkt, with arguments as of icmp_error(). False: its family has
 * no such error. */
static bool report_about(struct report *r, uint16_t arg,
			 const struct packet *pkt)
{
	bool is_protocol = r->type == ICMP_UNREACHABLE &&
			   r->code == ICMP_U_PROTOCOL;
	bool is_mtu = r->type == ICMP_UNREACHABLE &&
		      r->code == ICMP_U_FRAG_NEEDED;

	r->rest = is_mtu ? tell_mtu(arg, &r->to) : arg;
	if (pkt->ip_version == 4) {
		if (r->type == ICMP_PARAMETER)
			r->rest <<= 24;
		return true;
	}
	if (!icmp_to6(&r->type, &r->code))
		return false;
	if (is_protocol)
		r->rest = pkt->next_off;
	/* A routing header that nobody here carries out: it is its type
	 * (RFC 8200 4.4). */
	if (is_protocol && pkt->proto == IPPROTO_ROUTING)
		r->code = ICMP6_P_FIELD;
	return true;
}

void icmp_error(struct icmp *ic, uint8_t type, uint8_t code, uint16_t arg,
		const struct packet *pkt, const struct frame *f)
{
	uint8_t quote[ICMP_QUOTE_MAX];
	uint32_t max = (uint32_t)icmp_quote_max(&pkt->src.ip);
	uint32_t len = pkt->l4_off - pkt->l3_off + pkt->l4_len;
	struct report r = {.type = type,
			   .code = code,
			   .from = nat_subnet(ic->env, &pkt->src.ip)->gw,
			   .to = pkt->src.ip,
			   .to_mac = pkt->eth_src,
			   .quote = quote,
			   .quote_len = len < max ? len : max};

	if (!may_answer(pkt, f) || !report_about(&r, arg, pkt) ||
	    !frame_copy(f, pkt->l3_off, r.quote_len, quote))
		return;
	send_report(ic, &r);
}

/* The code of an unreachable for the errno of a socket call; false: the error
 * is nobody's refusal. */
static bool errno_code(int err, uint8_t *codep)
{
	switch (err < 0 ? -err : err) {
	case ENETUNREACH:
	case ENETDOWN:
	case ENONET:
	case EAFNOSUPPORT: /* the host has no IPv6 */
		*codep = ICMP_U_NET;
		return true;
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ETIMEDOUT:
	case EINVAL: /* a loopback source to the world, port 0 */
	case EADDRNOTAVAIL:
		*codep = ICMP_U_HOST;
		return true;
	case EOPNOTSUPP:
		*codep = ICMP_U_SOURCE_ROUTE;
		return true;
	case ENOPROTOOPT:
		*codep = ICMP_U_PROTOCOL;
		return true;
	case ECONNREFUSED:
		*codep = ICMP_U_PORT;
		return true;
	case EMSGSIZE:
		*codep = ICMP_U_FRAG_NEEDED;
		return true;
	case EACCES:
	case EPERM:
		*codep = ICMP_U_ADMIN;
		return true;
	default:
		return false;
	}
}

void icmp_errno(struct icmp *ic, int err, uint32_t mtu,
		const struct packet *pkt, const struct frame *f)
{
	uint8_t code;

	if (!errno_code(err, &code))
		return;
	icmp_error(ic, ICMP_UNREACHABLE, code,
		   code == ICMP_U_FRAG_NEEDED ? tell_mtu(mtu, &pkt->src.ip)
					      : 0,
		   pkt, f);
}

/* The MTU that the host was told, for a message to a. */
static uint16_t relay_mtu(uint32_t mtu, const addr *a)
{
	return tell_mtu(mtu ? mtu : 1, a);
}

/* What IPv4's path said, for a guest of IPv6 (RFC 7915 4.2).  Headers differ
 * in length, and so does what counts them. */
static bool meaning_46(const struct host_err *e, struct report *r)
{
	int pointer = IP6_PROTO_AT;

	r->rest = 0;
	if (e->type == ICMP_UNREACHABLE && e->code == ICMP_U_FRAG_NEEDED)
		r->rest = relay_mtu(e->info ? e->info + IP6_LONGER : 0,
				    &r->to);
	if (e->type == ICMP_PARAMETER)
		pointer = icmp_pointer_to6(e->info);
	if (!icmp_to6(&r->type, &r->code) || pointer < 0)
		return false;
	if (r->type == ICMP6_PARAMETER)
		r->rest = (uint32_t)pointer;
	return true;
}

static bool meaning_4(const struct host_err *e, struct report *r)
{
	if (e->type != ICMP_UNREACHABLE && e->type != ICMP_TIME_EXCEEDED &&
	    e->type != ICMP_PARAMETER)
		return false;
	if (!addr_is_v4(&r->to))
		return meaning_46(e, r);
	if (e->type == ICMP_PARAMETER)
		r->rest = e->info << 24; /* the pointer */
	else if (e->type == ICMP_UNREACHABLE && e->code == ICMP_U_FRAG_NEEDED)
		r->rest = relay_mtu(e->info, &r->to);
	return true;
}

/* What IPv6's path said, for a guest of IPv4 (RFC 7915 5.2). */
static bool meaning_64(const struct host_err *e, struct report *r)
{
	/* Where the pointer points to is not in IPv4's header. */
	if (!icmp_to4(&r->type, &r->code) || r->type == ICMP_PARAMETER)
		return false;
	if (e->type == ICMP6_TOO_BIG)
		r->rest = relay_mtu(e->info > IP6_LONGER
					    ? e->info - IP6_LONGER
					    : 0,
				    &r->to);
	return true;
}

static bool meaning_6(const struct host_err *e, struct report *r)
{
	if (e->type < ICMP6_UNREACHABLE || e->type > ICMP6_PARAMETER)
		return false;
	if (addr_is_v4(&r->to))
		return meaning_64(e, r);
	if (e->type == ICMP6_TOO_BIG)
		r->rest = relay_mtu(e->info, &r->to);
	else if (e->type == ICMP6_PARAMETER)
		r->rest = e->info;
	return true;
}

/* What the host itself said. */
static bool meaning_errno(const struct host_err *e, struct report *r)
{
	r->type = ICMP_UNREACHABLE;
	if (!errno_code(e->err, &r->code))
		return false;
	if (r->code == ICMP_U_FRAG_NEEDED)
		r->rest = relay_mtu(e->info, &r->to);
	if (addr_is_v4(&r->to))
		return true;
	if (r->code == ICMP_U_PROTOCOL)
		r->rest = IP6_PROTO_AT;
	return icmp_to6(&r->type, &r->code);
}

/* Type and code for the guest r->to; false: nothing it should hear. */
static bool err_meaning(const struct host_err *e, struct report *r)
{
	r->type = e->type;
	r->code = e->code;
	if (e->origin == SO_EE_ORIGIN_ICMP)
		return meaning_4(e, r);
	if (e->origin == SO_EE_ORIGIN_ICMP6)
		return meaning_6(e, r);
	return meaning_errno(e, r);
}

bool icmp_relay(struct icmp *ic, const struct icmp_relay *q)
{
	uint8_t quote[FRAME_ETH_LEN + ICMP_QUOTE_MAX];
	struct out_addr a = {.src = q->guest.ip,
			     .dst = q->dst.ip,
			     .proto = q->proto,
			     .ttl = 1};
	struct report r = {.from = nat_subnet(ic->env, &q->guest.ip)->gw,
			   .to = q->guest.ip,
			   .to_mac = q->guest_mac,
			   .quote = quote + FRAME_ETH_LEN};
	struct endpoint offender = {.ip = q->err->offender};
	uint32_t ip_len = ip_hdr_len(&a.dst), len = q->quote_len;
	uint32_t max = (uint32_t)icmp_quote_max(&a.dst) - ip_len;

	if (!err_meaning(q->err, &r))
		return false;
	if (len > max)
		len = max;
	if (!addr_is_unspecified(&offender.ip))
		r.from = nat_map_in(ic->env, &offender, &r.to).ip;
	out_put_ip(quote, ic->env, &a, len);
	memcpy(quote + out_l4(&a.dst), q->quote, len);
	r.quote_len = ip_len + len;
	icmp_quote(ic, quote + FRAME_ETH_LEN, &r.quote_len);
	send_report(ic, &r);
	return true;
}

bool icmp_check(struct icmp *ic, const struct packet *pkt,
		const struct frame *f)
{
	struct frame cut = *f;
	uint64_t sum;

	if (pkt->proto != icmp_proto(&pkt->src.ip)) {
		drop(ic->env->drops, DROP_ICMP_TYPE);
		return false;
	}
	if (pkt->l4_len < ICMP_HDR_LEN || pkt->l4_off > f->len ||
	    pkt->l4_len > f->len - pkt->l4_off) {
		drop(ic->env->drops, DROP_ICMP_SHORT);
		return false;
	}
	if (f->off.flags & (FRAME_F_NEEDS_CSUM | FRAME_F_CSUM_VALID))
		return true;
	cut.len = pkt->l4_off + pkt->l4_len;
	if (cut.hdr_len > cut.len)
		cut.hdr_len = cut.len;
	sum = icmp_pseudo(&pkt->src.ip, &pkt->dst.ip, pkt->l4_len);
	if (csum_fold(frame_sum(&cut, pkt->l4_off, sum)) != 0) {
		drop(ic->env->drops, DROP_ICMP_CSUM);
		return false;
	}
	return true;
}

/* Answers an echo request to one of our own addresses. */
static void echo_self(struct icmp *ic, const struct packet *pkt,
		      const struct frame *f)
{
	struct out_addr a = {.to = pkt->eth_src,
			     .src = pkt->dst.ip,
			     .dst = pkt->src.ip,
			     .proto = pkt->proto,
			     .ttl = IP_HOP_LIMIT,
			     .tos = pkt->tos};
	uint32_t len = pkt->l4_len;
	struct rd r;

	if (!frame_copy(f, pkt->l4_off, len, ic->scratch))
		return;
	r = rd_init(ic->scratch + 4, 4);
	icmp_send(ic, &a, icmp_reply_type(&a.dst), 0, rd_u32(&r),
		  ic->scratch + ICMP_HDR_LEN, len - ICMP_HDR_LEN);
}

void icmp_input(struct icmp *ic, const struct packet *pkt,
		const struct frame *f)
{
	const struct nat_env *env = ic->env;

	if (!icmp_check(ic, pkt, f))
		return;
	if (f->hdr[pkt->l4_off] != icmp_echo_type(&pkt->src.ip) ||
	    f->hdr[pkt->l4_off + 1]) {
		drop(env->drops, DROP_ICMP_TYPE);
		return;
	}
	if (nat_is_ours(env, &pkt->dst.ip))
		echo_self(ic, pkt, f);
	else
		ping_input(ic, pkt, f);
}

int icmp_new(const struct nat_env *env, unsigned max_flows, struct icmp **icp)
{
	struct icmp *ic = calloc(1, sizeof(*ic));
	int r;

	if (!ic)
		return -ENOMEM;
	ic->env = env;
	for (unsigned i = 0; i < ICMP_BUCKETS; i++)
		ic->bucket[i] = (struct icmp_bucket){
			.refill_ns = *env->now_ns,
			.n_tokens = ICMP_ERROR_BURST};
	out_init(&ic->out, env);
	r = ping_init(ic, max_flows ? max_flows : ICMP_FLOWS_MAX);
	if (r < 0) {
		(void)icmp_free(ic); /* NULL */
		return r;
	}
	*icp = ic;
	return 0;
}

struct icmp *icmp_free(struct icmp *ic)
{
	if (!ic)
		return NULL;
	ping_deinit(ic);
	free(ic);
	return NULL;
}

unsigned icmp_n_flows(const struct icmp *ic)
{
	return ic->flows.n;
}
