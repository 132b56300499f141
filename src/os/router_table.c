/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of a router; see router_table.h. */
#include "os/router_table.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
	NEIGHBOURS_MAX = 512, /* half of what the kernel holds of itself */
	NEIGHBOUR_SECONDS = 120,
};

/* ---- the words of nft's JSON, as far as they are needed ---- */

#define MATCH(op, left, right)                                                 \
	"{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}}"
#define META(key)         "{\"meta\":{\"key\":\"" key "\"}}"
#define CT(key)           "{\"ct\":{\"key\":\"" key "\"}}"
#define FIELD(proto, key)                                                      \
	"{\"payload\":{\"protocol\":\"" proto "\",\"field\":\"" key "\"}}"
#define TEXT(word) "\"" word "\""

/* The bridge and the network stand for themselves: see put(). */
#define IN    MATCH("==", META("iifname"), "\"$b\"")
#define OUT   MATCH("==", META("oifname"), "\"$b\"")
#define ELSEWHERE MATCH("!=", META("iifname"), "\"$b\"")
#define SOURCE FIELD("$i", "saddr")
#define NET   "{\"prefix\":{\"addr\":\"$n\",\"len\":$l}}"
#define LINK  "{\"prefix\":{\"addr\":\"fe80::\",\"len\":10}}"
#define ICMP(types) MATCH("==", FIELD("$c", "type"), types)
#define KNOWN MATCH("in", CT("state"), "[\"established\",\"related\"]")
#define DNAT  MATCH("in", CT("status"), TEXT("dnat"))
/* What IPv6 takes on a link: where somebody is, who listens to which group. */
#define NEIGHBOURS TEXT("nd-neighbor-solicit") "," TEXT("nd-neighbor-advert")

#define ACCEPT "{\"accept\":null}"
#define DROP   "{\"drop\":null}"
#define REJECT "{\"reject\":{\"type\":\"icmpx\",\"expr\":\"admin-prohibited\"}}"

static const struct {
	const char *name, *type, *hook; /* NULL: jumped to */
	int prio;
} chains[] = {
	/* Before connections are known: what lies has none. */
	{"source", "filter", "prerouting", -300},
	{"to-host", "filter", "input", 0},
	{"from-host", "filter", "output", 0},
	{"through", "filter", "forward", 0},
	{"forwards", "nat", "prerouting", -100},
	{"leaving", "nat", "postrouting", 100},
	{"to-forwards", NULL, NULL, 0},
};

/* When a rule is there. */
enum rule_of {
	ANY,  /* always, once for both */
	EACH, /* once for each family that there is */
	V4,
	V6,
	NO_V4, /* there is none */
	NO_V6,
};

static const struct {
	enum rule_of of;
	const char *chain, *expr;
} rules[] = {
	{NO_V4, "source",
	 IN "," MATCH("==", META("nfproto"), TEXT("ipv4")) "," DROP},
	{NO_V6, "source",
	 IN "," MATCH("==", META("nfproto"), TEXT("ipv6")) "," DROP},
	{V4, "source", IN "," MATCH("!=", SOURCE, NET) "," DROP},
	/* IPv6 itself does not mind who speaks in the host's name.  To groups
	 * the gateway does, as the router that it advertises. */
	{V6, "source",
	 IN "," MATCH("==", META("pkttype"), TEXT("host")) ","
		MATCH("==", META("nfproto"), TEXT("ipv6")) ","
		MATCH("==",
		      "{\"fib\":{\"result\":\"type\",\"flags\":[\"saddr\"]}}",
		      TEXT("local")) "," DROP},
	{V6, "source", IN "," MATCH("==", SOURCE, TEXT("::")) "," ACCEPT},
	/* Beyond so many there is none: the host's table of neighbours is one
	 * for all its links. */
	{V6, "source",
	 IN "," MATCH("==", SOURCE, "{\"set\":[" NET "," LINK "]}")
	 ",{\"set\":{\"op\":\"update\",\"elem\":" SOURCE
	 ",\"set\":\"@neighbours\"}}," ACCEPT},
	{V6, "source",
	 IN "," MATCH("==", META("nfproto"), TEXT("ipv6")) "," DROP},
	/* Nor is anybody elsewhere a machine. */
	{EACH, "source",
	 ELSEWHERE "," MATCH("!=", META("iifname"), TEXT("lo")) ","
		   MATCH("==", SOURCE, NET) "," DROP},

	{V6, "to-host",
	 IN "," ICMP("{\"set\":[" NEIGHBOURS "," TEXT("mld-listener-query")
		     "]}") "," ACCEPT},
	/* What everybody gets is refused to nobody. */
	{ANY, "to-host",
	 IN "," MATCH("!=", META("pkttype"), TEXT("host")) "," DROP},
	{EACH, "to-host", IN "," ICMP(TEXT("echo-request")) "," ACCEPT},
	{ANY, "to-host", IN ",{\"jump\":{\"target\":\"to-forwards\"}}"},
	{ANY, "to-host", IN ",{\"reject\":{\"type\":\"tcp reset\"}}"},
	{ANY, "to-host", IN "," REJECT},

	{ANY, "from-host", OUT "," KNOWN "," ACCEPT},
	/* Errors about what was not let through, or through to the end. */
	{V4, "from-host",
	 OUT "," ICMP("{\"set\":[\"destination-unreachable\","
		      "\"time-exceeded\",\"parameter-problem\"]}") "," ACCEPT},
	{V6, "from-host",
	 OUT "," ICMP("{\"set\":[\"destination-unreachable\","
		      "\"time-exceeded\",\"parameter-problem\","
		      "\"packet-too-big\"," NEIGHBOURS ","
		      "\"mld-listener-report\",\"mld-listener-reduction\","
		      "\"mld2-listener-report\"]}") "," ACCEPT},
	{ANY, "from-host", OUT "," REJECT},

	/* It would leave under its own address. */
	{ANY, "through",
	 IN "," MATCH("in", CT("state"), TEXT("invalid")) "," DROP},
	/* From port to port of the bridge: br_netfilter shows that too. */
	{ANY, "through", IN "," OUT "," ACCEPT},
	{ANY, "through", OUT "," KNOWN "," ACCEPT},
	{ANY, "through", OUT "," DNAT "," ACCEPT},
	{ANY, "through", OUT "," DROP},

	{ANY, "leaving", IN "," MATCH("!=", META("oifname"), "\"$b\"") ","
			 "{\"masquerade\":null}"},
};

/* How a family is called. */
static const struct words {
	const char *ip, *icmp;
} words[] = {{"ip", "icmp"}, {"ip6", "icmpv6"}};

/* ---- writing ---- */

struct out {
	FILE *f;
	char *text; /* owned */
	size_t len;
	char table[ROUTER_TABLE_LEN];
	const char *br;
	const struct words *words; /* of the family that is spoken of */
	char net[ADDR_STRLEN];
	unsigned net_len;
	bool has_one; /* command */
};

const char *router_table_name(const char *br,
			      char buf[static ROUTER_TABLE_LEN])
{
	snprintf(buf, ROUTER_TABLE_LEN, "vmlan-%s", br);
	return buf;
}

static bool begin(struct out *o, const char *br)
{
	*o = (struct out){.br = br};
	router_table_name(br, o->table);
	o->f = open_memstream(&o->text, &o->len);
	if (o->f)
		fputs("{\"nftables\":[", o->f);
	return o->f;
}

static char *end(struct out *o)
{
	fputs("]}", o->f);
	if (fclose(o->f) == 0)
		return o->text;
	free(o->text);
	return NULL;
}

/* Of this network and its family. */
static void speak_of(struct out *o, const struct prefix *p)
{
	const struct prefix whole = prefix_network(p);

	o->words = &words[!addr_is_v4(&whole.ip)];
	o->net_len = prefix_len(&whole);
	addr_format(&whole.ip, o->net);
}

/* $b the bridge, $i and $c the family's IP and ICMP, $n and $l the network. */
static void put(struct out *o, const char *expr)
{
	for (; *expr; expr++) {
		if (*expr != '$') {
			fputc(*expr, o->f);
			continue;
		}
		expr++;
		if (*expr == 'b')
			fputs(o->br, o->f);
		else if (*expr == 'i')
			fputs(o->words->ip, o->f);
		else if (*expr == 'c')
			fputs(o->words->icmp, o->f);
		else if (*expr == 'n')
			fputs(o->net, o->f);
		else
			fprintf(o->f, "%u", o->net_len);
	}
}

/* What all commands begin with. */
static void put_command(struct out *o, const char *verb, const char *object)
{
	fprintf(o->f, "%s{\"%s\":{\"%s\":{\"family\":\"" ROUTER_TABLE_FAMILY
		      "\",\"%s\":\"%s\"",
		o->has_one ? "," : "", verb, object,
		object[0] == 't' ? "name" : "table", o->table);
	o->has_one = true;
}

static void put_rule(struct out *o, const char *chain, const char *expr)
{
	put_command(o, "add", "rule");
	fprintf(o->f, ",\"chain\":\"%s\",\"expr\":[", chain);
	put(o, expr);
	fputs("]}}}", o->f);
}

static void put_chains(struct out *o)
{
	for (size_t i = 0; i < array_len(chains); i++) {
		put_command(o, "add", "chain");
		fprintf(o->f, ",\"name\":\"%s\"", chains[i].name);
		if (chains[i].type)
			fprintf(o->f,
				",\"type\":\"%s\",\"hook\":\"%s\","
				"\"prio\":%d,\"policy\":\"accept\"",
				chains[i].type, chains[i].hook, chains[i].prio);
		fputs("}}}", o->f);
	}
}

/* The machines' addresses of IPv6, those heard of late. */
static void put_neighbours(struct out *o)
{
	put_command(o, "add", "set");
	fprintf(o->f,
		",\"name\":\"neighbours\",\"type\":\"ipv6_addr\",\"size\":%d,"
		"\"timeout\":%d,\"flags\":[\"timeout\"]}}}",
		NEIGHBOURS_MAX, NEIGHBOUR_SECONDS);
}

/* One of those in the table, for all that it is of. */
static void put_rules(struct out *o, size_t i, const struct prefix *v4,
		      const struct prefix *v6)
{
	const enum rule_of of = rules[i].of;
	const struct prefix *once[] = {
		of == V4 || of == EACH ? v4 : NULL,
		of == V6 || of == EACH ? v6 : NULL,
	};

	if (of == ANY || (of == NO_V4 && !v4) || (of == NO_V6 && !v6))
		put_rule(o, rules[i].chain, rules[i].expr);
	for (size_t k = 0; k < array_len(once); k++) {
		if (!once[k])
			continue;
		speak_of(o, once[k]);
		put_rule(o, rules[i].chain, rules[i].expr);
	}
}

char *router_table(const char *br, const struct prefix *nets, unsigned n)
{
	const struct prefix *v4 = NULL, *v6 = NULL;
	struct out o;

	for (unsigned i = 0; i < n; i++)
		*(addr_is_v4(&nets[i].ip) ? &v4 : &v6) = &nets[i];
	if (!begin(&o, br))
		return NULL;
	put_command(&o, "add", "table");
	fputs("}}}", o.f);
	put_chains(&o);
	if (v6)
		put_neighbours(&o);
	for (size_t i = 0; i < array_len(rules); i++)
		put_rules(&o, i, v4, v6);
	return end(&o);
}

char *router_table_tap(const char *br, const char *tap)
{
	struct out o;

	if (!begin(&o, br))
		return NULL;
	o.br = tap;
	put_rule(&o, "source", IN "," DROP);
	put_rule(&o, "from-host", OUT "," DROP);
	put_rule(&o, "through", OUT "," DROP);
	return end(&o);
}

/* By the kernel where it comes from elsewhere: a machine's connection to a
 * machine would be answered on their LAN, past the kernel.  So that is let
 * through to who listens, as the host's own are. */
static void put_forward(struct out *o, const struct router_forward *f)
{
	char at[384], dnat[160], expr[800];
	char host[ADDR_STRLEN], guest[ADDR_STRLEN];
	const char *proto = f->proto == IPPROTO_UDP ? "udp" : "tcp";
	const bool is_v4 = addr_is_v4(&f->host.ip);
	const char *ip = words[!is_v4].ip;
	int len = snprintf(at, sizeof(at),
			   MATCH("==", META("nfproto"), TEXT("%s")) ",",
			   is_v4 ? "ipv4" : "ipv6");

	if (addr_is_unspecified(&f->host.ip))
		len += snprintf(at + len, sizeof(at) - (size_t)len,
				MATCH("==",
				      "{\"fib\":{\"result\":\"type\","
				      "\"flags\":[\"daddr\"]}}",
				      TEXT("local")));
	else
		len += snprintf(at + len, sizeof(at) - (size_t)len,
				MATCH("==", FIELD("%s", "daddr"), TEXT("%s")),
				ip, addr_format(&f->host.ip, host));
	snprintf(at + len, sizeof(at) - (size_t)len,
		 "," MATCH("==", FIELD("%s", "dport"), "%u"), proto,
		 f->host.port);
	snprintf(dnat, sizeof(dnat),
		 "{\"dnat\":{\"family\":\"%s\",\"addr\":\"%s\",\"port\":%u}}",
		 ip, addr_format(&f->guest.ip, guest), f->guest.port);
	/* Who speaks by an address of his link would be led nowhere. */
	snprintf(expr, sizeof(expr), ELSEWHERE ",%s%s,%s", at,
		 is_v4 ? "" : "," MATCH("!=", FIELD("ip6", "saddr"), LINK),
		 dnat);
	put_rule(o, "forwards", expr);
	snprintf(expr, sizeof(expr), "%s," ACCEPT, at);
	put_rule(o, "to-forwards", expr);
}

static void flush(struct out *o, const char *chain)
{
	put_command(o, "flush", "chain");
	fprintf(o->f, ",\"name\":\"%s\"}}}", chain);
}

char *router_table_forwards(const char *br, const struct router_forward *v,
			    unsigned n)
{
	struct out o;

	if (!begin(&o, br))
		return NULL;
	flush(&o, "forwards");
	flush(&o, "to-forwards");
	for (unsigned i = 0; i < n; i++)
		put_forward(&o, &v[i]);
	return end(&o);
}
