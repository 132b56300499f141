/* SPDX-License-Identifier: BSD-3-Clause */
/* The answers of the zone; see zone.h. */
#include "service/zone.h"

#include <string.h>
#include <strings.h>

#include "base/hex.h"

enum {
	LABELS_MAX = DNS_NAME_LEN / 2 + 1,
	SOA_REFRESH = 3600, /* for secondaries, of which there are none */
	SOA_RETRY = 600,
	SOA_EXPIRE = 86400,
	EDNS_UDP_MAX = 1232,
};

/* One question about the zone, and what is known of it. */
struct ask {
	const struct zone *z;
	const struct rd *msg;
	struct dns_question q;
	uint8_t name[DNS_NAME_LEN]; /* of the question, on the wire */
	size_t len;
	uint8_t label[LABELS_MAX]; /* where each begins, the root's left out */
	unsigned n_labels;
	size_t apex; /* where in name the zone's begins; len: it is not in it */
};

/* What is said to it. */
struct reply {
	enum dns_rcode rcode;
	struct zone_addrs addrs; /* A or AAAA, as was asked */
	char ptr[ZONE_LABEL_LEN]; /* "": none */
	bool has_soa, has_ns;	  /* as the answer */
};

bool zone_init(struct zone *z, const struct service_env *env,
	       const struct zone_source *src, const char *name)
{
	struct wr w = wr_init(z->name, sizeof(z->name));

	*z = (struct zone){.env = NULL};
	if (!*name || !dns_name_emit(&w, name))
		return false;
	z->env = env;
	z->source = *src;
	z->len = wr_len(&w);
	return true;
}

static void find_labels(struct ask *a)
{
	for (size_t at = 0; a->name[at]; at += 1u + a->name[at])
		a->label[a->n_labels++] = (uint8_t)at;
	a->apex = a->len;
}

/* The i-th label as text of a machine's name; false: no machine has such. */
static bool label_text(const struct ask *a, unsigned i,
		       char out[ZONE_LABEL_LEN])
{
	const uint8_t *p = a->name + a->label[i];
	char text[ZONE_LABEL_LEN];

	memcpy(text, p + 1, *p);
	text[*p] = '\0';
	/* Nothing may be left out of it or be replaced but its case. */
	return strlen(text) == *p && zone_label(text, true, out) &&
	       strcasecmp(text, out) == 0;
}

/* --- what there is --- */

/* A machine by its name, the first label; false: there is none. */
static bool ask_machine(const struct ask *a, struct reply *r)
{
	char label[ZONE_LABEL_LEN];
	struct zone_addrs found;

	if (!label_text(a, 0, label) ||
	    !zone_find(a->z, label, a->q.type == DNS_T_A, &found))
		return false;
	if (a->q.type == DNS_T_A || a->q.type == DNS_T_AAAA)
		r->addrs = found;
	return true;
}

/* The question's name is the zone's or below. */
static void ask_zone(const struct ask *a, struct reply *r)
{
	unsigned above = 0;

	while (above < a->n_labels && a->label[above] < a->apex)
		above++;
	if (!above) {
		r->has_soa = a->q.type == DNS_T_SOA;
		r->has_ns = a->q.type == DNS_T_NS;
		return;
	}
	if (above != 1 || !ask_machine(a, r))
		r->rcode = DNS_NXDOMAIN;
}

/* One family's reverse names. */
struct reverse {
	uint8_t suffix[16];
	size_t suffix_len;
	unsigned n;    /* labels of an address */
	unsigned bits; /* of each */
};

static const struct reverse reverse4 = {"\7in-addr\4arpa", 14, 4, 8};
static const struct reverse reverse6 = {"\3ip6\4arpa", 10, 32, 4};

/* One label as a number, written as it is by everybody. */
static bool number(const uint8_t *p, unsigned bits, unsigned *np)
{
	unsigned v = 0;

	if (bits == 4) {
		int d = hex_digit((char)p[1]);

		*np = (unsigned)d;
		return *p == 1 && d >= 0;
	}
	if (*p > 3 || (*p > 1 && p[1] == '0'))
		return false;
	for (unsigned i = 1; i <= *p; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + p[i] - '0';
	}
	*np = v;
	return v <= 255;
}

/* The labels before the suffix, the last first, as an address; returns how many
 * of them are numbers in its place. */
static unsigned reverse_addr(const struct ask *a, const struct reverse *v,
			     unsigned n, addr *ap)
{
	const unsigned first = (16 * 8 - v->n * v->bits) / 8;
	unsigned i;

	*ap = v == &reverse4 ? addr_v4(0, 0, 0, 0) : (addr){{0}};
	for (i = 0; i < n && i < v->n; i++) {
		unsigned x, at = i * v->bits;

		if (!number(a->name + a->label[n - 1 - i], v->bits, &x))
			break;
		ap->b[first + at / 8] |=
			(uint8_t)(x << (8 - v->bits - at % 8));
	}
	return i;
}

/* A question about the addresses of the network s; false: it is about others.
 * A network that does not end with a label is several zones. */
static bool ask_reverse(struct ask *a, const struct subnet *s,
			const struct reverse *v, struct reply *r)
{
	unsigned n = a->n_labels, n_numbers, cut;
	addr ip;

	if (!s->is_on || !dns_name_is_below(a->name, a->len, v->suffix,
					    v->suffix_len))
		return false;
	n -= 2; /* the suffix's */
	cut = (prefix_len(&s->net) + v->bits - 1) / v->bits;
	n_numbers = reverse_addr(a, v, n, &ip);
	if (n_numbers < cut || !prefix_has(&s->net, &ip))
		return false;
	a->apex = a->label[n - cut];
	r->has_soa = n == cut && a->q.type == DNS_T_SOA;
	r->has_ns = n == cut && a->q.type == DNS_T_NS;
	if (n_numbers < n)
		r->rcode = DNS_NXDOMAIN;
	else if (n == v->n && !zone_find_name(a->z, &ip, r->ptr))
		r->rcode = DNS_NXDOMAIN;
	if (r->rcode || a->q.type != DNS_T_PTR)
		r->ptr[0] = '\0';
	return true;
}

/* A name without a domain, of a guest that searches none.  One that nobody has
 * may be known to the resolvers. */
static bool ask_short(const struct ask *a, struct reply *r)
{
	return a->n_labels == 1 && ask_machine(a, r);
}

static bool is_about_zone(struct ask *a, struct reply *r)
{
	const struct zone *z = a->z;

	*r = (struct reply){.rcode = DNS_NOERROR};
	if (dns_name_is_below(a->name, a->len, z->name, z->len)) {
		a->apex = a->len - z->len;
		ask_zone(a, r);
		return true;
	}
	return ask_reverse(a, &z->env->v4, &reverse4, r) ||
	       ask_reverse(a, &z->env->v6, &reverse6, r) || ask_short(a, r);
}

/* --- how it is said --- */

static void put_own_name(struct wr *w, const struct zone *z, const char *label)
{
	wr_u8(w, (uint8_t)strlen(label));
	wr_bytes(w, label, strlen(label));
	wr_bytes(w, z->name, z->len);
}

/* A record's head; the length of its data is len. */
static void begin(struct wr *w, uint16_t type, uint32_t ttl, size_t len)
{
	wr_u16(w, type);
	wr_u16(w, DNS_C_IN);
	wr_u32(w, ttl);
	wr_u16(w, (uint16_t)len);
}

static void put_soa(struct wr *w, const struct ask *a)
{
	const struct zone *z = a->z;
	static const char own[] = "gateway", who[] = "hostmaster";
	const size_t len = sizeof(own) + sizeof(who) + 2 * z->len + 20;

	if (a->apex < a->len)
		wr_u16(w, (uint16_t)(DNS_POINTER | (DNS_HDR_LEN + a->apex)));
	else
		wr_bytes(w, z->name, z->len);
	begin(w, DNS_T_SOA, ZONE_NEGATIVE_TTL, len);
	put_own_name(w, z, own);
	put_own_name(w, z, who);
	wr_u32(w, 1); /* serial */
	wr_u32(w, SOA_REFRESH);
	wr_u32(w, SOA_RETRY);
	wr_u32(w, SOA_EXPIRE);
	wr_u32(w, ZONE_NEGATIVE_TTL);
}

static void put_ns(struct wr *w, const struct ask *a)
{
	static const char own[] = "gateway";

	wr_u16(w, DNS_POINTER | DNS_HDR_LEN);
	begin(w, DNS_T_NS, ZONE_TTL, sizeof(own) + a->z->len);
	put_own_name(w, a->z, own);
}

static void put_addrs(struct wr *w, const struct ask *a,
		      const struct zone_addrs *f)
{
	const size_t skip = a->q.type == DNS_T_A ? 12 : 0;

	for (unsigned i = 0; i < f->n; i++) {
		wr_u16(w, DNS_POINTER | DNS_HDR_LEN);
		begin(w, a->q.type, ZONE_TTL, sizeof(addr) - skip);
		wr_bytes(w, f->ip[i].b + skip, sizeof(addr) - skip);
	}
}

static void put_ptr(struct wr *w, const struct ask *a, const char *label)
{
	wr_u16(w, DNS_POINTER | DNS_HDR_LEN);
	begin(w, DNS_T_PTR, ZONE_TTL, strlen(label) + 1 + a->z->len);
	put_own_name(w, a->z, label);
}

/* Who speaks EDNS is answered in it (RFC 6891 6.1.1). */
static bool put_opt(struct wr *w, const struct ask *a)
{
	struct dns_record opt;

	if (!dns_opt_find(a->msg, &opt))
		return false;
	wr_u8(w, 0);
	wr_u16(w, DNS_T_OPT);
	wr_u16(w, EDNS_UDP_MAX);
	wr_u32(w, opt.ttl & DNS_EDNS_DO);
	wr_u16(w, 0);
	return true;
}

static void put_reply(struct wr *w, const struct ask *a, const struct reply *r)
{
	const uint16_t keep = DNS_F_RD | DNS_F_CD;
	struct wr head = *w;
	struct dns_hdr h = {
		.id = a->q.hdr.id,
		.flags = (uint16_t)(DNS_F_QR | DNS_F_AA | DNS_F_RA |
				    (a->q.hdr.flags & keep) |
				    (unsigned)r->rcode),
		.n_question = 1,
		.n_answer = (uint16_t)(r->addrs.n + (r->ptr[0] != '\0') +
				       r->has_soa + r->has_ns),
	};

	h.n_authority = !h.n_answer;
	dns_hdr_emit(w, &h);
	wr_bytes(w, a->msg->p + DNS_HDR_LEN, a->q.end - DNS_HDR_LEN);
	put_addrs(w, a, &r->addrs);
	if (r->ptr[0])
		put_ptr(w, a, r->ptr);
	if (r->has_ns)
		put_ns(w, a);
	if (r->has_soa || h.n_authority)
		put_soa(w, a);
	h.n_extra = put_opt(w, a);
	if (wr_ok(w))
		dns_hdr_emit(&head, &h);
}

bool zone_answer(const struct zone *z, const struct rd *msg, struct wr *w)
{
	struct ask a = {.z = z, .msg = msg};
	struct wr v = *w;
	struct reply reply;

	if (!z->env || !dns_question_parse(msg, &a.q) ||
	    a.q.hdr.n_question != 1)
		return false;
	a.len = dns_question_name(msg, a.name);
	find_labels(&a);
	if (!is_about_zone(&a, &reply))
		return false;
	if (a.q.hdr.flags & DNS_F_OPCODE)
		return dns_emit_error(w, msg, DNS_NOTIMP);
	if (a.q.class != DNS_C_IN && a.q.class != DNS_C_ANY)
		return dns_emit_error(w, msg, DNS_REFUSED);
	put_reply(&v, &a, &reply);
	if (!wr_ok(&v))
		return false;
	*w = v;
	return true;
}
