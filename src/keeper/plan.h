/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's picture of a LAN: its netdevs, the descriptors opened for
 * them, and the orders that make an engine serve them.  The orders and
 * descriptors are kept, so that a new engine gets the same ones.
 */
#ifndef KEEPER_PLAN_H
#define KEEPER_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/timer.h"
#include "control/engine_msg.h"
#include "grammar/dhcp_rules.h"
#include "grammar/guestfwd.h"
#include "grammar/netdev_spec.h"
#include "grammar/port_spec.h"
#include "os/journal.h"
#include "os/loop.h"
#include "os/macvtap.h"
#include "os/sock.h"
#include "os/tap.h"

struct forward;
struct plan_netdev;
struct user_opts;

enum { PLAN_WAS_MAX = 4, PLAN_NO_FORWARD = -1, PLAN_RETIRED_MAX = 64 };

/* How the netdevs of one kind are opened: a row of a table (opener.c). */
struct opener {
	const char *kind; /* netdev type */
	/* Opens what the netdev names, fills n->order and n->fds. 0 or
	 * negative with *e filled; the caller then frees n. */
	int (*open)(struct plan_netdev *n, struct error *e);
	/* A client's connection: starts one, returning the descriptor, which
	 * may still be connecting; negative with *e filled. NULL for kinds
	 * that are no clients. */
	int (*connect)(struct plan_netdev *n, struct error *e);
};

/* One socket of the host's that leads to a guest: of a forward. */
struct plan_forward {
	uint8_t proto;
	struct endpoint host;  /* as bound */
	struct endpoint guest; /* ip unspecified: the first lease */
	char unix_path[108];   /* not "": that socket, and no host */
	int fd;		       /* owned; -1: a free place in the array */
	struct forward *of;    /* borrowed: forwards.h */
	uint32_t serial;       /* that the engine knows it by */
	struct sock_file file; /* of unix_path */
};

/* Connections of guests to server go to a program or socket of the host. */
struct plan_guestfwd {
	struct guestfwd_rule rule;
	struct endpoint target; /* GUESTFWD_TCP: resolved */
};

/* A resolver of a user netdev's own. */
struct plan_dns_server {
	char domain[ENGINE_DNS_NAME_LEN]; /* "": for all names */
	struct endpoint ep;
};

struct plan_netdev {
	struct list link;
	struct plan *plan; /* borrowed: whose it is */
	uint32_t id;
	uint32_t lan;
	char name[ENGINE_NAME_LEN];
	const struct netdev_spec *spec; /* borrowed, or own_spec */
	struct netdev_spec *own_spec;	/* owned: socket in other words */
	const struct opener *opener;
	struct log *log;		/* borrowed */
	uint32_t deny;			/* ENGINE_DENY_* */

	union engine_msg order; /* head.type says which */
	int fds[ENGINE_FDS_MAX]; /* owned */
	unsigned n_fds;
	bool gives_fds; /* the descriptors go to the first engine for good:
			 * a connection cannot be used by a second one */

	struct plan_forward *forwards; /* owned array; user only */
	unsigned n_forwards;
	struct plan_guestfwd *guestfwds; /* owned array; user only */
	unsigned n_guestfwds;
	struct dhcp_said dhcp; /* owned; user only */
	struct cell *smb; /* owned; where smbd runs, NULL: there is none */

	struct plan_boot *boot; /* owned; user with tftp= and the like */
	struct plan_dns_server *dns_servers; /* owned array; user only */
	unsigned n_dns_servers;

	/* user that follows the host: the IPv6 prefix it began with, and its
	 * networks before the order's, the last one last */
	struct prefix begun6;
	struct subnet was6[PLAN_WAS_MAX];
	unsigned n_was6;

	int boot_dir; /* owned; user: the folder whose files guests may boot
		       * from, for rooted_open(); -1: none */
	bool has_cloud; /* user: machines ask it for theirs (cloud.h) */

	uint64_t refuse_ns; /* user: start of a second, and .. */
	unsigned n_refused; /* .. how often its guests refused in it */

	bool points_tx; /* dgram over unix: fds[1] is connected by name, again
			 * whenever the engine has lost the peer */

	/* A stream client's connection; driven by client.c. */
	bool is_client;
	bool has_connected;    /* at least once */
	bool is_waiting;       /* a connection is wanted */
	uint64_t reconnect_ms; /* 0: one attempt only */
	struct loop_io connect_io; /* fd -1: no attempt under way */
	struct timer retry;
	void *owner; /* the keeper, for the two above */

	/* Whose cable it is; NULL: the network's own. */
	struct machine *machine;
	unsigned n_connected; /* peers of a machine's, as the engine says */

	struct vde_server *vde_server; /* owned; vde with server=on */
	struct vde_client *vde_client; /* owned; vde without */
	struct vde_plug *vde_plug; /* of a server's, which owns this netdev;
				    * NULL: it is none's */

	char warning[300];  /* to be told with what was bound; "" = none */
	unsigned n_routed;  /* router: forwards that its kernel has */

	/* An interface of the host's that somebody may remove: a bridge, a
	 * card; driven by regain.c. */
	const char *lower; /* borrowed from spec; NULL: none */
	int lower_index;
	int port_index;	 /* of the tap on that bridge; 0: none */
	bool is_lost;	 /* it is gone, and nothing is open */
	int tried_index; /* one of its name with which opening failed, and .. */
	int tried_master; /* .. the bridge that this was on */

	/* A tunnel: what it leads to, for people, "" = none; and how long
	 * machines' packets are that leave in one, 0: not known. */
	char about[160];
	uint32_t inner_mtu;

	/* To be undone at the end. */
	bool has_macvtaps;
	int macvtap_ns;         /* owned, where they live; has_macvtaps */
	bool has_more_macvtaps; /* than the first */
	mac refused[MACVTAP_MAX]; /* by number: whose macvtap could not be made
				 * and who was named in the log */
	struct plan_beside *beside; /* owned; hostif beside a card */
	struct plan_af_xdp *af_xdp; /* owned; freed by af_xdp_free() */
	char unlink_path[108];
	char ifname[16];	/* a tap we made */
	const char *downscript; /* borrowed from spec; NULL = none */
};

struct plan {
	struct list netdevs; /* of struct plan_netdev */
	struct list forwards; /* of struct forward; they go with their netdev */
	uint32_t last_forward; /* number of one */
	uint32_t last_serial;  /* of a struct plan_forward */
	/* Sockets (inodes) of UDP ports that were forwarded until just now, by
	 * turn. */
	ino_t retired[PLAN_RETIRED_MAX];
	unsigned n_retired;
	int32_t *hubs;	     /* owned: hubid of lan number i + 1 */
	unsigned n_hubs;
	uint32_t last_id; /* of a netdev */
	struct log *log;  /* borrowed */
	uint32_t deny;	  /* ENGINE_DENY_* */
	const char *dir;  /* borrowed: the network's folder; NULL: none */
	struct journal journal; /* owned; see plan_journal() */
	/* As of plan_args, while it is opened. */
	int (*port_before)(const void *past, unsigned n, unsigned i);
	const void *past;
};

#define PLAN_INIT(p)                                                           \
	((struct plan){.netdevs = LIST_INIT((p).netdevs),                      \
		       .forwards = LIST_INIT((p).forwards),                    \
		       .journal = JOURNAL_NULL})

struct plan_args {
	struct netdev_spec *const *specs; /* borrowed for the plan's life */
	unsigned n_specs;
	struct log *log;
	uint32_t deny;
	const char *dir; /* borrowed, as the specs; NULL: no network's */
	/* Which host port the i-th hostfwd= of the netdev made of the n-th spec
	 * had with another keeper, if it asks for any; 0: it had none, or asks
	 * for one; PLAN_NO_FORWARD: it was taken away.  NULL: there was no
	 * other. */
	int (*port_before)(const void *past, unsigned n, unsigned i);
	const void *past; /* borrowed until plan_open() returns */
};

/* Lays out lans and hubs and opens every netdev. On failure what was opened
 * is closed and undone again. */
__attribute__((warn_unused_result)) int
plan_open(struct plan *p, const struct plan_args *a, struct error *e);
/* One more netdev, on lan 0 or the hub with this id, which must be there, under
 * this name.  The spec is borrowed for the netdev's life. */
__attribute__((warn_unused_result)) int
plan_add(struct plan *p, const struct netdev_spec *spec, const char *name,
	 const int *hub, struct plan_netdev **np, struct error *e);
/* Its queues that several workers could share. */
unsigned plan_queues(const struct plan_netdev *n);
/* One more for a plug of the server's, beside it, with nothing opened; NULL
 * with *e filled. */
struct plan_netdev *plan_plug(struct plan_netdev *server, struct vde_plug *plug,
			      const char *name, struct error *e);
/* True if n is one that the network was started with. */
static inline bool plan_is_own(const struct plan_netdev *n)
{
	return !n->machine && !n->vde_plug;
}
/* The first netdev user, NULL: there is none. */
struct plan_netdev *plan_gateway(struct plan *p);
/* True if n is the netdev user, and ip is one at which the gateway answers. */
bool plan_is_gateways(const struct plan_netdev *n, const addr *ip);
/* True if ip has the number of an address that v names in the other family
 * alone. */
bool plan_is_twin(const struct plan_netdev *n, const addr *ip,
		  const struct dhcp_reservation *v);
/* The i-th address that the netdev user n leases, of IPv4 where that is on.
 * False: IPv6 alone is, and has no room for it. */
bool plan_place(const struct plan_netdev *n, uint32_t i, addr *ap);
/* Negative, with a line, if no port of that protocol can lead to ip in the
 * network of the netdev user n. */
MUST_USE int plan_forward_check(const struct plan_netdev *n, uint8_t proto,
				const addr *ip, struct error *e);
/* Closes what the netdev opened, and forgets its order: it can be opened
 * again, with another number.  Of the kinds that have a lower interface. */
void plan_lose(struct plan_netdev *n);
/* Closes and undoes what the netdev opened, and frees it. */
void plan_remove(struct plan_netdev *n);
/* Closes descriptors, runs downscripts, removes socket files. */
void plan_close(struct plan *p);
/* Where openers write down what they change on the host before they do
 * (os/change.h).  It is undone when the folder is removed, so whatever a
 * netdev changes stays as long as the network.  NULL with *e filled: there is
 * no folder, as in vmlan join. */
struct journal *plan_journal(struct plan *p, struct error *e);
struct plan_netdev *plan_find(struct plan *p, uint32_t id);
/* Says what was bound, a line each. */
void plan_say(const struct plan *p, struct log *log);

/* The opener of a kind, NULL if the kind is not built. */
const struct opener *opener_find(const char *kind);

/* The orders that stream and vhost-user have in common.  A client speaks over
 * fd (the first engine's for good), or, fd being -1, is connected by name,
 * again and again with reconnect-ms=; a server listens at fd. */
void plan_client(struct plan_netdev *n, int fd, bool is_vhost);
void plan_server(struct plan_netdev *n, int fd, bool is_vhost);

/* The order of a tap whose descriptors are t's; takes them. */
void plan_tap(struct plan_netdev *n, struct tap_result *t);
/* How long a program that n is opened by may take: while a network runs the
 * keeper has others to serve.  0: as long as that takes, which may be until
 * somebody has typed a password. */
unsigned plan_patience_ms(const struct plan_netdev *n);
/* t, of n, is on the bridge of that name (borrowed from the spec). */
void plan_on_bridge(struct plan_netdev *n, const char *bridge,
		    const struct tap_result *t);
/* The offload header for kinds that have no option for it. */
enum tap_vnet_hdr plan_vnet_hdr(const struct plan_netdev *n);

/* The netdev user's forwards have changed: those to machines behind a router
 * are the host's kernel's (open_router.c). */
void router_forward(struct plan *p);

/* Openers, one file per kind. */
int open_stream(struct plan_netdev *n, struct error *e);
int connect_stream(struct plan_netdev *n, struct error *e);
int open_vhost(struct plan_netdev *n, struct error *e);
int connect_vhost(struct plan_netdev *n, struct error *e);
int open_dgram(struct plan_netdev *n, struct error *e);
int open_socket(struct plan_netdev *n, struct error *e);
int open_tap(struct plan_netdev *n, struct error *e);
int open_netns(struct plan_netdev *n, struct error *e);
int open_bridge(struct plan_netdev *n, struct error *e);
int open_hostif(struct plan_netdev *n, struct error *e);
int open_router(struct plan_netdev *n, struct error *e);
int open_beside(struct plan_netdev *n, struct error *e);
/* The netdev user's smb=, which it has: looks at the folder and makes where its
 * smbd runs; a connection for one more smbd, as command_start(). */
MUST_USE int smb_open(struct plan_netdev *n, struct error *e);
MUST_USE int smb_start(struct plan_netdev *n, unsigned long n_files,
		       pid_t *pidp, struct error *e);
/* What its machines say changes nothing else of the host; a warning where
 * that cannot be had. */
void hostif_guard(const struct plan_netdev *n, const char *ifname);
int open_macvtap(struct plan_netdev *n, struct error *e);
int open_packet(struct plan_netdev *n, struct error *e);
int open_af_xdp(struct plan_netdev *n, struct error *e);
/* Which interface it has, and in which mode: once its queues are bound. */
void af_xdp_say(const struct plan_netdev *n, struct log *log);
/* Closes what the keeper keeps of it: the program goes with the engine's. */
void af_xdp_free(struct plan_netdev *n);
int open_user(struct plan_netdev *n, struct error *e);
/* What its machines boot (open_boot.c), the folder of TFTP opened; what there
 * is, for people. */
int boot_open(struct plan_netdev *n, const struct user_opts *o,
	      struct error *e);
void boot_say(const struct plan_netdev *n, struct log *log);
void boot_free(struct plan_netdev *n);
int open_passt(struct plan_netdev *n, struct error *e);
int open_vde(struct plan_netdev *n, struct error *e);
int open_hubport(struct plan_netdev *n, struct error *e);
int open_l2tpv3(struct plan_netdev *n, struct error *e);
int open_vxlan(struct plan_netdev *n, struct error *e);
/* The netdev user tells machines the MTU of the narrowest tunnel on its lan,
 * unless it was given one. */
void tunnel_tell_mtu(struct plan *p);

#endif
