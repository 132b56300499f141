/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket of a network: HTTP/1.1 with JSON over the unix socket
 * `control` in the network's folder, so that
 *
 *	curl --unix-socket /run/vmlan/lab/control http://vmlan/v1/network
 *
 * works.  Served by the keeper, used by the commands, for the user who owns
 * the network and for root.  A request has one JSON object or no body, but
 * where it says so, an answer one JSON object; that of a failure is
 * {"error": LINE, "code": N}, the exit code that a command gives for it.
 *
 *	GET    /v1/network               what there is (what `show` prints)
 *	PUT    /v1/network/kept          {"kept": BOOL}: `up` and `down`
 *	GET    /v1/leases                who has which address by DHCP
 *	GET    /v1/stats                 what was lost, and why
 *	POST   /v1/machines              struct attach_request: a socket for it,
 *	                                 or a card in a process's own network
 *	PUT    /v1/machines/NAME/life    {"pid": N}: it lives as long as that
 *	                                 process; 0: nobody holds it any more
 *	PUT    /v1/machines/NAME/user-data  what cloud-init asks for, and gets
 *	PUT    /v1/machines/NAME/meta-data  from the network's HTTP server: the
 *	                                 body is that, as it is; the answer
 *	                                 says {"url": where}
 *	DELETE /v1/machines/NAME         it is unplugged
 *
 * A change that an old client would stumble over is another version.
 */
#ifndef CONTROL_PROTOCOL_H
#define CONTROL_PROTOCOL_H

#define CONTROL_SOCKET	 "control" /* in the network's folder */
#define CONTROL_STATE	 "state"   /* beside it: keeper/state.h */
#define CONTROL_NETWORK	 "/v1/network"
#define CONTROL_KEPT	 "/v1/network/kept"
#define CONTROL_LEASES	 "/v1/leases"
#define CONTROL_STATS	 "/v1/stats"
#define CONTROL_MACHINES "/v1/machines"
#define CONTROL_LIFE	 "/life" /* behind a machine */
#define CONTROL_USER_DATA "/user-data"
#define CONTROL_META_DATA "/meta-data"

enum {
	CONTROL_REQUEST_MAX = 65536,   /* bytes of a request's body */
	CONTROL_CLOUD_MAX = 1 << 20,   /* bytes of user-data or meta-data */
	CONTROL_ANSWER_MAX = 16 << 20, /* bytes of an answer, head and body */
	CONTROL_CLIENTS_MAX = 32,      /* at a time; others wait */
	CONTROL_CLIENT_MEMORY = 16384, /* bytes for its request's head */
	CONTROL_CLIENT_S = 10,	       /* seconds without a sign of life */
	CONTROL_ASK_S = 15,	       /* a command waits for its answer */
	CONTROL_NAME_LEN = 64,	       /* of a machine or network, with NUL */
	CONTROL_MACHINES_MAX = 256,    /* of one network */
	CONTROL_FORWARDS_MAX = 256,    /* of one machine */
	CONTROL_QUEUES_MAX = 16,       /* of one machine's card */
};

#endif
