/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's tables: which lan and which netdev each number of the keeper
 * means.  Shared by engine.c (life, channel) and orders.c (what each message
 * does); worker 0's thread only.
 */
#ifndef ENGINE_ENGINE_PRIV_H
#define ENGINE_ENGINE_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/log.h"
#include "capture/taps.h"
#include "control/engine_msg.h"
#include "gateway/gateway.h"
#include "lan/lan.h"
#include "netdev/netdev.h"
#include "service/tftp.h"
#include "worker/counters.h"
#include "worker/lanes.h"
#include "worker/team.h"
#include "worker/worker.h"

struct engine_lan {
	struct list link;
	uint32_t id;
	struct lan *lan;       /* owned */
	struct netdev_env env; /* env.arg = the engine */
	struct lanes_net *net; /* owned; NULL: one worker, or a hub */
	struct netdev_worker *workers;          /* owned arrays: those .. */
	struct gateway_worker *gateway_workers; /* .. behind the first */
	bool is_near; /* in engine_next_machine() */
};

enum netdev_role {
	ROLE_PORT,    /* one port: stream, dgram, tap */
	ROLE_SERVER,  /* a stream server and its machines */
	ROLE_GATEWAY, /* user */
	ROLE_CABLE,   /* hubport: a port on each of two lans */
};

/* What the keeper is to hear of a netdev. */
struct engine_news {
	unsigned here; /* machines connected .. */
	unsigned told; /* .. and how many the keeper knows of */
	bool has_left; /* one has left that the keeper believes here */
	bool wants_fd;
	bool has_heard, owes_heard; /* of its addresses: soon, now */
	bool has_leases, owes_leases; /* that changed, likewise */
	uint64_t urgent_ns; /* since then, a second at most, this often .. */
	unsigned n_urgent;  /* .. leases were told of at once */
	char name[ENGINE_NAME_LEN]; /* of who came or went last */
};

/* One netdev of the keeper's plan. */
struct engine_netdev {
	struct list link;
	uint32_t id;
	enum netdev_role role;
	/* Takes a new connection; NULL: the port has none. */
	int (*attach)(struct port *p, int fd);
	bool reconnects; /* its connection is asked for again */
	bool is_unsettled; /* SYNCED waits for it */
	struct engine_news news;
	union {
		struct port *port;		   /* ROLE_PORT */
		struct netdev_server *server;	   /* ROLE_SERVER */
		struct gateway *gateway;	   /* ROLE_GATEWAY */
		struct port *cable[2];		   /* ROLE_CABLE */
	};
};

enum { ENGINE_WANTED_MAX = 64 }; /* the channel holds some hundred messages */

/* A GUESTFWD_WANT without an answer yet. */
struct engine_wanted {
	uint32_t port; /* as in msg_guestfwd_call */
	uint32_t from;
};

/* An order that failed, and the keeper has not heard of it yet. */
struct engine_failure {
	struct list link;
	struct msg_failed m;
};

enum { ENGINE_MAIL_LOOK = LANES_KINDS_END }; /* mail_cell.kind */

/* A turn of flows that another worker shows (look_flows.c). */
struct engine_look {
	struct msg_look next; /* asked meanwhile */
	bool has_next;
	unsigned worker; /* who is at it; 0: nobody */
	/* That worker's meanwhile, but for what is done in a pause. */
	struct gateway *gw; /* borrowed; NULL: it has gone */
	struct msg_look m;
	/* Each worker's own: its mail found no room. */
	bool owes[ENGINE_WORKERS_MAX];
};

struct engine {
	struct log log;
	struct team *team;     /* owned; NULL before START */
	struct lanes *lanes;   /* owned; NULL: one worker */
	struct worker *worker; /* borrowed: the first */
	struct counters counters; /* owned; the workers' are in it */
	int sock;	       /* owned; -1 once the keeper is gone */
	struct loop_io io;
	struct list lans;    /* of struct engine_lan */
	struct list netdevs; /* of struct engine_netdev */
	struct list cables;  /* owned: those that are not as they should be */
	uint32_t deny;	     /* ENGINE_DENY_* */
	bool ends_with_keeper;
	unsigned n_machines; /* ports of machines whose carrier is up */
	struct tftp_files tftp_files;
	struct engine_wanted wanted[ENGINE_WANTED_MAX];
	unsigned n_wanted;
	/* what else the keeper is to hear */
	bool is_behind; /* the channel was full: the rest waits for room */
	bool owes_synced, owes_looked;
	unsigned n_unsettled; /* netdevs: SYNCED comes when there is none */
	uint32_t synced_cookie;
	struct msg_look looked;
	struct list failures; /* of struct engine_failure, oldest first */
	struct msg_named *named; /* owned array, by port; names.c */
	unsigned n_named;
	struct timer heard_timer; /* armed: addresses are to be told */
	struct taps *taps; /* owned: captures; NULL before START */
	struct engine_look look;
	int exit_code;
};

/* workers.c: n of them, until they are stopped, when there is no lan any more.
 * Also after a failure. 0 or a negative errno. */
MUST_USE int engine_workers_start(struct engine *e, unsigned n,
				  const struct host_sock_limits *limits);
void engine_workers_stop(struct engine *e);
/* All of them carry l from now on; also after a failure engine_lan_alone() is
 * called before the lan goes. 0 or -ENOMEM. */
MUST_USE int engine_lan_workers(struct engine *e, struct engine_lan *l);
void engine_lan_alone(struct engine_lan *l);
/* What went through p on all workers; arg is the engine. */
void engine_port_stats(void *arg, const struct port *p,
		       struct port_stats *sum);
/* What a gateway on l is to know of them; env->arg is the engine. */
void engine_gateway_workers(struct engine_lan *l, struct gateway_env *env);
/* Carries out one checked message. fds are owned by the engine; those the
 * order takes become -1. 0, or a negative errno that FAILED reports. */
int engine_order(struct engine *e, union engine_msg *m, int *fds,
		 unsigned n_fds);
/* Takes everything down, gateways and servers first. */
void engine_clear(struct engine *e);
/* What the keeper must hear, sooner or later (news.c): a machine of n has come
 * or gone; n needs a connection; an order has failed; the answers to SYNC and
 * LOOK. */
void engine_news_machine(struct engine *e, struct engine_netdev *n,
			 const char name[ENGINE_NAME_LEN], bool is_here);
void engine_news_want_fd(struct engine *e, struct engine_netdev *n);
void engine_news_leases(struct engine *e, struct engine_netdev *n);
void engine_news_failed(struct engine *e, const struct msg_failed *m);
void engine_news_synced(struct engine *e, uint32_t cookie);
void engine_news_looked(struct engine *e, const struct msg_look *m);
/* n waits for something before it serves, or no longer. */
void engine_unsettled(struct engine *e, struct engine_netdev *n, bool is);
/* The channel has room again. */
void engine_news_tell(struct engine *e);
/* Nobody is to hear anything any more. */
void engine_news_forget(struct engine *e);
/* The addresses behind a port changed (heard.c): lan_events.heard. */
void engine_heard(void *arg, struct port *p);
/* *noted: it is to be told, with the addresses, soon. */
void engine_heard_later(struct engine *e, bool *noted);
void engine_heard_init(struct engine *e);
void engine_heard_stop(struct engine *e);
/* Sends those of n, as engine_tell(). */
int engine_heard_tell(struct engine *e, const struct engine_netdev *n);
/* What lans and ports tell (upcall.c). */
struct lan_events engine_lan_events(struct engine *e);
void engine_env_upcalls(struct engine *e, struct netdev_env *env);
/* look.c: shows a turn of what is asked for, and says LOOKED. */
void engine_order_look(struct engine *e, const struct msg_look *m);
/* look_flows.c: the same of flows.  True: another worker has a turn, and m is
 * next.  Its mail has come to worker me, or would find room now; the gateway
 * goes. */
void engine_look_flows(struct engine *e, const struct msg_look *m);
bool engine_look_later(struct engine *e, const struct msg_look *m);
void engine_look_mail(struct engine *e, unsigned me);
void engine_look_room(struct engine *e, unsigned me);
void engine_look_forget(struct engine *e, const struct gateway *gw);
/* Takes it down and forgets it. */
void engine_netdev_drop(struct engine *e, struct engine_netdev *n);
/* For orders: a lan, NULL if there is none; a new entry of the table, NULL if
 * the number is taken, which engine_netdev_made() must follow (in between its
 * port can have news already); that frees n if r is negative, and returns
 * r. */
struct engine_lan *engine_lan_find(struct engine *e, uint32_t id);
struct engine_netdev *engine_netdev_make(struct engine *e, uint32_t id,
					 enum netdev_role role);
int engine_netdev_made(struct engine_netdev *n, int r);
/* orders_tunnel.c: as engine_order(). */
int engine_order_l2tpv3(struct engine *e, const struct msg_l2tpv3_add *m,
			int *fds);
int engine_order_vxlan(struct engine *e, const struct msg_vxlan_add *m,
		       int *fds);
/* Told of at once, of a network, in a second: more than a start of many
 * machines makes.  What is more is told ten times a second, for a guest that
 * leases and releases without end must not keep the channel and the keeper's
 * disk busy. */
enum { ENGINE_LEASES_URGENT = 1024 };
/* gateway_env.leases; and sends those of n that changed, as engine_tell(): 0
 * when there are no more (orders_dhcp.c). */
void engine_leases_changed(void *arg, uint32_t id, bool is_urgent);
int engine_leases_tell(struct engine *e, const struct engine_netdev *n);
/* orders_boot.c: the same; and where a gateway's TFTP has its files. */
int engine_order_boot(struct engine *e, const struct msg_boot *m);
int engine_order_tftp(struct engine *e, const struct msg_tftp_file *m, int *fds,
		      unsigned n_fds);
struct tftp_files engine_tftp_files(struct engine *e);
/* orders_dhcp.c: as engine_order(), those of DHCP. */
int engine_order_dhcp(struct engine *e, const union engine_msg *m);
/* orders_service.c: as engine_order(). */
int engine_order_http(struct engine *e, const struct msg_port *m);
/* orders_capture.c: before there is a lan, 0 or -ENOMEM; as engine_order(). */
MUST_USE int engine_captures_start(struct engine *e);
void engine_captures_stop(struct engine *e);
/* l, which has its lanes and no port, can be captured, 0 or -ENOMEM; is no
 * more, also after a failure. */
MUST_USE int engine_captures_lan(struct engine *e, struct engine_lan *l);
void engine_captures_lan_del(struct engine *e, struct engine_lan *l);
int engine_order_capture(struct engine *e, const struct msg_capture_add *m,
			 int *fds, unsigned n_fds);
int engine_order_capture_del(struct engine *e, const struct msg_port *m);
/* orders_why.c: tells the answer, which is lost if the keeper does not
 * listen. */
int engine_order_why(struct engine *e, const struct msg_why_ask *m);
/* NULL: no such netdev user. */
struct gateway *engine_gateway_find(struct engine *e, uint32_t id);
/* orders_cable.c: as engine_order(); a machine's port is up; its netdev is no
 * more. */
int engine_order_cable(struct engine *e, const struct msg_cable *m);
void engine_cable_port(struct engine *e, struct port *p);
void engine_cable_forget(struct engine *e, uint32_t id);
/* names.c: as engine_order(); the netdev with this id is no more. */
int engine_order_named(struct engine *e, const struct msg_named *m);
int engine_order_dns_server(struct engine *e, const struct msg_dns_server *m);
void engine_unnamed(struct engine *e, uint32_t id);
/* arg: the engine; the machines of the gateway's network, as the hook next of
 * struct zone_source. */
bool engine_next_machine(void *arg, uint32_t id, struct zone_walk *w,
			 struct zone_machine *m);
/* True for a port that is a machine's: not the gateway's or the host's, and not
 * one that leads to other networks. */
bool engine_is_machine(const struct port *p);
/* NULL: no such netdev. */
struct engine_netdev *engine_netdev_find(struct engine *e, uint32_t id);

/* Sends one message to the keeper: 0, or negative when it is gone or does not
 * listen: then the message is lost. */
int engine_tell(struct engine *e, union engine_msg *m,
		enum engine_msg_type type);
/* The same with a copy of fd. */
int engine_tell_fd(struct engine *e, union engine_msg *m,
		   enum engine_msg_type type, int fd);

#endif
