/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of events; see events.h.  Texts have no full stop. */
#include "control/events.h"

const struct schema_key event_head[] = {
	{"seq", SCHEMA_INTEGER, .about = "the number of the event: 1, 2 .. for "
					 "as long as the keeper lives"},
	{"time", SCHEMA_STRING, .about = "when it was, in UTC, as RFC 3339 "
					 "writes it, with milliseconds"},
	{"type", SCHEMA_STRING, .about = "what it was: a name of the list "
					 "below"},
	{NULL},
};

#define MACHINE {"machine", SCHEMA_STRING, .about = "its name"}
#define NETDEV	{"netdev", SCHEMA_STRING, .about = "its name"}
#define TEXT	{"text", SCHEMA_STRING, .about = "a line for people"}

static const struct schema_key machine_keys[] = {MACHINE, {NULL}};
static const struct schema_key text_keys[] = {TEXT, {NULL}};
static const struct schema_key netdev_keys[] = {NETDEV, {NULL}};
static const struct schema_key netdev_text_keys[] = {NETDEV, TEXT, {NULL}};

static const struct schema_key started_keys[] = {
	{"network", SCHEMA_STRING, .about = "its name"},
	{"mode", SCHEMA_STRING, .about = "the word of its mode"},
	{"revived", SCHEMA_BOOLEAN, .about = "another keeper was killed, and "
					     "this one has taken its place"},
	{NULL},
};

static const struct schema_key kept_keys[] = {
	{"kept", SCHEMA_BOOLEAN, .about = "it stays without machines"},
	{NULL},
};

static const struct schema_key attached_keys[] = {
	MACHINE,
	{"link", SCHEMA_STRING, .about = "stream, vhost-user or netns"},
	{"mac", SCHEMA_STRING, true, "its card's, if it is known"},
	{NULL},
};

static const struct schema_key addresses_keys[] = {
	MACHINE,
	{"addresses", SCHEMA_STRINGS, .about = "all that it is known to have"},
	{NULL},
};

static const struct schema_key link_keys[] = {
	MACHINE,
	{"to", SCHEMA_STRING, .about = "KEY=VALUE words, as vmlan link takes "
				       "them, for what the machine gets; "
				       "empty: it is as it should be"},
	{"from", SCHEMA_STRING, .about = "for what it sends"},
	{"seed", SCHEMA_INTEGER, true, "what all chance is made of"},
	{NULL},
};

static const struct schema_key peer_keys[] = {
	NETDEV,
	{"peer", SCHEMA_STRING, .about = "what the log calls who came or went"},
	{NULL},
};

static const struct schema_key lease_keys[] = {
	{"address", SCHEMA_STRING, .about = "IPv4 or IPv6"},
	{"mac", SCHEMA_STRING, .about = "the card's that has or had it"},
	{"name", SCHEMA_STRING, true, "what the client calls itself"},
	{"ends", SCHEMA_INTEGER, true,
	 "seconds since 1970; without it the lease does not end"},
	{NULL},
};

static const struct schema_key gone_lease_keys[] = {
	{"address", SCHEMA_STRING, .about = "IPv4 or IPv6"},
	{"mac", SCHEMA_STRING, .about = "the card's that had it"},
	{"name", SCHEMA_STRING, true, "what the client called itself"},
	{NULL},
};

static const struct schema_key engine_keys[] = {
	{"engine", SCHEMA_INTEGER, .about = "the number of that process"},
	{NULL},
};

static const struct schema_key engine_text_keys[] = {
	{"engine", SCHEMA_INTEGER, .about = "the number of that process"},
	TEXT,
	{NULL},
};

#define FORWARD                                                                \
	{"forward", SCHEMA_INTEGER, .about = "its number"},                    \
	{"spec", SCHEMA_STRING, .about = "what was asked for, in one form"},   \
	{"proto", SCHEMA_STRING, .about = "tcp or udp"},                       \
	{"guest", SCHEMA_STRING, .about = "the address it leads to"},          \
	{"machine", SCHEMA_STRING, true, "whose it is, if it is a machine's"}, \
	{"port", SCHEMA_INTEGER, true, "the host's, if it was drawn"}

static const struct schema_key forward_keys[] = {FORWARD, {NULL}};

#define CAPTURE                                                                \
	{"capture", SCHEMA_INTEGER, .about = "its number"},                    \
	{"kept", SCHEMA_BOOLEAN, .about = "its oldest frames give way"},       \
	{"machine", SCHEMA_STRING, true, "whose port; else all"}

static const struct schema_key capture_keys[] = {CAPTURE, {NULL}};

static const struct schema_key stopped_keys[] = {
	CAPTURE,
	{"lost", SCHEMA_INTEGER, true,
	 "frames that it had no room for; not of what is kept"},
	{NULL},
};

static const struct schema_key lost_keys[] = {
	{"from", SCHEMA_INTEGER, .about = "the first that was lost"},
	{"to", SCHEMA_INTEGER, .about = "the last, which is this line's "
					"\"seq\""},
	{NULL},
};

static const struct schema_key anew_keys[] = {
	{"since", SCHEMA_INTEGER, .about = "the number that was asked for"},
	{NULL},
};

const struct event_row event_rows[EVENT_N] = {
	[EVENT_NETWORK_STARTED] = {"network-started",
		"all of the network is served", started_keys},
	[EVENT_NETWORK_KEPT] = {"network-kept",
		"vmlan up or down said whether it stays", kept_keys},
	[EVENT_NETWORK_ENDING] = {"network-ending",
		"the network ends; this is its last event", NULL},
	[EVENT_MACHINE_ATTACHED] = {"machine-attached",
		"a machine was plugged in", attached_keys},
	[EVENT_MACHINE_DETACHED] = {"machine-detached",
		"a machine was unplugged", machine_keys},
	[EVENT_MACHINE_CONNECTED] = {"machine-connected",
		"its VMM, or its guest's driver, is at its end of the cable",
		machine_keys},
	[EVENT_MACHINE_DISCONNECTED] = {"machine-disconnected",
		"nobody is there any more", machine_keys},
	[EVENT_MACHINE_ADDRESSES] = {"machine-addresses",
		"the addresses that a machine was heard to have are others",
		addresses_keys},
	[EVENT_LINK_DOWN] = {"link-down",
		"a machine's cable was pulled (vmlan link)", machine_keys},
	[EVENT_LINK_UP] = {"link-up", "it was plugged in again", machine_keys},
	[EVENT_LINK_CHANGED] = {"link-changed",
		"a cable is spoilt in another way, or no more", link_keys},
	[EVENT_NETDEV_CONNECTED] = {"netdev-connected",
		"somebody is at the other end of a netdev of the network's own",
		peer_keys},
	[EVENT_NETDEV_GONE] = {"netdev-gone", "he is there no more", peer_keys},
	[EVENT_NETDEV_LOST] = {"netdev-lost",
		"a netdev's interface of the host's was removed, or cannot be "
		"used", netdev_text_keys},
	[EVENT_NETDEV_BACK] = {"netdev-back",
		"it is there again, and used", netdev_keys},
	[EVENT_LEASE_GIVEN] = {"lease-given",
		"DHCP has leased an address", lease_keys},
	[EVENT_LEASE_RENEWED] = {"lease-renewed",
		"who has it has it for longer", lease_keys},
	[EVENT_LEASE_ENDED] = {"lease-ended",
		"it was released, or is over and was noticed to be",
		gone_lease_keys},
	[EVENT_ADDRESS_IN_USE] = {"address-in-use",
		"somebody has an address that was leased to another, or was "
		"going to be", gone_lease_keys},
	[EVENT_PORT_FAULT] = {"port-fault",
		"a machine or netdev broke the rules, and its port is shut; "
		"the others go on", netdev_text_keys},
	[EVENT_WARNING] = {"warning",
		"what the engine has to say, as of two machines with one MAC",
		text_keys},
	[EVENT_ENGINE_ENDED] = {"engine-ended",
		"the engine was killed; another one is started",
		engine_text_keys},
	[EVENT_ENGINE_SERVES] = {"engine-serves",
		"an engine has the whole network and carries its frames",
		engine_keys},
	[EVENT_FORWARD_ADDED] = {"forward-added",
		"ports of the host lead to a machine from now on",
		forward_keys},
	[EVENT_FORWARD_REMOVED] = {"forward-removed",
		"they take no more connections", forward_keys},
	[EVENT_CAPTURE_STARTED] = {"capture-started",
		"frames are captured", capture_keys},
	[EVENT_CAPTURE_STOPPED] = {"capture-stopped",
		"they are no longer", stopped_keys},
	[EVENT_LOST] = {"lost",
		"events that were not read in time are gone; a line of this "
		"reader's alone", lost_keys},
	[EVENT_ANEW] = {"anew",
		"no event has the number that was asked for yet: the keeper is "
		"another one, and numbers began anew; a line of this reader's "
		"alone", anew_keys},
};
