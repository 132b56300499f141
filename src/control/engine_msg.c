/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of keeper-engine messages and the check at the door. */
#include "control/engine_msg.h"

#include <stddef.h>

struct msg_kind {
	const char *name;
	size_t len;
	unsigned min_fds;
	unsigned max_fds;
};

static const struct msg_kind kinds[ENGINE_MSG_N] = {
#define ENGINE_MSG_KIND(name, type, lo, hi)                                    \
	[ENGINE_MSG_##name] = {#name, sizeof(struct type), lo, hi},
	ENGINE_MSGS(ENGINE_MSG_KIND)
#undef ENGINE_MSG_KIND
};

size_t engine_msg_len(enum engine_msg_type type)
{
	return (unsigned)type < ENGINE_MSG_N ? kinds[type].len : 0;
}

const char *engine_msg_name(uint32_t type)
{
	if (type >= ENGINE_MSG_N || !kinds[type].name)
		return "?";
	return kinds[type].name;
}

static void terminate_user(struct msg_user_add *m)
{
	m->name[sizeof(m->name) - 1] = '\0';
	m->hostname[sizeof(m->hostname) - 1] = '\0';
	m->domainname[sizeof(m->domainname) - 1] = '\0';
	m->zone[sizeof(m->zone) - 1] = '\0';
	for (unsigned i = 0; i < ENGINE_SEARCH_MAX; i++)
		m->dnssearch[i][ENGINE_DNS_NAME_LEN - 1] = '\0';
}

static void terminate_dgram(struct msg_dgram_add *m)
{
	m->name[sizeof(m->name) - 1] = '\0';
	m->remote_path[sizeof(m->remote_path) - 1] = '\0';
}

static void terminate_boot(struct msg_boot *m)
{
	m->bootfile[sizeof(m->bootfile) - 1] = '\0';
	m->server_name[sizeof(m->server_name) - 1] = '\0';
}

static bool check_named(struct msg_named *m)
{
	m->name[sizeof(m->name) - 1] = '\0';
	return m->n <= ENGINE_HEARD_MAX;
}

/* As check_inside(), of what ports and services have, and of what is asked of a
 * network that runs. */
static bool check_other(union engine_msg *m)
{
	switch ((int)m->head.type) {
	case ENGINE_MSG_DHCP_OPTION:
		return m->dhcp_option.option.len <= DHCP_VALUE_MAX &&
		       m->dhcp_option.option.who.len <= DHCP_WHO_LEN;
	case ENGINE_MSG_DHCP_RESERVE:
		m->dhcp_reserve.reservation.name[DHCP_NAME_LEN - 1] = '\0';
		return m->dhcp_reserve.reservation.who.len <= DHCP_WHO_LEN;
	case ENGINE_MSG_LEASE_ADD:
	case ENGINE_MSG_LEASE:
		m->lease.lease.name[DHCP_NAME_LEN - 1] = '\0';
		return m->lease.lease.id_len <= DHCP_CLIENT_LEN &&
		       m->lease.lease.state < DHCP_LEASE_STATES;
	case ENGINE_MSG_BOOT:
		terminate_boot(&m->boot);
		return true;
	case ENGINE_MSG_TFTP_WANT:
		m->tftp_want.path[ENGINE_TFTP_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_NAMED:
		return check_named(&m->named);
	case ENGINE_MSG_DNS_SERVER:
		m->dns_server.domain[ENGINE_DNS_NAME_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_CAPTURE_ADD:
		m->capture_add.name[ENGINE_NAME_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_WHY_ASK:
		m->why_ask.name[ENGINE_DNS_NAME_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_WHY:
		return why_trail_is_sound(&m->why.trail);
	case ENGINE_MSG_PACKET_HOST:
		return m->packet_host.n <= ENGINE_HOST_IP_MAX;
	case ENGINE_MSG_HOSTIF_HOST:
		return m->hostif_host.n <= ENGINE_HOST_IP_MAX;
	case ENGINE_MSG_CABLE:
		return impair_set_is_valid(&m->cable.set);
	}
	return false;
}

/* Strings are cut where their field ends; counts are held to their arrays. */
static bool check_inside(union engine_msg *m)
{
	switch ((enum engine_msg_type)m->head.type) {
	case ENGINE_MSG_LAN_ADD:
		m->lan_add.name[ENGINE_NAME_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_STREAM_ADD:
		m->stream_add.name[ENGINE_NAME_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_SERVER_ADD:
		m->server_add.name[ENGINE_NAME_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_DGRAM_ADD:
		terminate_dgram(&m->dgram_add);
		return true;
	case ENGINE_MSG_L2TPV3_ADD:
		m->l2tpv3_add.name[ENGINE_NAME_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_VXLAN_ADD:
		m->vxlan_add.name[ENGINE_NAME_LEN - 1] = '\0';
		return m->vxlan_add.n_remotes <= ENGINE_REMOTES_MAX;
	case ENGINE_MSG_TAP_ADD:
		m->tap_add.name[ENGINE_NAME_LEN - 1] = '\0';
		m->tap_add.kind[ENGINE_KIND_LEN - 1] = '\0';
		return m->tap_add.n_host_ip <= ENGINE_HOST_IP_MAX;
	case ENGINE_MSG_PACKET_ADD:
		m->packet_add.name[ENGINE_NAME_LEN - 1] = '\0';
		return m->packet_add.n_host_ip <= ENGINE_HOST_IP_MAX;
	case ENGINE_MSG_AF_XDP_ADD:
		m->af_xdp_add.name[ENGINE_NAME_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_HUBPORT_ADD:
		m->hubport_add.name[ENGINE_NAME_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_USER_ADD:
		terminate_user(&m->user_add);
		return m->user_add.n_dnssearch <= ENGINE_SEARCH_MAX;
	case ENGINE_MSG_DHCP_OPTION:
	case ENGINE_MSG_DHCP_RESERVE:
	case ENGINE_MSG_LEASE_ADD:
	case ENGINE_MSG_LEASE:
	case ENGINE_MSG_BOOT:
	case ENGINE_MSG_TFTP_WANT:
	case ENGINE_MSG_NAMED:
	case ENGINE_MSG_DNS_SERVER:
	case ENGINE_MSG_PACKET_HOST:
	case ENGINE_MSG_HOSTIF_HOST:
	case ENGINE_MSG_CABLE:
	case ENGINE_MSG_CAPTURE_ADD:
	case ENGINE_MSG_WHY_ASK:
	case ENGINE_MSG_WHY:
		return check_other(m);
	case ENGINE_MSG_FORWARD_ADD:
		return m->forward_add.rules.n_from <= FORWARD_SOURCES_MAX;
	case ENGINE_MSG_RESOLVERS:
		return m->resolvers.n <= ENGINE_RESOLVERS_MAX;
	case ENGINE_MSG_NETWORK:
		return m->network.n <= ENGINE_GONE_MAX;
	case ENGINE_MSG_UDP_REFUSED:
		return m->udp_refused.n_payload <= ENGINE_REFUSED_LEN;
	case ENGINE_MSG_MACHINE:
		m->machine.name[ENGINE_NAME_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_HEARD:
		return m->heard.n <= ENGINE_HEARD_MAX;
	case ENGINE_MSG_FAILED:
	case ENGINE_MSG_EVENT:
		m->failed.text[ENGINE_TEXT_LEN - 1] = '\0';
		return true;
	case ENGINE_MSG_START:
		return m->start.more_workers < ENGINE_WORKERS_MAX;
	case ENGINE_MSG_LOOK:
	case ENGINE_MSG_LOOKED:
		return m->look.what < LOOK_N && m->look.n <= LOOK_TURN;
	case ENGINE_MSG_LEG_ADD:
	case ENGINE_MSG_LEG_WANT:
	case ENGINE_MSG_NEIGHBOUR:
	case ENGINE_MSG_USER_MOVE:
	case ENGINE_MSG_TFTP_TAKE:
	case ENGINE_MSG_NETDEV_DEL:
	case ENGINE_MSG_LEASE_KEEP:
	case ENGINE_MSG_FORWARD_DEL:
	case ENGINE_MSG_GUESTFWD_ADD:
	case ENGINE_MSG_GUESTFWD_TAKE:
	case ENGINE_MSG_HTTP_ADD:
	case ENGINE_MSG_GUESTFWD_WANT:
	case ENGINE_MSG_ATTACH:
	case ENGINE_MSG_CAPTURE_DEL:
	case ENGINE_MSG_SYNC:
	case ENGINE_MSG_STOP:
	case ENGINE_MSG_SYNCED:
	case ENGINE_MSG_WANT_FD:
		return true;
	case ENGINE_MSG_NONE:
	case ENGINE_MSG_N:
		return false;
	}
	return false;
}

bool engine_msg_check(union engine_msg *m, size_t got, unsigned n_fds)
{
	const struct msg_kind *k;

	if (got < sizeof(m->head) || m->head.type >= ENGINE_MSG_N)
		return false;
	k = &kinds[m->head.type];
	if (!k->len || got != k->len || m->head.len != k->len)
		return false;
	if (n_fds < k->min_fds || n_fds > k->max_fds)
		return false;
	return check_inside(m);
}
