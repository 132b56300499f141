/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bridged: the machines are on a LAN that the host is on, by a bridge of the
 * host's, or beside the host on its network card.  The card is shared by
 * macvtaps where we may make them, else by a packet socket; a Wi-Fi card takes
 * one MAC from us, so there all machines have it.  The card keeps the host and
 * them apart, so the host gets an interface beside it, where it may.
 */
#include <stdio.h>

#include "grammar/netdev_spec.h"
#include "mode/mode_priv.h"

const struct mode_key mode_bridged_keys[] = {
	{.key = "bridge", .help = "the bridge of the host that they are on"},
	{.key = "helper", .help = "program that opens the bridge"},
	{.key = "if", .help = "or the network card that they share with it"},
	{.key = "via", .help = "macvtap or packet: how they share it"},
	{.key = "translate",
	 .help = "on: all have the card's MAC; without it so for Wi-Fi"},
	{.key = "host",
	 .help = "off: the host and they do not reach each other by the card"},
	{.key = NULL},
};

/* How a card is shared. */
struct way {
	bool is_packet;
	bool translates;
	bool has_host; /* it gets an interface beside the card */
};

static int choose_host(const struct mode_spec *s, const struct mode_host *h,
		       struct way *w, struct error *e)
{
	bool is_on = mode_is(s, "host", "on");

	if (mode_check(s, "host", "on", "off", e) < 0)
		return -1;
	if (is_on && !h->may_make_links)
		return error_set(e, EXIT_PERMISSION,
				 "bridged: host=on: an interface of the host "
				 "takes root; without it the host and the "
				 "machines do not reach each other");
	w->has_host = mode_value(s, "host") ? is_on : h->may_make_links;
	return 0;
}

static int choose_way(const struct mode_spec *s, const struct mode_host *h,
		      struct way *w, struct error *e)
{
	bool is_macvtap = mode_is(s, "via", "macvtap");

	if (mode_check(s, "via", "macvtap", "packet", e) < 0 ||
	    mode_check(s, "translate", "on", "off", e) < 0)
		return -1;
	w->translates = mode_value(s, "translate")
				? mode_is(s, "translate", "on")
				: !is_macvtap && h->is_wireless &&
					  h->is_wireless(mode_value(s, "if"));
	if (is_macvtap && w->translates)
		return error_set(e, EXIT_USAGE,
				 "bridged: translate=on is done by packet, not "
				 "by macvtap; leave via= out");
	w->is_packet = mode_value(s, "via")
			       ? !is_macvtap
			       : w->translates || !h->may_make_macvtaps;
	return 0;
}

/* What the machines' owner should know. */
static void say(const struct way *w, const char *card, struct mode_netdevs *n)
{
	snprintf(n->said, sizeof(n->said),
		 "the machines are on %.32s by %s%s; the host itself and they "
		 "%s",
		 card, w->is_packet ? "a packet socket" : "macvtap",
		 w->translates ? ", all with its MAC" : "",
		 w->has_host ? "reach each other by an interface beside it"
			     : "do not reach each other by it");
}

static int on_card(const struct mode_spec *s, const struct mode_host *h,
		   struct mode_netdevs *n, struct error *e)
{
	const char *card = mode_value(s, "if");
	struct way w = {.is_packet = false};

	if (mode_value(s, "helper"))
		return error_set(e, EXIT_USAGE,
				 "bridged: helper= is for bridge=");
	if (choose_way(s, h, &w, e) < 0 || choose_host(s, h, &w, e) < 0 ||
	    mode_netdev_add(
		    n,
		    mode_text(w.is_packet ? "packet" : "macvtap",
			      (const struct mode_pair[]){
				      {"if", card},
				      {"translate", w.translates ? "on" : NULL},
				      {NULL, NULL}}),
		    e) < 0)
		return -1;
	if (w.has_host &&
	    mode_netdev_add(n,
			    mode_text("hostif",
				      (const struct mode_pair[]){
					      {"if", card}, {NULL, NULL}}),
			    e) < 0)
		return -1;
	say(&w, card, n);
	return 0;
}

int mode_bridged(const struct mode_spec *s, const struct mode_host *h,
		 struct mode_netdevs *n, struct error *e)
{
	const char *bridge = mode_value(s, "bridge");
	bool has_card = mode_value(s, "if") != NULL;

	if (!bridge && !has_card)
		return error_set(e, EXIT_USAGE,
				 "bridged: which network? bridge=br0 names a "
				 "bridge of the host (vmlan setup bridge makes "
				 "one), if=eth0 a network card");
	if (bridge && has_card)
		return error_set(e, EXIT_USAGE,
				 "bridged: bridge= or if=, not both");
	if (has_card)
		return on_card(s, h, n, e);
	if (mode_value(s, "via") || mode_value(s, "translate") ||
	    mode_value(s, "host"))
		return error_set(e, EXIT_USAGE,
				 "bridged: via=, translate= and host= are for "
				 "if=");
	return mode_netdev_add(
		n,
		mode_text("bridge",
			  (const struct mode_pair[]){
				  {"br", bridge},
				  {"helper", mode_value(s, "helper")},
				  {NULL, NULL}}),
		e);
}
