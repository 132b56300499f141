/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of a router; see router_table.h. */
#include "os/router_table.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

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
#define NET   "{\"prefix\":{\"addr\":\"$n\",\"len\":$l}}"
#define PING  MATCH("==", FIELD("icmp", "type"), TEXT("echo-request"))
#define KNOWN MATCH("in", CT("state"), "[\"established\",\"related\"]")
#define DNAT  MATCH("in", CT("status"), TEXT("dnat"))

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

static const struct {
	const char *chain, *expr;
} rules[] = {
	{"source", IN "," MATCH("==", META("nfproto"), TEXT("ipv6")) "," DROP},
	{"source", IN "," MATCH("!=", FIELD("ip", "saddr"), NET) "," DROP},
	/* Nor is anybody elsewhere a machine. */
	{"source",
	 ELSEWHERE "," MATCH("!=", META("iifname"), TEXT("lo")) ","
		   MATCH("==", FIELD("ip", "saddr"), NET) "," DROP},

	{"to-host", IN "," PING "," ACCEPT},
	{"to-host", IN ",{\"jump\":{\"target\":\"to-forwards\"}}"},
	/* What everybody gets is refused to nobody. */
	{"to-host",
	 IN "," MATCH("!=", META("pkttype"), TEXT("host")) "," DROP},
	{"to-host", IN ",{\"reject\":{\"type\":\"tcp reset\"}}"},
	{"to-host", IN "," REJECT},

	{"from-host", OUT "," KNOWN "," ACCEPT},
	/* Errors about what was not let through, or through to the end. */
	{"from-host",
	 OUT "," MATCH("==", FIELD("icmp", "type"),
		       "{\"set\":[\"destination-unreachable\","
		       "\"time-exceeded\",\"parameter-problem\"]}") "," ACCEPT},
	{"from-host", OUT "," REJECT},

	/* It would leave under its own address. */
	{"through",
	 IN "," MATCH("in", CT("state"), TEXT("invalid")) "," DROP},
	/* From port to port of the bridge: br_netfilter shows that too. */
	{"through", IN "," OUT "," ACCEPT},
	{"through", OUT "," KNOWN "," ACCEPT},
	{"through", OUT "," DNAT "," ACCEPT},
	{"through", OUT "," DROP},

	{"leaving", IN "," MATCH("!=", META("oifname"), "\"$b\"") ","
		    "{\"masquerade\":null}"},
};

/* ---- writing ---- */

struct out {
	FILE *f;
	char *text; /* owned */
	size_t len;
	char table[ROUTER_TABLE_LEN];
	const char *br;
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

/* $b the bridge, $n and $l the network. */
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

char *router_table(const char *br, const struct prefix *net)
{
	const struct prefix whole = prefix_network(net);
	struct out o;

	if (!begin(&o, br))
		return NULL;
	addr_format(&whole.ip, o.net);
	o.net_len = whole.len - 96u;
	put_command(&o, "add", "table");
	fputs("}}}", o.f);
	for (size_t i = 0; i < array_len(chains); i++) {
		put_command(&o, "add", "chain");
		fprintf(o.f, ",\"name\":\"%s\"", chains[i].name);
		if (chains[i].type)
			fprintf(o.f,
				",\"type\":\"%s\",\"hook\":\"%s\","
				"\"prio\":%d,\"policy\":\"accept\"",
				chains[i].type, chains[i].hook, chains[i].prio);
		fputs("}}}", o.f);
	}
	for (size_t i = 0; i < array_len(rules); i++)
		put_rule(&o, rules[i].chain, rules[i].expr);
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
	char at[320], dnat[128], expr[640];
	char host[ADDR_STRLEN], guest[ADDR_STRLEN];
	const char *proto = f->proto == IPPROTO_UDP ? "udp" : "tcp";

	if (addr_is_unspecified(&f->host.ip))
		snprintf(at, sizeof(at),
			 MATCH("==",
			       "{\"fib\":{\"result\":\"type\","
			       "\"flags\":[\"daddr\"]}}",
			       TEXT("local")) ","
			 MATCH("==", FIELD("%s", "dport"), "%u"),
			 proto, f->host.port);
	else
		snprintf(at, sizeof(at),
			 MATCH("==", FIELD("ip", "daddr"), TEXT("%s")) ","
			 MATCH("==", FIELD("%s", "dport"), "%u"),
			 addr_format(&f->host.ip, host), proto, f->host.port);
	snprintf(dnat, sizeof(dnat),
		 "{\"dnat\":{\"family\":\"ip\",\"addr\":\"%s\",\"port\":%u}}",
		 addr_format(&f->guest.ip, guest), f->guest.port);
	snprintf(expr, sizeof(expr), ELSEWHERE ",%s,%s", at, dnat);
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
