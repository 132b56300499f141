/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper's orders of tunnels: as those of orders.c. */
#include <errno.h>

#include "engine/engine_priv.h"

static struct l2tpv3_form l2tpv3_form(const struct msg_l2tpv3_add *m,
				      uint32_t session, uint64_t cookie)
{
	return (struct l2tpv3_form){
		.is_udp = m->is_udp,
		.session = session,
		.cookie_len = m->cookie_len,
		.cookie = cookie,
		.has_counter = m->has_counter,
		.offset = m->offset,
	};
}

int engine_order_l2tpv3(struct engine *e, const struct msg_l2tpv3_add *m,
			int *fds)
{
	struct engine_lan *l = engine_lan_find(e, m->lan);
	struct engine_netdev *n;
	struct netdev_l2tpv3_config c = {
		.name = m->name,
		.id = m->port,
		.fd = fds[0],
		.tx = l2tpv3_form(m, m->tx_session, m->tx_cookie),
		.rx = l2tpv3_form(m, m->rx_session, m->rx_cookie),
		.pins_counter = m->pins_counter,
		.remote = m->remote,
	};
	int r;

	n = l ? engine_netdev_make(e, m->port, ROLE_PORT) : NULL;
	if (!n)
		return -EINVAL;
	r = netdev_l2tpv3_new(&l->env, &c, &n->port);
	if (r == 0)
		fds[0] = -1;
	return engine_netdev_made(n, r);
}

int engine_order_vxlan(struct engine *e, const struct msg_vxlan_add *m,
		       int *fds)
{
	struct engine_lan *l = engine_lan_find(e, m->lan);
	struct engine_netdev *n;
	struct netdev_vxlan_config c = {
		.name = m->name,
		.id = m->port,
		.fd = fds[0],
		.vni = m->vni,
		.remotes = m->remote,
		.n_remotes = m->n_remotes,
		.port = m->remote_port,
		.learns = m->learns,
		.mtus = m->mtu,
		.age_ns = m->ageing * UINT64_C(1000000000),
	};
	int r;

	n = l ? engine_netdev_make(e, m->port, ROLE_PORT) : NULL;
	if (!n)
		return -EINVAL;
	r = netdev_vxlan_new(&l->env, &c, &n->port);
	if (r == 0)
		fds[0] = -1;
	return engine_netdev_made(n, r);
}
