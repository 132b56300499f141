/* SPDX-License-Identifier: BSD-3-Clause */
/* Which resolver is asked; see dns_server.h. */
#include "service/dns_server.h"

#define SECOND_NS UINT64_C(1000000000)

static bool serves(const struct dns_server *s, const uint8_t *name, size_t len)
{
	return dns_name_is_below(name, len, s->domain, s->domain_len);
}

/* How long the domain is whose servers know the name; 0: nobody does. */
static size_t longest_domain(const struct dns_servers *t, const uint8_t *name,
			     size_t len)
{
	size_t longest = 0;

	for (unsigned i = 0; i < t->n; i++) {
		if (t->s[i].domain_len > longest && serves(&t->s[i], name, len))
			longest = t->s[i].domain_len;
	}
	return longest;
}

static bool is_in_group(const struct dns_server *s, size_t domain_len,
			const uint8_t *name, size_t len)
{
	return s->domain_len == domain_len && serves(s, name, len);
}

/* True if a is rather asked than b, which comes before it. */
static bool is_better(const struct dns_server *a, const struct dns_server *b)
{
	if (!a->rest_ns != !b->rest_ns)
		return !a->rest_ns;
	if (a->rest_ns) /* all are down: each has its turn */
		return a->failed_ns < b->failed_ns;
	return a->rtt_ns && (!b->rtt_ns || a->rtt_ns < b->rtt_ns);
}

int dns_servers_pick(const struct dns_servers *t, const uint8_t *name,
		     size_t len, uint64_t tried)
{
	size_t domain_len = longest_domain(t, name, len);
	int best = -1;

	for (unsigned i = 0; i < t->n; i++) {
		const struct dns_server *s = &t->s[i];

		if ((tried >> i & 1) || !is_in_group(s, domain_len, name, len))
			continue;
		if (best < 0 || is_better(s, &t->s[best]))
			best = (int)i;
	}
	return best;
}

int dns_servers_probe(struct dns_servers *t, const uint8_t *name, size_t len,
		      unsigned chosen, uint64_t now_ns)
{
	size_t domain_len = longest_domain(t, name, len);

	for (unsigned i = 0; i < t->n; i++) {
		struct dns_server *s = &t->s[i];
		bool is_due;

		if (i == chosen || s->is_probed ||
		    !is_in_group(s, domain_len, name, len))
			continue;
		s->n_since++;
		is_due = s->rest_ns ? now_ns >= s->rest_ns
				    : s->n_since >= DNS_MEASURE_EVERY;
		if (is_due) {
			s->n_since = 0;
			return (int)i;
		}
	}
	return -1;
}

void dns_server_answered(struct dns_server *s, uint64_t sent_ns,
			 uint64_t now_ns)
{
	uint64_t rtt = now_ns - sent_ns;

	rtt = rtt ? rtt : 1;
	s->rtt_ns = s->rtt_ns ? (7 * s->rtt_ns + rtt + 7) / 8 : rtt;
	s->answered_ns = now_ns;
	s->rest_ns = 0;
	s->n_failed = 0;
	s->n_since = 0;
}

void dns_server_failed(struct dns_server *s, bool is_silent, uint64_t sent_ns,
		       uint64_t now_ns)
{
	if (is_silent && s->answered_ns > sent_ns)
		return;
	s->failed_ns = now_ns;
	/* Several questions that failed together are one failure. */
	if (s->rest_ns > now_ns)
		return;
	s->rest_ns = now_ns + (DNS_REST_SECONDS * SECOND_NS << s->n_failed);
	if (s->n_failed < DNS_REST_DOUBLINGS)
		s->n_failed++;
}
