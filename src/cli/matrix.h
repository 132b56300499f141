/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of `vmlan matrix`: matrix.c is the command and the design's table,
 * matrix_world.c the networks around a mode, matrix_vm.c its machines,
 * matrix_lease.c how these get an address, matrix_ask.c the traffic,
 * matrix_print.c what came of it; matrix_guest.c machines that are guests of
 * QEMU, matrix_image.c what these boot, matrix_agent.c vmlan in there.  A row
 * of the table is tried in an enclave (os/enclave.h) by its first process; what
 * it finds is in memory shared with the command.
 *
 *	 a, b      machines: kernels in namespaces of their own, or in QEMU
 *	  |        vmlan run --net MODE
 *	 host      192.0.2.2; 198.51.100.1 on br0, or on lan0 itself
 *	  |   \
 *	  |   lan  198.51.100.9, the neighbour, and the LAN's switch
 *	  |   /
 *	 inet      192.0.2.1, 198.51.100.254; 203.0.113.80 is the internet
 *
 * In IPv6 2001:db8:0::2 .. 2001:db8:2::80 for these.
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

enum matrix_family { MATRIX_IP4, MATRIX_IP6, N_MATRIX_FAMILIES };

/* NEIGHBOUR: ARP, or a solicitation of IPv6's. */
enum protocol { PROTO_NEIGHBOUR, PROTO_PING, PROTO_TCP, PROTO_UDP, N_PROTOS };

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
	GUEST_YES_MS = 20000, /* the same of guests, which are slower */
	GUEST_NO_MS = 5000,
};

/* How machines get their addresses. */
enum addressing { BY_LEASE, BY_PRIVATE, BY_LAN, BY_PLUG };

/* One way to a mode, and what the design says of it. */
struct matrix_row {
	const char *word;
	const char *label;
	const char *options; /* of the mode; PID: the neighbour's */
	enum addressing addressing;
	bool has_bridge; /* of the host, on the LAN */
	bool host_has_routes; /* to machines: it asks for no neighbour */
	/* For each question 'y', 'n' or '-', over either family. */
	const char *expected;
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
	struct cell_found cells[N_MATRIX_FAMILIES][N_QUESTIONS];
	bool has_family[N_MATRIX_FAMILIES]; /* was asked over it */
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
	/* Where it is asked for, and where by the other machine; unspecified:
	 * it has none. */
	addr ip[N_MATRIX_FAMILIES];
	addr near[N_MATRIX_FAMILIES];
};

/* What guests boot; NULL stands for machines that are namespaces. */
struct guest_image {
	int kernel, initrd; /* owned, to be found below /proc/1/fd */
	unsigned memory_mib; /* that one of them takes */
};

/* A guest's serial line, by which it is told what to do. */
struct guest_line {
	int listener; /* owned: QEMU connects to it */
	int fd;	      /* owned; -1 until the guest is up */
};

struct world {
	const struct matrix_row *row;
	const struct guest_image *image; /* borrowed */
	struct node nodes[N_NODES];
	pid_t vmms[2]; /* vmlan run of a and b */
	struct guest_line lines[2];
	bool has_gateway_broken; /* by the switch for tests */
	bool has_ip6;		 /* the kernel does */
};

static inline bool world_has(const struct world *w, enum matrix_family f)
{
	return f == MATRIX_IP4 || w->has_ip6;
}

extern const char *const node_names[N_NODES];

/* ---- matrix_world.c ---- */

/* The current namespace is the host's. */
MUST_USE int world_build(struct world *w, struct error *e);
/* 2001:db8:NET::LAST, of RFC 3849. */
addr world_ip6(uint8_t net, uint8_t last);
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

/* ---- matrix_lease.c ---- */

struct matrix_lease {
	addr ip;
	uint8_t len;	/* of the network, as IPv4's */
	addr router;	/* unspecified: none */
	addr ip6; /* unspecified: none */
	addr router6;
};
/* Asks on that interface of the current namespace, which has no address. */
MUST_USE int matrix_lease_get(const char *ifname, struct matrix_lease *l,
			      struct error *e);

/* ---- what nodes do, in their own namespace or as a guest ---- */

enum order_kind { ORDER_SET_UP, ORDER_ADDRESS, ORDER_PROBE };

/* Guests get it as it is: they are this very program. */
struct order {
	enum order_kind kind;
	uint32_t id; /* of the report */
	/* SET_UP: what the card gets, unless by DHCP; ADDRESS: one more */
	struct matrix_lease lease;
	bool by_dhcp;
	bool has_ip6; /* besides; by_ra: by advertisements */
	bool by_ra;
	bool has_way6; /* a router is advertised, or will be */
	bool may_lack_card;
	bool has_router;
	/* PROBE: what is asked, who must answer, and how long that may take */
	enum protocol proto;
	struct endpoint to; /* port: TCP's and UDP's */
	enum node_id whom;
	uint32_t wait_ms;
};

struct report {
	uint32_t id;
	bool has_failed;
	struct matrix_lease lease; /* of SET_UP */
	struct probe_found found;  /* of PROBE */
	char error[200];
};

/* In the current namespace. */
void order_obey(const struct order *o, struct report *rep);

/* ---- matrix_vm.c ---- */

enum { VMM_WORDS_MAX = 64 };

/* A command line; its words live until it is executed. */
struct vmm_words {
	char *v[VMM_WORDS_MAX + 1];
	unsigned n;
};
__attribute__((format(printf, 2, 3))) void vmm_word(struct vmm_words *w,
						    const char *fmt, ...);
/* Where a machine's `vmlan run` says what there is to say. */
void vm_log_path(enum node_id id, char buf[static 64]);
/* Two machines on the mode's network, with addresses. */
MUST_USE int vms_start(struct world *w, struct row_found *f, struct error *e);

/* ---- matrix_ask.c ---- */

/* Answers TCP and UDP with its name, for ever; see enclave_room(). */
void matrix_answer(void *node, int ready_fd);
/* Asks from the current namespace; an order of kind PROBE. */
void matrix_probe(const struct order *o, struct probe_found *found);
/* Asks all questions of the row at once and waits for what is heard. */
MUST_USE int matrix_ask(const struct world *w, struct row_found *f,
			struct error *e);

/* ---- matrix_guest.c ---- */

static inline bool is_guest(const struct world *w, enum node_id id)
{
	return w->image && (id == NODE_A || id == NODE_B);
}
MUST_USE int guest_listen(struct world *w, enum node_id id, struct error *e);
/* QEMU's command line, but for the network. */
void guest_words(const struct world *w, enum node_id id, struct vmm_words *v);
/* Whether it has said that it is up. */
bool guest_is_up(struct world *w, enum node_id id);
MUST_USE int guest_tell(const struct world *w, enum node_id id,
			const struct order *o, struct error *e);
/* The next of its reports. */
MUST_USE int guest_hear(const struct world *w, enum node_id id,
			struct report *rep, struct error *e);

/* ---- matrix_image.c ---- */

/* The host's own kernel and modules where these are NULL.  What was made is the
 * caller's to close in any case. */
MUST_USE int guest_image_make(const char *kernel, const char *modules,
			      struct guest_image *im, struct error *e);
/* How many rows with two guests each this host can take at once; not 0. */
unsigned guest_rows_at_once(const struct guest_image *im);

/* ---- matrix_agent.c ---- */

#define AGENT_OPTION  "--agent" /* after "matrix", before the guest's name */
#define AGENT_TTY     "/dev/ttyS1"
#define AGENT_MODULES "/modules"
/* The first that it says; from then on it is struct report. */
#define AGENT_UP '!'
/* The guest of that name; returns if it is none, or cannot be. */
int matrix_agent(const char *name);

/* ---- matrix.c ---- */

enum answer matrix_cell(const struct cell_found *c);
/* 'y', 'n', '-', '?' for some of it, '!' where it could not be asked. */
char matrix_letter(enum answer a);
bool matrix_cell_ok(const struct matrix_row *row, const struct row_found *f,
		    enum matrix_family family, enum question q);

/* ---- matrix_print.c ---- */

struct matrix {
	const struct matrix_row *rows[16];
	struct row_found *found; /* shared, one for each */
	unsigned n;
	const struct guest_image *image; /* NULL: no guests */
	int verbosity;
	bool is_json;
};

/* The table's parts, in this order; a row when it is known. */
void matrix_print_head(void);
void matrix_print_row(const struct matrix_row *row, const struct row_found *f);
void matrix_print_end(const struct matrix *m, bool is_ok);
void matrix_print_json(const struct matrix *m, bool is_ok);

#endif
