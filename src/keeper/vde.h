/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VDE, both ways (reference 1.7).  The engine serves data sockets only, as the
 * kind dgram does; all that has a name is here, in the keeper.
 *
 * A server: whoever connects to FOLDER/ctl and says where its datagram socket
 * is gets one of ours, FOLDER/PORT.SERIAL, connected to it.  It is a netdev of
 * the plan's for as long as that connection lives: it outlives an engine.
 *
 *	          request        refused, late, gone
 *	comer --------------> plug             |
 *	  |    data socket     | ctl closed    |
 *	  +--------------------+--------> over <
 *
 * A client: the same from the other side, vde_client.c.
 */
#ifndef KEEPER_VDE_H
#define KEEPER_VDE_H

#include "keeper/keeper_priv.h"
#include "keeper/vde_wire.h"
#include "os/listener.h"

/* A port of a server: who may have it, and who has it. */
struct vde_port {
	struct list link; /* in vde_ports.all, by number */
	uint32_t number;
	bool is_kept;	  /* the console has named it: it stays when free */
	bool is_reserved; /* only for who asks for it by number */
	uid_t user;	  /* who may, besides root; -1: .. */
	gid_t group;	  /* .. and neither: anybody */
	struct vde_plug *plug; /* borrowed; NULL: it is free */
};

struct vde_ports {
	struct list all; /* of struct vde_port, owned */
};

/* One connection to a server. */
struct vde_plug {
	struct list link; /* in comers, in order of coming, or in plugs, by
			   * index */
	struct vde_server *server; /* borrowed */
	uint32_t serial;	   /* never used twice by a server */
	struct loop_io ctl;	   /* fd: owned */
	uid_t uid;		   /* of the peer */
	gid_t gid;
	/* as a comer */
	struct timer late;
	uint8_t in[VDE_REQUEST_MAX];
	size_t n_in;
	/* once plugged in */
	struct vde_port *port;	   /* NULL: it has none */
	struct plan_netdev *netdev; /* the plan's; goes with it */
	unsigned index;		   /* in the netdev's name; 0: no suffix */
	char path[108];		   /* of our data socket; "": none */
	char about[VDE_ABOUT_LEN];
	mac heard_mac; /* the last one behind it, zero: none */
	uint64_t heard_ns; /* .. and when that was told */
};

struct vde_server {
	struct plan_netdev *netdev; /* borrowed: its own */
	struct keeper *keeper;	    /* borrowed; NULL before it is started */
	int fd;			    /* owned; listens */
	struct listener listener;
	char dir[108];	    /* absolute */
	char ctl[108];
	bool removes_dir; /* we made it, or took it over */
	mode_t mode;	  /* of the sockets */
	gid_t gid;	  /* of them; -1: as it comes */
	unsigned max;	  /* plugs; 0: any number */
	struct list comers;
	unsigned n_comers;
	struct list plugs;
	unsigned n_plugs;
	uint32_t last_serial;
	struct vde_ports ports;
	struct vde_mgmt *mgmt; /* owned; NULL: it has no console */
};

/* ---- server ---- */

/* Opens the folder and its listener, and the console's (open_vde.c). */
MUST_USE int vde_server_open(struct plan_netdev *n, struct error *e);
/* Accepts NULL; removes what it made by name. Its plugs are gone. */
struct vde_server *vde_server_free(struct vde_server *s);
/* Takes a plug out: the port is free, the netdev gone. */
void vde_plug_del(struct vde_plug *p);

/* ---- ports of a server (vde_ports.c) ---- */

struct vde_port *vde_port_find(const struct vde_ports *v, uint32_t number);
/* The same, made if there is none; NULL: no memory, or above VDE_PORT_MAX. */
struct vde_port *vde_port_get(struct vde_ports *v, uint32_t number);
/* The first that anybody may be given, from 1 on; NULL as above. */
struct vde_port *vde_port_any(struct vde_ports *v);
void vde_port_del(struct vde_port *p);
/* True if a process of that user and these groups may have it. */
bool vde_port_may(const struct vde_port *p, uid_t uid, const gid_t *groups,
		  size_t n_groups);
void vde_ports_clear(struct vde_ports *v);

/* ---- console of a server ---- */

enum vde_console_end {
	VDE_STAYS,
	VDE_LOGOUT,
	VDE_SHUTDOWN,
};

enum { VDE_LINE_MAX = 256 }; /* of a command, with its NUL */

#define VDE_PROMPT "\nvde$ "

/* Carries out one line, which is changed, and writes the answer, without the
 * prompt (vde_console.c). */
enum vde_console_end vde_console_line(struct vde_server *s, char *line,
				      FILE *out);
/* What a terminal is greeted with. */
void vde_console_greet(FILE *out);

/* The socket that terminals connect to (vde_mgmt.c), or, its path being "-",
 * our standard input and output. */
MUST_USE int vde_mgmt_open(struct vde_server *s, const char *path,
			   struct error *e);
MUST_USE int vde_mgmt_start(struct vde_mgmt *m);
void vde_mgmt_stop(struct vde_mgmt *m);
/* Accepts NULL; removes the socket. */
struct vde_mgmt *vde_mgmt_free(struct vde_mgmt *m);
/* NULL: it is no socket. */
const char *vde_mgmt_path(const struct vde_mgmt *m);
/* True of a value of mgmt= that means our standard input and output. */
bool vde_mgmt_is_stdio(const char *path);

/* ---- client ---- */

MUST_USE int vde_client_open(struct plan_netdev *n, struct error *e);
struct vde_client *vde_client_free(struct vde_client *c);

#define VDE_RETRY_MIN_NS UINT64_C(100000000)
#define VDE_RETRY_MAX_NS UINT64_C(5000000000)
#define VDE_LASTED_NS	 UINT64_C(5000000000)

/* How long a client waits before it asks again: longer each time, until a plug
 * has lasted.  Zeroed: it has not asked yet. */
struct vde_wait {
	uint64_t next_ns;   /* 0: the shortest */
	uint64_t served_ns; /* when the last plug began */
};

/* The wait from now on, in ns; the next one is longer. */
uint64_t vde_wait_next(struct vde_wait *w);
/* The client is plugged in, and is so no longer. */
void vde_wait_served(struct vde_wait *w, uint64_t now_ns);
void vde_wait_lost(struct vde_wait *w, uint64_t now_ns);

/* gid of group=, or (gid_t)-1 if it is not given. 0, or negative with *e. */
MUST_USE int vde_group(const struct plan_netdev *n, gid_t *gidp,
		       struct error *e);

#endif
