/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of why: why.c has the request and its life, why_way.c what the
 * keeper knows before the engine is asked, why_said.c what the engine has said,
 * in words, and what the host does then, why_ways.c both families.
 */
#ifndef KEEPER_WHY_PRIV_H
#define KEEPER_WHY_PRIV_H

#include "base/why.h"
#include "keeper/later.h"
#include "keeper/machine.h"
#include "keeper/why.h"

enum party_kind {
	PARTY_MACHINE,	/* of this network */
	PARTY_HOST,
	PARTY_INTERNET, /* anybody in the world */
	PARTY_ADDRESS,	/* of nobody here */
	PARTY_NAME,	/* of DNS */
	PARTY_ELSEWHERE, /* a machine of another network */
};

struct party {
	enum party_kind kind;
	char text[ENGINE_DNS_NAME_LEN]; /* as it was called */
	char name[CONTROL_NAME_LEN];	/* MACHINE: its name */
	addr ip; /* ADDRESS, or the one that a machine was called by;
		  * unspecified: none */
};

enum {
	WHY_SAID_LEN = 400,
	WHY_WAYS = 2,
};

/* What was said of one way. */
struct why_told {
	json_t *steps; /* owned; NULL: none, or no memory */
	bool is_no;
	size_t decider;
	char verdict[WHY_SAID_LEN];
	char remedy[WHY_SAID_LEN];
};

struct why {
	struct later later;
	struct list link; /* in keeper.whys, while the engine is asked */
	struct timer patience;
	struct keeper *keeper;
	uint32_t cookie;
	struct party from, to;
	uint8_t proto; /* IPPROTO_* */
	uint16_t port; /* 0: icmp */
	/* What the engine is to be asked. */
	struct msg_why_ask ask;
	bool asks;
	bool by_kernel; /* the host's kernel is the router: its routes decide */
	/* Both families lead there: the way of each, in the order in which a
	 * machine tries them (why_ways.c). */
	struct party way[WHY_WAYS];
	unsigned n_ways, i_way;
	json_t *before; /* owned; steps ahead of both; NULL: none */
	struct why_told told; /* of the first, while the second is looked at */
	/* What was said. */
	json_t *steps; /* owned; NULL: no memory */
	bool is_no;	 /* one of them said so: it is the last */
	size_t decider;	 /* the step that decides */
	/* To be said when the engine has said its steps: why_finally(). */
	const char *last_what; /* NULL: nothing */
	enum why_ok last_ok;
	char last[WHY_SAID_LEN];
	bool has_address; /* that of from was said */
	char verdict[WHY_SAID_LEN];
	char remedy[WHY_SAID_LEN]; /* "": there is none */
};

/* One more step, unless one said no.  text has no full stop. */
__attribute__((format(printf, 4, 5))) void why_say(struct why *w,
						   const char *what,
						   enum why_ok ok,
						   const char *fmt, ...);
/* The same, and the answer is this step's. */
__attribute__((format(printf, 4, 5))) void why_decide(struct why *w,
						      const char *what,
						      enum why_ok ok,
						      const char *fmt, ...);
/* The same, behind all that is to be said yet. */
__attribute__((format(printf, 4, 5))) void why_finally(struct why *w,
						       const char *what,
						       enum why_ok ok,
						       const char *fmt, ...);
/* What is behind all is said. */
void why_last(struct why *w);
/* What would help: of the first that has something to say. */
__attribute__((format(printf, 2, 3))) void why_remedy(struct why *w,
						      const char *fmt, ...);
/* The machine of a PARTY_MACHINE; NULL: it has gone meanwhile. */
struct machine *why_machine(struct why *w, const struct party *p);
/* An address is whose; anybody's who is not here: itself. */
void why_party_at(struct keeper *k, struct party *p, const addr *ip);

/* The keeper's steps; w->ask is what is to be asked then, if w->asks. */
void why_way(struct why *w);
/* The engine's steps. True: a name was one, and has led to w->to: why_way() is
 * to go on from there. */
bool why_said(struct why *w, const struct why_trail *t);
/* Where a name leads to, or anybody in the world: NULL where one family does
 * not.  Of both, that of w->from's address, if it was called by one.  w->to is
 * the first of them then; why_way() goes on from there. */
void why_ways_set(struct why *w, const addr *v4, const addr *v6);
/* The first is done. True: w->to is the second, of which nothing is said
 * yet. */
bool why_ways_next(struct why *w);
/* What was said of both is one answer: of the first that leads there. */
void why_ways_join(struct why *w);
/* m's address in that family, not a link-local one; false: none is known. */
bool why_address(const struct machine *m, bool is_v4, addr *ap);
/* One more step, as why_say() makes them. */
json_t *why_step_new(const char *what, enum why_ok ok, const char *text);
/* What the host does with what goes to ep. */
void why_host(struct why *w, const struct endpoint *ep);

/* "tcp port 443" or "ping". */
const char *why_what(const struct why *w, char buf[static 32]);

#endif
