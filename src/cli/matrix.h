/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of `vmlan matrix`: matrix.c is the command and the design's table,
 * matrix_world.c the networks around a mode, matrix_vm.c its machines,
 * matrix_lease.c how these get an address, matrix_ask.c the traffic,
 * matrix_print.c what came of it.  A row of the table is tried in an enclave
 * (os/enclave.h) by its first process; what it finds is in memory shared with
 * the command.
 *
 *	 a, b      machines: kernels in namespaces of their own
 *	  |        vmlan run --net MODE
 *	 host      192.0.2.2; 198.51.100.1 on br0, or on lan0 itself
 *	  |   \
 *	  |   lan  198.51.100.9, the neighbour, and the LAN's switch
 *	  |   /
 *	 inet      192.0.2.1, 198.51.100.254; 203.0.113.80 is the internet
 *
 * The host forwards, and lan and inet have routes by it to whatever a machine
 * may have as address: who does not get in is kept out.
 */
#ifndef CLI_MATRIX_H
#define CLI_MATRIX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/mem.h"
#include "mode/mode.h"

enum question {
	Q_VM_LAN,
	Q_LAN_VM,
	Q_VM_VM,
	Q_INTERNET,
	Q_HOST_VM,
	Q_FORWARD,
	N_QUESTIONS,
};

enum matrix_family { MATRIX_IP4, N_MATRIX_FAMILIES };

enum protocol { PROTO_ARP, PROTO_PING, PROTO_TCP, PROTO_UDP, N_PROTOS };

enum answer {
	ANSWER_NONE, /* was not asked, for it has no sense there */
	ANSWER_NO,
	ANSWER_YES,
	ANSWER_MIXED, /* some of a cell's probes, not all */
	ANSWER_FAILED, /* could not be asked */
};

enum node_id {
	NODE_HOST,
	NODE_LAN,
	NODE_INET,
	NODE_A,
	NODE_B,
	N_NODES,
};

enum {
	PAIRS_MAX = 2,	    /* of one cell: who asks whom */
	NETDEVS_LEN = 256,
	TCP_PORT = 7000,    /* of who answers .. */
	UDP_PORT = 7001,
	FORWARD_PORT = 7070, /* .. and of the host, to a's; UDP's one more */
	YES_MS = 10000,	    /* waited for an answer that is due .. */
	NO_MS = 2000,	    /* .. and that is not */
};

/* How machines get their addresses. */
enum addressing { BY_LEASE, BY_PRIVATE, BY_LAN, BY_PLUG };

/* One way to a mode, and what the design says of it. */
struct matrix_row {
	const char *word;
	const char *label;
	const char *options; /* of the mode; %d: pid of the neighbour */
	enum addressing addressing;
	bool has_bridge; /* of the host, on the LAN */
	bool host_has_routes; /* to machines: it asks nobody by ARP */
	/* For each question 'y', 'n' or '-'. */
	const char *expected[N_MATRIX_FAMILIES];
};

struct probe_found {
	enum answer answer;
	uint32_t ms;
};

/* Who asked whom. */
struct pair_found {
	enum node_id from, to;
	addr ip;
	struct probe_found probes[N_PROTOS];
};

struct cell_found {
	unsigned n_pairs;
	struct pair_found pairs[PAIRS_MAX];
};

/* What came of a row; in shared memory. */
struct row_found {
	struct cell_found cells[N_QUESTIONS];
	bool is_built;
	char error[512]; /* why not */
	char way[16];
	char netdevs[NETDEVS_LEN]; /* of its network */
	uint32_t ms;
};

/* A namespace, and who answers in it. */
struct node {
	enum node_id id;
	pid_t pid; /* 0: the enclave's first process */
	int net;   /* owned */
	addr ip;   /* where it is asked for .. */
	addr near; /* .. and where by the other machine */
};

struct world {
	const struct matrix_row *row;
	struct node nodes[N_NODES];
	pid_t vmms[2]; /* vmlan run of a and b */
	bool has_gateway_broken; /* by the switch for tests */
};

extern const char *const node_names[N_NODES];

/* ---- matrix_world.c ---- */

/* The current namespace is the host's. */
MUST_USE int world_build(struct world *w, struct error *e);
/* The current process goes to that node. */
MUST_USE int world_enter(const struct world *w, enum node_id id,
			 struct error *e);
/* In the current namespace. */
MUST_USE int world_addr_add(const char *ifname, const addr *ip, uint8_t len,
			    struct error *e);
MUST_USE int world_route_add(const char *ifname, const struct prefix *to,
			     const addr *router, struct error *e);
/* A namespace with somebody in it who answers. */
MUST_USE int world_node_add(struct world *w, enum node_id id, struct error *e);

/* ---- matrix_vm.c ---- */

/* Two machines on the mode's network, with addresses. */
MUST_USE int vms_start(struct world *w, struct row_found *f, struct error *e);

/* ---- matrix_lease.c ---- */

struct matrix_lease {
	addr ip;
	uint8_t len;	/* of the network, as IPv4's */
	addr router;	/* unspecified: none */
};
/* Asks on that interface of the current namespace, which has no address. */
MUST_USE int matrix_lease_get(const char *ifname, struct matrix_lease *l,
			      struct error *e);

/* ---- matrix_ask.c ---- */

/* Answers TCP and UDP with its name, for ever; see enclave_room(). */
void matrix_answer(void *node, int ready_fd);
/* Asks all questions of the row at once and waits for what is heard. */
MUST_USE int matrix_ask(const struct world *w, struct row_found *f,
			struct error *e);

/* ---- matrix.c ---- */

enum answer matrix_cell(const struct cell_found *c);
/* 'y', 'n', '-', '?' for some of it, '!' where it could not be asked. */
char matrix_letter(enum answer a);
bool matrix_cell_ok(const struct matrix_row *row, const struct row_found *f,
		    enum question q);

/* ---- matrix_print.c ---- */

struct matrix {
	const struct matrix_row *rows[16];
	struct row_found *found; /* shared, one for each */
	unsigned n;
	int verbosity;
	bool is_json;
};

/* The table's parts, in this order; a row when it is known. */
void matrix_print_head(void);
void matrix_print_row(const struct matrix_row *row, const struct row_found *f);
void matrix_print_end(const struct matrix *m, bool is_ok);
void matrix_print_json(const struct matrix *m, bool is_ok);

#endif
