/* SPDX-License-Identifier: BSD-3-Clause */
/* The DHCPv6 server; see dhcp6.h. */
#include "service/dhcp6.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "service/client_name.h"
#include "wire/dhcp6.h"
#include "wire/dns.h"
#include "wire/ip.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	DOMAINS_LEN = 512,
	PREFERENCE = 255, /* a client that asks need not wait for others
			   * (RFC 8415 18.2.1) */
	REPLY_ROOM = IP6_MTU_MIN - IP6_HDR_LEN - 8, /* every link's */
	MOVING_SECONDS = 1800, /* until clients ask, where it may move */
	STALE_MAX = 4, /* addresses of an IA that are told to be nothing */
};

struct dhcp6 {
	const struct service_env *env; /* borrowed */
	struct lease_table leases;     /* twin of DHCPv4's */
	dhcp6_bound_fn bound;
	void *arg;
	uint8_t domains[DOMAINS_LEN]; /* as option 24 has them */
	size_t domains_len;
	bool hides_dns;
	addr nameserver; /* unspecified: env's, which may move */
	const struct dhcp_rules *rules; /* borrowed; may be NULL */
	struct probes *probes;		/* borrowed; may be NULL */
	uint32_t lease_s, renew_s; /* and T1; DHCP_FOREVER */
	uint64_t n_answers;
	struct dhcp_told told;	   /* scratch of one call */
};

static void take(struct dhcp6 *d, const struct probe_msg *in);

/* One message that is being answered. */
struct exchange {
	const struct dhcp6_msg *m;
	const struct probe_msg *in; /* as it came */
	bool is_held; /* it will be answered later */
	uint64_t now_ns;
	struct dhcp_asker asker;
	uint16_t rule; /* number of its reservation, 0: none */
	struct wr w; /* the answer, begun */
};

static void add_domain(struct dhcp6 *d, struct wr *w, const char *name)
{
	if (!dns_name_emit(w, name))
		log_warn(d->env->log, "the domain %s does not fit a DHCPv6 "
				      "option; guests are not told of it",
			 name);
}

static void init_domains(struct dhcp6 *d, const struct dhcp6_config *c)
{
	struct wr w = wr_init(d->domains, sizeof(d->domains));

	bool is_told = !c->domain[0];

	for (unsigned i = 0; i < c->n_search; i++) {
		is_told |= strcasecmp(c->search[i], c->domain) == 0;
		add_domain(d, &w, c->search[i]);
	}
	if (!is_told)
		add_domain(d, &w, c->domain);
	d->domains_len = wr_len(&w);
}

int dhcp6_new(const struct service_env *env, const struct dhcp6_config *c,
	      struct lease_table *leases, dhcp6_bound_fn bound, void *arg,
	      struct dhcp6 **dp)
{
	struct dhcp6 *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->env = env;
	d->bound = bound;
	d->arg = arg;
	d->hides_dns = c->hides_dns;
	d->nameserver = c->nameserver;
	d->rules = c->rules;
	d->probes = c->probes;
	d->lease_s = c->lease_s ? c->lease_s : LEASE_SECONDS;
	d->renew_s = d->lease_s == DHCP_FOREVER ? DHCP_FOREVER : d->lease_s / 2;
	if (c->moves && d->renew_s > MOVING_SECONDS)
		d->renew_s = MOVING_SECONDS;
	init_domains(d, c);
	if (lease_table_twin(&d->leases, leases, &env->v4.net, &env->v6.net) <
	    0) {
		free(d);
		return -ENOMEM;
	}
	lease_reserve(&d->leases, &env->v6.net.ip); /* RFC 4291 2.6.1 */
	lease_reserve(&d->leases, &env->v6.gw);
	lease_reserve(&d->leases, &env->v6.dns);
	lease_reserve(&d->leases, &d->nameserver);
	*dp = d;
	return 0;
}

void dhcp6_moved(struct dhcp6 *d)
{
	lease_table_move(&d->leases, &d->env->v6.net);
}

struct dhcp6 *dhcp6_free(struct dhcp6 *d)
{
	if (!d)
		return NULL;
	lease_table_deinit(&d->leases);
	free(d);
	return NULL;
}

/* --- the answer --- */

static void begin_answer(const struct dhcp6 *d, struct exchange *x,
			 enum dhcp6_type type)
{
	const struct rd *id = &x->m->client_id;

	dhcp6_emit_hdr(&x->w, type, x->m->xid);
	if (rd_left(id))
		dhcp6_emit_opt(&x->w, DHCP6_O_CLIENT_ID, id->p, rd_left(id));
	dhcp6_emit_duid_ll(&x->w, DHCP6_O_SERVER_ID, d->env->gw_mac);
}

static void put_if_room(struct exchange *x, uint16_t code, const void *p,
			size_t len)
{
	const size_t head = 4;

	if (len && head + len <= wr_left(&x->w))
		dhcp6_emit_opt(&x->w, code, p, len);
}

static void put_settings(struct dhcp6 *d, struct exchange *x)
{
	const addr *dns = addr_is_unspecified(&d->nameserver)
				  ? &d->env->v6.dns
				  : &d->nameserver;
	struct dhcp_told *t = &d->told;
	struct rd own;

	dhcp_rules_tell(d->rules, &x->asker, t);
	if (!d->hides_dns && !dhcp_told_find(t, DHCP6_O_DNS, &own))
		put_if_room(x, DHCP6_O_DNS, dns->b, sizeof(dns->b));
	if (!dhcp_told_find(t, DHCP6_O_DOMAINS, &own))
		put_if_room(x, DHCP6_O_DOMAINS, d->domains, d->domains_len);
	for (unsigned i = 0; i < t->n; i++)
		put_if_room(x, t->opt[i].code, t->store + t->opt[i].off,
			    t->opt[i].len);
}

static void send_answer(struct dhcp6 *d, const struct exchange *x)
{
	const struct service_dgram g = {
		.to = x->in->pkt.eth_src,
		.src = {.ip = d->env->ll6, .port = DHCP6_PORT_SERVER},
		.dst = {.ip = x->in->pkt.src.ip, .port = DHCP6_PORT_CLIENT},
		.payload = x->w.start,
		.len = wr_len(&x->w),
	};

	if (!wr_ok(&x->w) || !service_send(d->env, &g))
		drop(d->env->drops, DROP_DHCP_BAD);
	else
		d->n_answers++;
}

static void put_address(struct exchange *x, const addr *ip, uint32_t seconds)
{
	const struct dhcp6_addr a = {
		.ip = *ip, .preferred = seconds, .valid = seconds};

	dhcp6_emit_addr(&x->w, &a);
}

/* An IA of which we have nothing but to say why. */
static void put_refusal(struct exchange *x, const struct dhcp6_ia *ia,
			enum dhcp6_status status)
{
	static const char *const why[] = {
		[DHCP6_SUCCESS] = "",
		[DHCP6_UNSPEC_FAIL] = "",
		[DHCP6_NO_ADDRS_AVAIL] = "no address is free",
		[DHCP6_NO_BINDING] = "not leased by this server",
		[DHCP6_NOT_ON_LINK] = "not of this network",
		[DHCP6_USE_MULTICAST] = "",
		[DHCP6_NO_PREFIX_AVAIL] = "prefixes are not delegated",
	};
	size_t at = dhcp6_ia_begin(&x->w, ia->code, ia->iaid, 0, 0);

	dhcp6_emit_status(&x->w, status, why[status]);
	dhcp6_opt_end(&x->w, at);
}

/* An IA with the client's address, and those that are its no more. */
static void put_lease(const struct dhcp6 *d, struct exchange *x,
		      const struct dhcp6_ia *ia, const struct lease *l,
		      bool with_stale)
{
	/* T2 is 0.8 of the lease, of which T1 is half (RFC 8415 21.4) */
	uint32_t t2 = d->renew_s == DHCP_FOREVER
			      ? DHCP_FOREVER
			      : (uint32_t)((uint64_t)d->renew_s * 8 / 5);
	size_t at = dhcp6_ia_begin(&x->w, ia->code, ia->iaid, d->renew_s, t2);
	struct rd opts = ia->opts;
	struct dhcp6_addr a;
	unsigned n = 0;

	if (l)
		put_address(x, &l->ip, d->lease_s);
	while (with_stale && n < STALE_MAX && dhcp6_next_addr(&opts, &a)) {
		if (l && addr_eq(&a.ip, &l->ip))
			continue;
		put_address(x, &a.ip, 0);
		n++;
	}
	dhcp6_opt_end(&x->w, at);
}

/* --- leases --- */

/* Each IA is a client to the lease table: its DUID, then its IAID. */
static struct lease_client client_of(const struct exchange *x,
				     const struct dhcp6_ia *ia)
{
	struct lease_client c = {
		.n_part = DHCP6_IAID_LEN,
		.mac = x->in->pkt.eth_src,
		.sender = x->in->pkt.eth_src,
		.port = x->in->port,
		.rule = x->rule,
	};
	struct wr w = wr_init(c.id, sizeof(c.id));

	_Static_assert((int)DHCP6_DUID_MAX + (int)DHCP6_IAID_LEN <=
			       (int)LEASE_ID_MAX,
		       "every client fits");
	wr_bytes(&w, x->m->client_id.p, rd_left(&x->m->client_id));
	wr_u32(&w, ia->iaid);
	c.id_len = wr_len(&w);
	return c;
}

/* The first address that an IA holds; unspecified: none. */
static addr wanted(const struct dhcp6_ia *ia)
{
	struct rd opts = ia->opts;
	struct dhcp6_addr a;

	return dhcp6_next_addr(&opts, &a) ? a.ip : (addr){{0}};
}

/* True if the IA holds this address. */
static bool has_address(const struct dhcp6_ia *ia, const addr *ip)
{
	struct rd opts = ia->opts;
	struct dhcp6_addr a;

	while (dhcp6_next_addr(&opts, &a)) {
		if (addr_eq(&a.ip, ip))
			return true;
	}
	return false;
}

static struct lease *offer(struct dhcp6 *d, const struct exchange *x,
			   const struct lease_client *c, const addr *want)
{
	struct lease *l = lease_offer(&d->leases, c, want,
				      x->now_ns +
					      LEASE_OFFER_SECONDS * SECOND_NS);

	if (!l)
		drop(d->env->drops, DROP_DHCP_NO_LEASE);
	return l;
}

/* All that the message says of who sent it; its name: RFC 4704 4. */
static void fill_asker(const struct exchange *x, struct dhcp_asker *a)
{
	struct rd r = x->m->fqdn;

	*a = (struct dhcp_asker){.m6 = x->m,
				 .mac = x->in->pkt.eth_src,
				 .id = rd_init(NULL, 0),
				 .duid = x->m->client_id};
	rd_skip(&r, 1); /* flags: we enter no names anywhere */
	if (!rd_ok(&r) ||
	    !client_name_parse(&r, true, a->name, sizeof(a->name)))
		a->name[0] = '\0';
}

static void confirm(struct dhcp6 *d, const struct exchange *x, struct lease *l)
{
	dhcp_learn_name(d->rules, &x->asker, x->rule, l, x->now_ns);
	lease_bind(&d->leases, l, lease_end(x->now_ns, d->lease_s));
	if (d->bound)
		d->bound(d->arg, &l->ip, x->in->pkt.eth_src);
}

static enum dhcp6_status refusal_of(const struct dhcp6_ia *ia)
{
	return ia->code == DHCP6_O_IA_PD ? DHCP6_NO_PREFIX_AVAIL
					 : DHCP6_NO_ADDRS_AVAIL;
}

/* An address for an IA of a SOLICIT or REQUEST. */
static void give(struct dhcp6 *d, struct exchange *x, const struct dhcp6_ia *ia,
		 bool is_final)
{
	struct lease_client c = client_of(x, ia);
	struct lease *l = NULL;
	addr want = wanted(ia);

	if (ia->code == DHCP6_O_IA_NA) {
		want = lease_wish(&d->leases, &c, &want);
		l = offer(d, x, &c, &want);
	}
	if (!l) {
		put_refusal(x, ia, refusal_of(ia));
		return;
	}
	if (is_final)
		confirm(d, x, l);
	put_lease(d, x, ia, l, false);
}

static bool is_on_link(const struct dhcp6 *d, const addr *ip)
{
	return prefix_has(&d->env->v6.net, ip);
}

/* True if an address of the IA is of another network. */
static bool is_foreign(const struct dhcp6 *d, const struct dhcp6_ia *ia)
{
	struct rd opts = ia->opts;
	struct dhcp6_addr a;

	while (dhcp6_next_addr(&opts, &a)) {
		if (!is_on_link(d, &a.ip))
			return true;
	}
	return false;
}

/* --- the messages (RFC 8415 18.3); false: not to be answered --- */

static void on_probed(void *arg, const struct probe_msg *m, const addr *ip,
		      const struct probe_user *user)
{
	struct dhcp6 *d = arg;

	probe_settle(&d->leases, ip, user, d->env);
	take(d, m);
}

/* True if the answer waits until it is known whether somebody has one of its
 * addresses. */
static bool must_wait(struct dhcp6 *d, const struct exchange *x)
{
	for (unsigned i = 0; d->probes && i < x->m->n_ia; i++) {
		const struct dhcp6_ia *ia = &x->m->ia[i];
		struct lease_client c = client_of(x, ia);
		addr want = wanted(ia);
		struct lease *l = NULL;

		if (ia->code != DHCP6_O_IA_NA)
			continue;
		want = lease_wish(&d->leases, &c, &want);
		l = lease_offer(&d->leases, &c, &want,
				x->now_ns + LEASE_OFFER_SECONDS * SECOND_NS);
		if (l && probe_start(d->probes, l, c.mac, x->in, on_probed, d))
			return true;
	}
	return false;
}

static bool on_solicit(struct dhcp6 *d, struct exchange *x)
{
	const struct dhcp6_msg *m = x->m;
	const uint8_t preference = PREFERENCE;

	x->is_held = must_wait(d, x);
	if (x->is_held)
		return true;
	begin_answer(d, x, m->is_rapid ? DHCP6_REPLY : DHCP6_ADVERTISE);
	if (m->is_rapid)
		dhcp6_emit_opt(&x->w, DHCP6_O_RAPID_COMMIT, "", 0);
	else
		dhcp6_emit_opt(&x->w, DHCP6_O_PREFERENCE, &preference, 1);
	for (unsigned i = 0; i < m->n_ia; i++)
		give(d, x, &m->ia[i], m->is_rapid);
	put_settings(d, x);
	return true;
}

static bool on_request(struct dhcp6 *d, struct exchange *x)
{
	begin_answer(d, x, DHCP6_REPLY);
	for (unsigned i = 0; i < x->m->n_ia; i++) {
		const struct dhcp6_ia *ia = &x->m->ia[i];

		if (is_foreign(d, ia))
			put_refusal(x, ia, DHCP6_NOT_ON_LINK);
		else
			give(d, x, ia, true);
	}
	put_settings(d, x);
	return true;
}

/* The lease of an IA that is to be kept for longer.  One that we do not know
 * (we were started anew) gets its address if it is free. */
static struct lease *renewed(struct dhcp6 *d, const struct exchange *x,
			     const struct dhcp6_ia *ia)
{
	struct lease_client c = client_of(x, ia);
	struct lease *l = lease_find(&d->leases, &c);
	addr want = wanted(ia);

	if (l && l->state == LEASE_BOUND && lease_is_free_for(l, &c))
		return offer(d, x, &c, &l->ip);
	l = lease_at(&d->leases, &want);
	if (!l || !lease_may_have(&d->leases, l, &c))
		return NULL;
	return offer(d, x, &c, &want);
}

static void renew(struct dhcp6 *d, struct exchange *x,
		  const struct dhcp6_ia *ia)
{
	struct lease *l = ia->code == DHCP6_O_IA_NA ? renewed(d, x, ia) : NULL;
	addr want = wanted(ia);

	if (l)
		confirm(d, x, l);
	/* Whoever rebinds has nobody else to ask: these are nobody's now. */
	if (l || (x->m->type == DHCP6_REBIND && !addr_is_unspecified(&want)))
		put_lease(d, x, ia, l, true);
	else
		put_refusal(x, ia, DHCP6_NO_BINDING);
}

static bool on_renew(struct dhcp6 *d, struct exchange *x)
{
	begin_answer(d, x, DHCP6_REPLY);
	for (unsigned i = 0; i < x->m->n_ia; i++)
		renew(d, x, &x->m->ia[i]);
	put_settings(d, x);
	return true;
}

/* Is the machine where it was? */
static bool on_confirm(struct dhcp6 *d, struct exchange *x)
{
	bool is_good = true;
	unsigned n = 0;

	for (unsigned i = 0; i < x->m->n_ia; i++) {
		addr first = wanted(&x->m->ia[i]);

		n += !addr_is_unspecified(&first);
		is_good = is_good && !is_foreign(d, &x->m->ia[i]);
	}
	if (!n)
		return false;
	begin_answer(d, x, DHCP6_REPLY);
	dhcp6_emit_status(&x->w, is_good ? DHCP6_SUCCESS : DHCP6_NOT_ON_LINK,
			  "");
	put_settings(d, x);
	return true;
}

/* The lease that an IA ends, or NULL. */
static struct lease *ended(struct dhcp6 *d, const struct exchange *x,
			   const struct dhcp6_ia *ia)
{
	struct lease_client c = client_of(x, ia);
	struct lease *l = lease_find(&d->leases, &c);

	if (ia->code != DHCP6_O_IA_NA || !l || l->state != LEASE_BOUND ||
	    !has_address(ia, &l->ip))
		return NULL;
	return l;
}

/* RELEASE and DECLINE. */
static bool on_end(struct dhcp6 *d, struct exchange *x)
{
	begin_answer(d, x, DHCP6_REPLY);
	dhcp6_emit_status(&x->w, DHCP6_SUCCESS, "");
	for (unsigned i = 0; i < x->m->n_ia; i++) {
		const struct dhcp6_ia *ia = &x->m->ia[i];
		struct lease *l = ended(d, x, ia);

		if (!l)
			put_refusal(x, ia, DHCP6_NO_BINDING);
		else if (x->m->type == DHCP6_RELEASE)
			lease_release(&d->leases, l);
		else
			lease_rest(&d->leases, l,
				   x->now_ns + LEASE_REST_SECONDS * SECOND_NS);
	}
	return true;
}

static bool on_information(struct dhcp6 *d, struct exchange *x)
{
	if (x->m->n_ia)
		return false; /* RFC 8415 16.12 */
	begin_answer(d, x, DHCP6_REPLY);
	put_settings(d, x);
	return true;
}

/* What a message has to say of who talks to whom (RFC 8415 16). */
enum server_id {
	SERVER_NONE, /* to all servers */
	SERVER_OURS,
	SERVER_ANY, /* if it names one it is ours */
};

static const struct {
	bool (*handle)(struct dhcp6 *d, struct exchange *x);
	bool is_anonymous; /* the client need not name itself */
	enum server_id server;
} rules[DHCP6_TYPE_END] = {
	[DHCP6_SOLICIT] = {on_solicit, false, SERVER_NONE},
	[DHCP6_REQUEST] = {on_request, false, SERVER_OURS},
	[DHCP6_CONFIRM] = {on_confirm, false, SERVER_NONE},
	[DHCP6_RENEW] = {on_renew, false, SERVER_OURS},
	[DHCP6_REBIND] = {on_renew, false, SERVER_NONE},
	[DHCP6_RELEASE] = {on_end, false, SERVER_OURS},
	[DHCP6_DECLINE] = {on_end, false, SERVER_OURS},
	[DHCP6_INFORMATION_REQUEST] = {on_information, true, SERVER_ANY},
};

/* A client's address is its link's, but there are some (udhcpc6) that speak to
 * us alone, and from their lease, once they have one. */
static bool is_clients(const struct dhcp6 *d, const addr *a)
{
	return addr_is_link_local6(a) ||
	       (is_on_link(d, a) && !subnet_is_ours(&d->env->v6, a));
}

static bool is_acceptable(const struct dhcp6 *d, const struct dhcp6_msg *m,
			  const struct packet *pkt)
{
	bool names_server = rd_left(&m->server_id);

	if (!is_clients(d, &pkt->src.ip) || !rules[m->type].handle)
		return false;
	if (!rd_left(&m->client_id) && !rules[m->type].is_anonymous)
		return false;
	return rules[m->type].server == SERVER_ANY ||
	       (rules[m->type].server == SERVER_OURS) == names_server;
}

/* The client took another server's offer; ours are free again. */
static void forget_offers(struct dhcp6 *d, const struct exchange *x)
{
	for (unsigned i = 0; i < x->m->n_ia; i++) {
		struct lease_client c = client_of(x, &x->m->ia[i]);
		struct lease *l = lease_find(&d->leases, &c);

		if (l && l->state == LEASE_OFFERED)
			lease_release(&d->leases, l);
	}
}

static void take(struct dhcp6 *d, const struct probe_msg *in)
{
	uint8_t buf[REPLY_ROOM];
	struct dhcp6_msg m;
	struct rd r = rd_init(in->payload, in->len);
	struct exchange x = {
		.m = &m,
		.in = in,
		.now_ns = *d->env->now_ns,
		.w = wr_init(buf, sizeof(buf)),
	};

	if (!dhcp6_parse(&r, &m) || !is_acceptable(d, &m, &in->pkt)) {
		drop(d->env->drops, DROP_DHCP_BAD);
		return;
	}
	fill_asker(&x, &x.asker);
	x.rule = (uint16_t)dhcp_rules_find(d->rules, &x.asker);
	lease_expire(&d->leases, x.now_ns);
	if (rd_left(&m.server_id) &&
	    !dhcp6_is_duid_ll(m.server_id, d->env->gw_mac)) {
		if (m.type == DHCP6_REQUEST)
			forget_offers(d, &x);
		return;
	}
	if (!rules[m.type].handle(d, &x))
		drop(d->env->drops, DROP_DHCP_BAD);
	else if (!x.is_held)
		send_answer(d, &x);
}

void dhcp6_input(struct dhcp6 *d, const struct packet *pkt,
		 const uint8_t *payload, size_t len)
{
	const struct probe_msg in = {
		.pkt = *pkt,
		.port = service_payer(d->env),
		.payload = payload,
		.len = len,
	};

	take(d, &in);
}

uint64_t dhcp6_n_answers(const struct dhcp6 *d)
{
	return d->n_answers;
}
