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
 * What can be asked is one table, control/schema.h, which GET /v1 answers.
 *
 * A change that an old client would stumble over is another version.
 */
#ifndef CONTROL_PROTOCOL_H
#define CONTROL_PROTOCOL_H

#define CONTROL_SOCKET	 "control" /* in the network's folder */
#define CONTROL_STATE	 "state"   /* beside it: keeper/state.h */
#define CONTROL_V1	 "/v1"
#define CONTROL_NETWORK	 "/v1/network"
#define CONTROL_KEPT	 "/v1/network/kept"
#define CONTROL_LEASES	 "/v1/leases"
#define CONTROL_STATS	 "/v1/stats"
#define CONTROL_FLOWS	 "/v1/flows"
#define CONTROL_MACS	 "/v1/macs"
#define CONTROL_EVENTS	 "/v1/events"
#define CONTROL_WHY	 "/v1/why"
#define CONTROL_MACHINES "/v1/machines"
#define CONTROL_FORWARDS "/v1/forwards"
#define CONTROL_LIFE	 "/life" /* behind a machine */
#define CONTROL_LINK	 "/link"
#define CONTROL_CAPTURES "/v1/captures"
#define CONTROL_CAPTURES_KEPT "/v1/captures/kept"
#define CONTROL_CAPTURE_UPGRADE "vmlan-capture"
#define CONTROL_USER_DATA "/user-data"
#define CONTROL_META_DATA "/meta-data"

enum {
	CONTROL_VERSION = 1,	       /* as in the paths */
	CONTROL_REQUEST_MAX = 65536,   /* bytes of a request's body */
	CONTROL_CLOUD_MAX = 1 << 20,   /* bytes of user-data or meta-data */
	CONTROL_ANSWER_MAX = 32 << 20, /* bytes of an answer, head and body */
	CONTROL_CLIENTS_MAX = 256,     /* at a time; others wait, not long */
	CONTROL_STREAMS_MAX = 64,      /* of them, that follow events */
	CONTROL_CLIENT_MEMORY = 16384, /* bytes for its request's head */
	CONTROL_CLIENT_S = 10,	       /* seconds without a sign of life */
	CONTROL_ASK_S = 15,	       /* a command waits for its answer */
	CONTROL_NAME_LEN = 64,	       /* of a machine or network, with NUL */
	CONTROL_MACHINES_MAX = 256,    /* of one network */
	CONTROL_FORWARDS_MAX = 256,    /* of one machine */
	CONTROL_SPECS_MAX = 64,	       /* forwards of one request */
	CONTROL_FORWARD_PORTS_MAX = 1024, /* of a range */
	CONTROL_BOUND_MAX = 4096, /* sockets of all forwards, while more are
				   * added */
	CONTROL_QUEUES_MAX = 16,       /* of one machine's card */
	CONTROL_CAPTURES_MAX = 8,      /* of one network, those kept, too */
	CONTROL_CAPTURE_MIN = 1 << 20, /* bytes of a capture's memory .. */
	CONTROL_CAPTURE_MAX = 1 << 30,
	CONTROL_SNAP_MIN = 64,	       /* .. and of a frame in it */
	CONTROL_SNAP_MAX = 1 << 18,
};

#endif
