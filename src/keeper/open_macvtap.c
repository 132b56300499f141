/* SPDX-License-Identifier: BSD-3-Clause */
/* Opener of macvtap, and the legs that it gets while machines come. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "grammar/uplink_opts.h"
#include "keeper/keeper_priv.h"
#include "os/macvtap.h"

static const enum macvtap_mode modes[] = {
	[UPLINK_BRIDGE] = MACVTAP_BRIDGE,
	[UPLINK_VEPA] = MACVTAP_VEPA,
	[UPLINK_PRIVATE] = MACVTAP_PRIVATE,
	[UPLINK_PASSTHRU] = MACVTAP_PASSTHRU,
};

static struct macvtap_opts opts_of(const struct plan_netdev *n)
{
	enum uplink_mode mode = UPLINK_BRIDGE;
	struct macvtap_opts o = {
		.lower = spec_str(n->spec, "if"),
		.vnet_hdr = plan_vnet_hdr(n),
	};
	const char *text = spec_str(n->spec, "mac");

	/* Both were checked while parsing. */
	(void)uplink_mode_parse(spec_str(n->spec, "mode"), &mode);
	o.mode = modes[mode];
	if (text)
		(void)mac_parse(text, &o.mac);
	return o;
}

int open_macvtap(struct plan_netdev *n, struct error *e)
{
	struct tap_result t = TAP_RESULT_NULL;
	struct macvtap_opts o = opts_of(n);
	int ns = -1;
	int r = macvtap_open(&o, &ns, &t, e);

	if (r < 0)
		return r;
	n->has_macvtaps = true;
	n->macvtap_ns = ns;
	n->lower = o.lower;
	n->lower_index = (int)if_nametoindex(o.lower);
	n->order.tap_add.has_legs = o.mode != MACVTAP_PASSTHRU;
	n->order.tap_add.mac = o.mac;
	plan_tap(n, &t);
	return 0;
}

void macvtap_restart(struct plan_netdev *n)
{
	if (n->has_more_macvtaps)
		macvtap_remove(n->macvtap_ns, 1);
	n->has_more_macvtaps = false;
	memset(n->refused, 0, sizeof(n->refused));
}

static int make_leg(struct plan_netdev *n, const struct msg_leg *m, int *fdp,
		    struct error *e)
{
	struct macvtap_opts o = opts_of(n);
	struct tap_result t = TAP_RESULT_NULL;
	int r;

	o.number = m->leg;
	o.mac = m->mac;
	if (m->is_open) {
		r = macvtap_set_mac(n->macvtap_ns, &o, e);
		if (r == 0 && m->leg == 0)
			n->order.tap_add.mac = m->mac;
		return r;
	}
	n->has_more_macvtaps = true;
	r = macvtap_open(&o, &n->macvtap_ns, &t, e);
	if (r == 0)
		*fdp = fd_steal(&t.fds[0]);
	tap_result_deinit(&t);
	return r;
}

void macvtap_leg(struct keeper *k, const struct msg_leg *m)
{
	struct plan_netdev *n = plan_find(&k->plan, m->port);
	union engine_msg answer = {.leg = *m};
	struct error e = ERROR_NULL;
	char text[MAC_STRLEN];
	CLEANUP_FD int fd = -1;

	/* What no engine of ours would say. */
	if (!n || !n->has_macvtaps || m->leg >= MACVTAP_MAX ||
	    mac_is_group(m->mac) || mac_is_zero(m->mac))
		return;
	answer.leg.ok = make_leg(n, m, &fd, &e) == 0;
	if (answer.leg.ok)
		log_info(k->c->log, "%s: a machine with MAC %s", n->name,
			 mac_format(m->mac, text));
	else if (!mac_eq(n->refused[m->leg], m->mac))
		log_warn(k->c->log,
			 "%s: the machine with MAC %s gets no answers: %s",
			 n->name, mac_format(m->mac, text), e.text);
	n->refused[m->leg] = m->mac;
	if (answer.leg.ok)
		n->refused[m->leg] = (mac){{0}};
	/* If it is gone the next one will ask again. */
	(void)!engine_link_send(k, &answer, ENGINE_MSG_LEG_ADD, &fd, fd >= 0);
}
