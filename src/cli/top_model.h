/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What vmlan top knows of a network: what GET /v1/network, /v1/stats and
 * /v1/flows answered at two moments, and what that is per second.
 *
 * A counter that has gone down counts anew, after an engine's death or for
 * another machine of the same name: it has no rate until the next sample.
 * Texts are foreign, and kept with '?' for all that is not printable ASCII.
 */
#ifndef CLI_TOP_MODEL_H
#define CLI_TOP_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

enum { TOP_NAME_LEN = 64, TOP_TEXT_LEN = 96 };

/* X(name, key): what a port counts */
#define TOP_COUNTS(X)                                                          \
	X(RX_FRAMES, "rx-frames")                                              \
	X(RX_BYTES, "rx-bytes")                                                \
	X(RX_DROPS, "rx-drops")                                                \
	X(TX_FRAMES, "tx-frames")                                              \
	X(TX_BYTES, "tx-bytes")                                                \
	X(TX_DROPS, "tx-drops")

enum top_count {
#define TOP_COUNT_ENUM(name, key) TOP_##name,
	TOP_COUNTS(TOP_COUNT_ENUM)
#undef TOP_COUNT_ENUM
	TOP_N_COUNTS
};

enum top_cable {
	TOP_CABLE_UP,
	TOP_CABLE_LOOSE, /* nobody is there */
	TOP_CABLE_PULLED,
	TOP_CABLE_SPOILT,
};

/* A machine, or another port of the network. */
struct top_machine {
	char name[TOP_NAME_LEN];
	char about[TOP_TEXT_LEN]; /* its address; of a port its kind */
	char mac[TOP_NAME_LEN];
	bool is_machine;
	bool is_counted; /* there is a port of it, and counts */
	bool has_rates;
	bool is_hidden; /* by the filter */
	enum top_cable cable;
	uint64_t counts[TOP_N_COUNTS]; /* rx: from it, tx: to it */
	double rates[TOP_N_COUNTS];    /* of them, per second */
};

struct top_flow {
	char machine[TOP_NAME_LEN];
	char proto[8];
	char guest[TOP_NAME_LEN];
	char peer[TOP_NAME_LEN];
	char name[TOP_TEXT_LEN]; /* the peer's; "" */
	char state[24];
	bool is_in; /* who began was the peer */
	bool has_rates;
	bool is_hidden;
	uint64_t sent, received; /* bytes, by and for the guest */
	double sent_rate, received_rate; /* bytes per second */
	int64_t rtt_us; /* -1: not known */
};

struct top_drop {
	char name[TOP_NAME_LEN];
	char text[TOP_TEXT_LEN];
	uint64_t count;
	double rate; /* per second; -1: not known */
};

/* X(name, in words): by what machines and flows are sorted */
#define TOP_SORTS(X)                                                           \
	X(TRAFFIC, "traffic")                                                  \
	X(FROM, "from it")                                                     \
	X(TO, "to it")                                                         \
	X(PACKETS, "packets")                                                  \
	X(LOST, "lost")                                                        \
	X(NAME, "name")

enum top_sort {
#define TOP_SORT_ENUM(name, text) TOP_BY_##name,
	TOP_SORTS(TOP_SORT_ENUM)
#undef TOP_SORT_ENUM
	TOP_N_SORTS
};

struct top_model {
	/* arranged: those that are shown first, in their order */
	struct top_machine *machines; /* owned */
	struct top_flow *flows;	      /* owned */
	struct top_drop *drops;	      /* owned */
	unsigned n_machines, n_flows, n_drops;
	unsigned n_shown_machines, n_shown_flows;
	unsigned n_real; /* machines that are machines */
	bool has_sample;
	bool has_flows;	 /* its keeper tells of them */
	bool has_more;	 /* flows that it left out */
	bool is_serving; /* its engine carries frames */
	bool is_kept;
	bool has_other_engine; /* than a sample ago */
	char mode[TOP_NAME_LEN];
	int64_t engine;	   /* its process */
	int64_t when_ms;   /* of the sample */
	int64_t uptime_ms; /* as the keeper says; -1: it does not */
	/* how it is arranged */
	enum top_sort sort;
	char filter[TOP_NAME_LEN]; /* "": all */
};

#define TOP_MODEL_NULL ((struct top_model){.engine = 0})

/* Takes a sample of now_ms; stats and flows may be NULL, where there were none.
 * -ENOMEM: it is as it was. */
MUST_USE int top_model_take(struct top_model *m, const json_t *network,
			    const json_t *stats, const json_t *flows,
			    int64_t now_ms);
/* Sorts and filters again, after sort or filter has changed. */
void top_model_arrange(struct top_model *m);
/* Forgets what it knows of the network, which has ended. */
void top_model_forget(struct top_model *m);
/* "traffic" */
const char *top_sort_name(enum top_sort sort);
/* The sum of a rate over the machines. */
double top_model_sum(const struct top_model *m, enum top_count c);
/* Bytes per second that the flow is sorted by. */
double top_flow_rate(const struct top_flow *f, enum top_sort sort);
/* The place of the machine of that name among those shown; -1: none. */
int top_model_place(const struct top_model *m, const char *name);

#endif
