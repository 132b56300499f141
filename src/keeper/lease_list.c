/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases as JSON; see lease_list.h. */
#include "keeper/lease_list.h"

#include <stdio.h>
#include <string.h>

#include "keeper/leases.h"
#include "keeper/machine.h"

struct listing {
	struct keeper *keeper;
	json_t *list;
	bool is_cut;
};

/* "bound", "ended" (its client has it again if it returns) or "rested"
 * (somebody else was found to have the address). */
static const char *state_of(const struct kept_lease *l)
{
	if (lease_is_live(l))
		return "bound";
	return l->lease.state == DHCP_LEASE_RESTED ? "rested" : "ended";
}

static void print_hex(const uint8_t *p, unsigned n, char *buf)
{
	buf[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		buf += sprintf(buf, i ? ":%02x" : "%02x", p[i]);
}

/* Who the client says it is. */
static json_t *put_client(json_t *o, const struct dhcp_lease *l)
{
	char text[3 * DHCP_CLIENT_LEN + 1];
	uint32_t iaid = 0;

	print_hex(l->id, l->id_len - l->n_part, text);
	json_object_set_new(o, addr_is_v4(&l->ip) ? "client-id" : "duid",
			    json_string(text));
	for (unsigned i = l->id_len - l->n_part; i < l->id_len; i++)
		iaid = iaid << 8 | l->id[i];
	if (l->n_part)
		json_object_set_new(o, "iaid", json_integer(iaid));
	return o;
}

static const char *machine_of(const struct keeper *k, mac m)
{
	list_each(it, &k->machines) {
		const struct machine *o = container_of(it, struct machine,
						       link);

		if (mac_eq(machine_mac(o), m))
			return o->name;
	}
	return NULL;
}

static void print_one(void *arg, const struct kept_lease *k)
{
	struct listing *to = arg;
	const struct dhcp_lease *l = &k->lease;
	char ip[ADDR_STRLEN], m[MAC_STRLEN];
	json_t *o = json_pack("{s:s,s:s,s:s*,s:s*,s:s}", "address",
			      addr_format(&l->ip, ip), "mac",
			      mac_format(l->mac, m), "name",
			      l->name[0] ? l->name : NULL, "machine",
			      machine_of(to->keeper, l->mac), "state",
			      state_of(k));

	if (o)
		put_client(o, l);
	if (o && k->end != LEASE_NEVER)
		json_object_set_new(o, "ends", json_integer(k->end));
	if (json_array_append_new(to->list, o) < 0)
		to->is_cut = true;
}

static bool is_same_client(const struct dhcp_lease *a,
			   const struct dhcp_lease *b)
{
	return a->id_len == b->id_len && memcmp(a->id, b->id, a->id_len) == 0;
}

static void say(struct keeper *k, enum event_id id, const struct kept_lease *l)
{
	bool has_end = l->end != LEASE_NEVER && id != EVENT_LEASE_ENDED &&
		       id != EVENT_ADDRESS_IN_USE;
	char ip[ADDR_STRLEN], m[MAC_STRLEN];

	event_say(k, id, "{s:s,s:s,s:s*,s:o*}", "address",
		  addr_format(&l->lease.ip, ip), "mac",
		  mac_format(l->lease.mac, m), "name",
		  l->lease.name[0] ? l->lease.name : NULL, "ends",
		  has_end ? json_integer(l->end) : NULL);
}

void lease_say(struct keeper *k, const struct kept_lease *old,
	       const struct kept_lease *l)
{
	bool was_bound = old && old->lease.state == DHCP_LEASE_BOUND &&
			 is_same_client(&old->lease, &l->lease);

	switch ((enum dhcp_lease_state)l->lease.state) {
	case DHCP_LEASE_BOUND:
		say(k, was_bound ? EVENT_LEASE_RENEWED : EVENT_LEASE_GIVEN, l);
		break;
	case DHCP_LEASE_ENDED:
		if (was_bound)
			say(k, EVENT_LEASE_ENDED, l);
		break;
	case DHCP_LEASE_RESTED:
		say(k, EVENT_ADDRESS_IN_USE, l);
		break;
	case DHCP_LEASE_STATES:
		break;
	}
}

json_t *lease_list(struct keeper *k)
{
	struct listing to = {.keeper = k, .list = json_array()};

	if (!to.list)
		return NULL;
	leases_each(k->leases, print_one, &to);
	if (to.is_cut) {
		json_decref(to.list);
		return NULL;
	}
	return json_pack("{s:o}", "leases", to.list);
}
