/* SPDX-License-Identifier: BSD-3-Clause */
/* The ports of a VDE server; see vde.h.  No system calls. */
#include "keeper/vde.h"

#include <stdlib.h>

static struct vde_port *port_of(struct list *it)
{
	return container_of(it, struct vde_port, link);
}

struct vde_port *vde_port_find(const struct vde_ports *v, uint32_t number)
{
	list_each(it, &v->all) {
		if (port_of(it)->number == number)
			return port_of(it);
	}
	return NULL;
}

struct vde_port *vde_port_get(struct vde_ports *v, uint32_t number)
{
	struct list *pos = &v->all;
	struct vde_port *p;

	if (number > VDE_PORT_MAX)
		return NULL;
	list_each(it, &v->all) {
		if (port_of(it)->number == number)
			return port_of(it);
		if (port_of(it)->number > number) {
			pos = it;
			break;
		}
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	*p = (struct vde_port){
		.number = number,
		.user = (uid_t)-1,
		.group = (gid_t)-1,
	};
	list_add_before(pos, &p->link);
	return p;
}

/* They stand in order: the first gap, or the first that is free. */
struct vde_port *vde_port_any(struct vde_ports *v)
{
	uint32_t number = 1;

	list_each(it, &v->all) {
		struct vde_port *p = port_of(it);

		if (p->number < number)
			continue;
		if (p->number > number)
			break;
		if (!p->plug && !p->is_reserved)
			return p;
		number++;
	}
	return vde_port_get(v, number);
}

void vde_port_del(struct vde_port *p)
{
	list_del(&p->link);
	free(p);
}

bool vde_port_may(const struct vde_port *p, uid_t uid, const gid_t *groups,
		  size_t n_groups)
{
	if (p->user == (uid_t)-1 && p->group == (gid_t)-1)
		return true;
	if (uid == 0 || (p->user != (uid_t)-1 && p->user == uid))
		return true;
	for (size_t i = 0; i < n_groups && p->group != (gid_t)-1; i++) {
		if (groups[i] == p->group)
			return true;
	}
	return false;
}

void vde_ports_clear(struct vde_ports *v)
{
	list_each_safe(it, &v->all)
		vde_port_del(port_of(it));
}
