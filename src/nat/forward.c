/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP listeners of hostfwd (forward.h): accept in bounded turns, hand over to
 * tcp.  Called by the gateway and by the loop; the worker's thread.
 */
#include "nat/forward.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "nat/proxy.h"

enum {
	EPHEMERAL_FIRST = 49152, /* RFC 6335 6 */
	EPHEMERAL_N = 65536 - EPHEMERAL_FIRST,
	PORT_TRIES = 64, /* ports looked at for one client */
};

/* How long to wait when no descriptor is left for a connection: the listener
 * raises no edge for what it holds already. */
#define RETRY_NS (UINT64_C(100) * 1000000)

struct forward {
	const struct nat_env *env; /* borrowed */
	struct tcp *tcp;           /* borrowed */
	struct udp *udp;           /* borrowed */
	struct list listeners;
	unsigned n_listeners;
	uint16_t next_port; /* for clients that have none */
};

struct listener {
	struct list link;
	struct forward *forward;
	struct host_sock sock;
	struct timer timer; /* the next turn */
	uint32_t id;
	struct endpoint guest;
	struct forward_rules rules;
};

/* Who the client is, for the guest's program; its length. */
static unsigned make_head(const struct listener *l, struct host_sock *sock,
			  const struct endpoint *client,
			  uint8_t buf[static PROXY_HEAD_MAX])
{
	struct host *h = l->forward->env->host;
	struct endpoint own = {.port = 0};

	_Static_assert((int)PROXY_HEAD_MAX <= (int)TCP_HEAD_MAX, "one head");
	if (!l->rules.proxy)
		return 0;
	if (h->ops->local(h, sock, &own) < 0)
		own.port = 0; /* a unix socket's, as its client's */
	return proxy_emit(l->rules.proxy, client, &own, buf);
}

/* The guest sees a client with no address (unix) as us, with a port of its own,
 * and so does one that looks like another (127.0.0.1 and 127.0.0.2, or one
 * client of two ports that lead to one). */
static int connect_guest(const struct listener *l, struct host_sock *sock,
			 const struct endpoint *client)
{
	struct forward *fw = l->forward;
	const struct nat_env *env = fw->env;
	uint8_t head[PROXY_HEAD_MAX];
	struct nat_inward in = {
		.guest = l->guest,
		.peer = nat_map_client(env, client, &l->guest.ip),
		.head = head,
		.n_head = make_head(l, sock, client, head),
	};
	int r = -EAGAIN;

	for (int i = 0; i < PORT_TRIES && r == -EAGAIN; i++) {
		if (in.peer.port == 0 ||
		    !tcp_is_pair_free(fw->tcp, &in.guest, &in.peer))
			r = -EAGAIN;
		else if (env->connect)
			r = env->connect(env->arg, sock, &in);
		else
			r = tcp_connect_guest(fw->tcp, sock, &in);
		in.peer.port = (uint16_t)(EPHEMERAL_FIRST +
					  fw->next_port % EPHEMERAL_N);
		fw->next_port += r == -EAGAIN;
	}
	if (r == -EAGAIN)
		env->host->ops->close(env->host, sock, true);
	return r;
}

/* True if another connection may be waiting. */
static bool accept_one(struct listener *l)
{
	struct forward *fw = l->forward;
	struct host *h = fw->env->host;
	struct host_sock sock = HOST_SOCK_NULL;
	struct endpoint client;
	int r = h->ops->accept(h, &l->sock, &sock, &client);

	if (r == -ECONNABORTED || r == -EINTR)
		return true;
	if (r == -EINVAL) /* it listens no more: forward_del() follows */
		return false;
	if (r < 0 && r != -EAGAIN) {
		drop(fw->env->drops, DROP_HOST_SOCKET);
		timer_arm(fw->env->wheel, &l->timer,
			  *fw->env->now_ns + RETRY_NS);
	}
	if (r < 0)
		return false;
	if (client.port && !forward_rules_admit(&l->rules, &client.ip)) {
		drop(fw->env->drops, DROP_FORWARD_SOURCE);
		h->ops->close(h, &sock, true);
		return true;
	}
	r = connect_guest(l, &sock, &client);
	if (r < 0 && r != -ENOMEM) /* which was counted */
		drop(fw->env->drops, DROP_FLOW_TABLE_FULL);
	return true;
}

static void listener_turn(struct listener *l)
{
	timer_disarm(l->forward->env->wheel, &l->timer);
	for (int i = 0; i < FORWARD_ACCEPTS; i++)
		if (!accept_one(l))
			return;
	timer_arm(l->forward->env->wheel, &l->timer, *l->forward->env->now_ns);
}

static void listener_event(struct host_sock *s, unsigned events)
{
	listener_turn(container_of(s, struct listener, sock));
}

static void listener_timer(struct timer *t, uint64_t now_ns)
{
	listener_turn(container_of(t, struct listener, timer));
}

static int listener_add(struct forward *fw, uint32_t id, int fd,
			const struct endpoint *guest,
			const struct forward_rules *rules)
{
	struct host *h = fw->env->host;
	struct listener *l;
	int r;

	if (fw->n_listeners >= FORWARD_LISTENERS_MAX)
		return -ENOBUFS;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->forward = fw;
	l->guest = *guest;
	l->rules = *rules;
	l->id = id;
	l->sock = HOST_SOCK_NULL;
	l->sock.event = listener_event;
	timer_init(&l->timer, listener_timer);
	r = h->ops->adopt(h, &l->sock, fd);
	if (r < 0) {
		free(l);
		return r;
	}
	list_add_tail(&fw->listeners, &l->link);
	fw->n_listeners++;
	/* Clients that came before the listener was adopted. */
	timer_arm(fw->env->wheel, &l->timer, *fw->env->now_ns);
	return 0;
}

static void listener_free(struct listener *l)
{
	const struct nat_env *env = l->forward->env;

	timer_disarm(env->wheel, &l->timer);
	env->host->ops->close(env->host, &l->sock, false);
	list_del(&l->link);
	l->forward->n_listeners--;
	free(l);
}

int forward_add(struct forward *fw, uint32_t id, uint8_t proto, int fd,
		const struct endpoint *guest, const struct forward_rules *rules)
{
	static const struct forward_rules none = {.proxy = PROXY_NONE};

	if (!rules)
		rules = &none;
	if (proto == IPPROTO_TCP)
		return listener_add(fw, id, fd, guest, rules);
	if (proto == IPPROTO_UDP && !rules->proxy)
		return udp_forward_add(fw->udp, id, fd, guest, rules);
	return -EINVAL;
}

int forward_del(struct forward *fw, uint32_t id)
{
	list_each(it, &fw->listeners) {
		struct listener *l = container_of(it, struct listener, link);

		if (l->id != id)
			continue;
		listener_free(l);
		return 0;
	}
	return udp_forward_del(fw->udp, id);
}

int forward_new(const struct nat_env *env, struct tcp *t, struct udp *u,
		struct forward **fwp)
{
	struct forward *fw = calloc(1, sizeof(*fw));

	if (!fw)
		return -ENOMEM;
	fw->env = env;
	fw->tcp = t;
	fw->udp = u;
	list_init(&fw->listeners);
	*fwp = fw;
	return 0;
}

struct forward *forward_free(struct forward *fw)
{
	if (!fw)
		return NULL;
	list_each_safe (it, &fw->listeners)
		listener_free(container_of(it, struct listener, link));
	free(fw);
	return NULL;
}
