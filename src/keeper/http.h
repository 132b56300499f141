/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The HTTP server inside of a network: port 80 at the name server's address,
 * in both families, while there is something to serve.
 *
 *	/cloud/user-data   what a machine's cloud-init asks for (cloud.h), the
 *	/cloud/meta-data   asking machine's own: it is known by the port of the
 *	/cloud/vendor-data LAN that the question came in by; others have none
 *	/boot/PATH         the files beneath the folder of tftp=
 *
 * It never listens: the engine says that a guest calls (GUESTFWD_WANT), and
 * gets one end of a socketpair whose other end is libmicrohttpd's.  A guest is
 * hostile: connections are counted, and none has more of them than are free;
 * who is silent for HTTP_CLIENT_S is closed; a request's head has
 * HTTP_CLIENT_MEMORY bytes; files go out by sendfile(2), a piece at a time.
 *
 * The keeper's thread.
 */
#ifndef KEEPER_HTTP_H
#define KEEPER_HTTP_H

#include "keeper/keeper_priv.h"

#define HTTP_CLOUD "/cloud/"
#define HTTP_BOOT  "/boot/"

enum {
	HTTP_PORT = 80,
	HTTP_CLIENTS_MAX = 512,	     /* connections at a time */
	HTTP_CLIENT_MEMORY = 16384,  /* bytes, of each */
	HTTP_CLIENT_S = 30,	     /* without a sign of life */
};

/* From now on machines ask the gateway n of the plan for theirs. */
void http_serve_cloud(struct keeper *k, struct plan_netdev *n);
/* A new engine is going to be told of n.  0, or a negative errno: it is
 * gone. */
MUST_USE int http_tell(struct keeper *k, const struct plan_netdev *n);
/* True if the server that a guest of n calls is this one. */
bool http_is_server(const struct plan_netdev *n, const struct endpoint *server);
/* A guest calls it: the end of a connection that is the engine's, the
 * caller's; negative with one line in *e: it is refused. */
MUST_USE int http_call(struct keeper *k, const struct msg_guestfwd_call *call,
		       struct error *e);
void http_close(struct keeper *k);

#endif
