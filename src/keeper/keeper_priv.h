/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's state, shared by keeper.c (life), engine_link.c (the engine
 * and the channel to it), client.c (connections of stream clients),
 * machine.c (who is plugged in) and control.c (requests).
 */
#ifndef KEEPER_KEEPER_PRIV_H
#define KEEPER_KEEPER_PRIV_H

#include <sys/types.h>

#include "keeper/events.h"
#include "keeper/keeper.h"
#include "keeper/plan.h"
#include "keeper/resolv.h"
#include "os/loop.h"
#include "os/netwatch.h"
#include "os/sigwatch.h"
#include "os/ways.h"
#include "worker/counters.h"

/* The engine's process and channel. */
struct engine_link {
	pid_t pid;	   /* 0 = none */
	uint64_t started;  /* as proc_started() says */
	int sock;	   /* owned; -1 = none */
	struct loop_io io;
	bool synced;	   /* it has taken the whole plan */
	unsigned n_hubs;   /* of the plan's, it knows that many */
	unsigned n_starts; /* in the current window */
	uint64_t window_ns; /* start of that window */
};

/* What it takes to tell clients of one family of a refusal. */
struct refuser {
	int fd;		/* owned; raw, to send only; -1 = none */
	bool was_tried; /* to open it */
};

enum { CHILDREN_MAX = 256 }; /* programs of guestfwd= and smb= at a time */

/* One of them. */
struct keeper_child {
	pid_t pid;
	const struct plan_guestfwd *guestfwd;
	uint32_t port, from; /* whose: as in msg_guestfwd_call */
};

/* Requests that wait for the engine (look.h). */
struct looks {
	struct list waiting; /* of struct look, the first is being asked */
	uint32_t cookie;     /* of the turn that was asked last */
	bool is_owed; /* the engine has not said that one yet; another is asked
		       * then, however many have asked and gone */
	struct timer patience;
	size_t n_bytes; /* of all answers that are not freed yet */
};

struct keeper {
	const struct keeper_config *c; /* borrowed */
	struct loop *loop;	       /* owned */
	struct sigwatch *signals;      /* owned */
	struct resolv_watch *resolv;   /* owned; NULL: not followed */
	struct resolv_list resolvers;  /* sent last */
	struct ways ways;	       /* out of the host, sent last */
	struct netwatch *network;      /* owned; NULL: not followed */
	struct plan plan;
	struct engine_link engine;
	struct counters counters; /* owned; each engine of ours counts there */
	unsigned long n_files; /* soft limit of descriptors we came with */
	struct keeper_child children[CHILDREN_MAX];
	unsigned n_children;
	struct refuser refuser[2]; /* of IPv4, of IPv6 */
	struct http *http; /* owned; NULL: no guest has called it yet */
	/* With a network only. */
	struct control *control; /* owned; the socket that takes requests */
	char *v1;		 /* owned; what GET /v1 answers, once made */
	struct events events;
	struct list machines;	 /* of struct machine */
	unsigned n_machines;	 /* length of it */
	struct loop_io starter;	 /* fd -1: has done */
	bool is_kept;
	struct list captures;	 /* of struct capture: capture.h */
	uint32_t last_capture;	 /* number of the last one */
	struct list whys;	 /* of struct why, that wait: why.h */
	uint32_t last_why;	 /* cookie of the last one */
	unsigned whys_owed;	 /* the engine has not said those yet */
	struct leases *leases;	 /* owned: leases.h; NULL: without a network */
	struct looks looks;	 /* what the engine is asked for: look.h */
	uint64_t start_ns;
	struct timer log_timer; /* looks at the log's length */
	struct timer state_timer; /* until state_save_rarely() may write */
	bool state_is_old; /* and is to, then */
	uint64_t state_netns;
	struct timer beside_timer; /* armed while machines have no route */
	bool is_ready;
	pid_t rest; /* c->ready()'s child; 0: none */
	bool is_stopping;
	struct error error; /* what ended it, if anything failed */
};

/* Starts an engine and sends it the plan. 0, or negative with k->error. */
int engine_link_start(struct keeper *k);
/* Asks the engine to stop and waits for its end (killed after 2 s). */
void engine_link_stop(struct keeper *k);
/* The engine's process ended with this wait status. */
void engine_link_ended(struct keeper *k, int status);
/* Sends one message with descriptors; -errno if the engine is gone. */
int engine_link_send(struct keeper *k, union engine_msg *m,
		     enum engine_msg_type type, const int *fds,
		     unsigned n_fds);
/* Has the running engine serve one more netdev of the plan, or no longer; a
 * later one gets the plan as it is then. */
void engine_link_add(struct keeper *k, struct plan_netdev *n);
void engine_link_del(struct keeper *k, const struct plan_netdev *n);
/* The same of forwards with this number of the netdev user n. */
void engine_link_forward_add(struct keeper *k, const struct plan_netdev *n,
			     uint32_t id);
void engine_link_forward_del(struct keeper *k, const struct plan_netdev *n,
			     uint32_t id);
/* The address is leased to the machine with this MAC only, zero: to nobody. */
void engine_link_keep(struct keeper *k, const addr *ip, mac owner);
/* Sends the host's resolvers as they are now, if they are others than those
 * sent last, or the engine is new. */
void engine_link_resolvers(struct keeper *k, bool is_new);
/* Says that the host's network changed and lost these n addresses, and which
 * ways out it has now. */
void engine_link_network(struct keeper *k, const addr *gone, unsigned n);

/* The host may have other IPv6 prefixes: moves the networks that follow it,
 * and tells the engine, or leaves that to who starts one. */
void follow_look(struct keeper *k, bool tells);
/* Tells a new engine, which has n's order, the networks that n had before. */
MUST_USE int follow_tell(struct keeper *k, const struct plan_netdev *n);

/* A guest calls a server of guestfwd=, of smb= or the one of HTTP: what comes
 * of it goes to the engine. */
void guestfwd_call(struct keeper *k, const struct msg_guestfwd_call *call);
/* A child ended; one that was not started for a guest is no matter. */
void guestfwd_ended(struct keeper *k, pid_t pid, int status);
/* Tells the programs to end; those of smb= have ended then. */
void guestfwd_stop(struct keeper *k);

/* Tells a new engine, which has n's order, what n's machines boot; a guest
 * wants a file of TFTP: it, or why there is none, goes to the engine. */
MUST_USE int boot_tell(struct keeper *k, const struct plan_netdev *n);
void tftp_want(struct keeper *k, const struct msg_tftp_want *w);

/* A guest refuses what a client sent it, which came by the UDP socket fd
 * (borrowed): tells the client, where that is allowed. */
void refuse_client(struct keeper *k, const struct msg_udp_refused *m, int fd);
/* *ownp is what the socket fd is bound to; false: it is not one of UDP over
 * IPv4 with a port. */
bool refuse_port(int fd, struct endpoint *ownp);
void refuse_stop(struct keeper *k);
/* *ap stays if the host would speak to client from it, and becomes the address
 * from which it would if not; false: it would not. */
bool refuse_source(const struct endpoint *client, addr *ap);

/* A macvtap port wants a macvtap for one more MAC: makes it. */
void macvtap_leg(struct keeper *k, const struct msg_leg *m);
/* A new engine is going to be told of n: it knows the first macvtap only. */
void macvtap_restart(struct plan_netdev *n);
/* Opens the control socket, once the network is ready for machines. */
int control_open(struct keeper *k, struct error *e);
void control_close(struct keeper *k);

/* The host's network changed: n is served no more if the interface that it is
 * on is gone, and again if it is back; and the engine is told which addresses
 * the host has on that of a packet socket. Others are no matter. */
void regain_look(struct keeper *k, struct plan_netdev *n);
void packet_look(struct keeper *k, struct plan_netdev *n);
/* The engine could not serve n, whose interface may have gone meanwhile.  True:
 * the LAN does without it until there is another of that name; false: n is no
 * such netdev, or the network has just been started. */
bool regain_refused(struct keeper *k, struct plan_netdev *n, const char *why);

/* An engine is going to be told of n: each has sockets of its own.  False:
 * n is af-xdp and there are none; the LAN does without it. */
bool af_xdp_start(struct keeper *k, struct plan_netdev *n);
/* The engine could not bind n's queues; err is its errno.  True: the LAN does
 * without them until there is another interface of that name; false: it has
 * just been started, and k->error says why it ends. */
bool af_xdp_refused(struct keeper *k, struct plan_netdev *n, int err);

/* hostif beside a card: a machine has an address, or has it no more; a new
 * engine is going to be told of n, and knows of none; the host's network
 * changed. */
void beside_neighbour(struct keeper *k, const struct msg_neighbour *m);
void beside_restart(struct plan_netdev *n);
const char *beside_ifname(const struct plan_netdev *n); /* NULL: it is none */
void beside_look(struct keeper *k, struct plan_netdev *n);
void beside_tick(struct timer *t, uint64_t now_ns);

/* Starts an attempt to connect n, if it wants one. */
void client_start(struct keeper *k, struct plan_netdev *n);
/* The engine lost n's connection, or a new engine has none. */
void client_lost(struct keeper *k, struct plan_netdev *n);
void client_stop(struct keeper *k, struct plan_netdev *n);

/* VDE (vde.h): a server's and a client's life in the loop. Other kinds are no
 * matter. */
void vde_server_start(struct keeper *k, struct plan_netdev *n);
void vde_server_stop(struct plan_netdev *n);
void vde_client_start(struct keeper *k, struct plan_netdev *n);
void vde_client_stop(struct plan_netdev *n);
/* True if n is a client that was never plugged in, by this keeper or one whose
 * place it took. */
bool vde_client_is_new(const struct plan_netdev *n);
/* n is of a plug: the engine heard a machine there; it cannot serve it. */
void vde_plug_heard(struct plan_netdev *n, const struct msg_heard *h);
void vde_plug_refused(struct plan_netdev *n, const char *why);

/* Ends a keeper whose network nobody needs any more. */
void keeper_check_needed(struct keeper *k);
/* Ends the keeper; keeps the first error. */
void keeper_fail(struct keeper *k);
/* Tells the caller, once everything is served. */
void keeper_check_ready(struct keeper *k);

#endif
