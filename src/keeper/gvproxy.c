/* SPDX-License-Identifier: BSD-3-Clause */
/* gvproxy's answers; see gvproxy.h. */
#include "keeper/gvproxy.h"

#include "keeper/leases.h"
#include "keeper/machine.h"

struct listing {
	json_t *o;
	bool is_cut;
};

static void put_one(struct listing *to, const addr *a, mac m)
{
	char ip[ADDR_STRLEN], text[MAC_STRLEN];

	if (json_object_set_new(to->o, addr_format(a, ip),
				json_string(mac_format(m, text))) < 0)
		to->is_cut = true;
}

static void put_lease(void *arg, const struct kept_lease *l)
{
	if (lease_is_live(l) && addr_is_v4(&l->lease.ip))
		put_one(arg, &l->lease.ip, l->lease.mac);
}

/* The gateway's is one of gvproxy's leases. */
static void put_gateway(struct keeper *k, struct listing *to)
{
	const struct plan_netdev *n = plan_gateway(&k->plan);
	const struct msg_user_add *m = n ? &n->order.user_add : NULL;

	if (m && m->v4.is_on)
		put_one(to, &m->v4.gw, serving_mac(&m->serving, &m->v4.gw));
}

/* What there is of it if it is whole. */
static json_t *whole(struct listing *l)
{
	if (!l->is_cut)
		return l->o;
	json_decref(l->o);
	return NULL;
}

int gvproxy_leases(struct keeper *k, const struct request *r, json_t **op,
		   struct error *e)
{
	struct listing l = {.o = json_object()};

	(void)r;
	(void)e;
	if (l.o) {
		put_gateway(k, &l);
		leases_each(k->leases, put_lease, &l);
	}
	*op = whole(&l);
	return 0;
}
