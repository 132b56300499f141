/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of requests; see schema.h.  Texts have no full stop. */
#include "control/schema.h"
#include "control/schema_look.h"

#include "control/events.h"

enum {
	NO_OBJECT = 1 << EXIT_NO_OBJECT,
	CONFLICT = 1 << EXIT_CONFLICT,
	PERMISSION = 1 << EXIT_PERMISSION,
	FAILED = 1 << EXIT_FAILED,
};

/* ---- of several ---- */

#define FORWARD_RULES                                                          \
	{"proxy", SCHEMA_STRING, true,                                         \
	 "v1 or v2: the header of the PROXY protocol that the guest's server " \
	 "gets first"},                                                        \
	{"from", SCHEMA_STRINGS, true, "the networks that may come"}

#define FORWARD_KEYS                                                           \
	{"proto", SCHEMA_STRING, .about = "tcp or udp"},                       \
	{"host", SCHEMA_STRING,                                                \
	 .about = "address and port of the host, as bound, or the path of a "  \
		  "unix socket"},                                              \
	{"guest", SCHEMA_STRING, .about = "address and port of the machine"},  \
	{"machine", SCHEMA_STRING, true,                                       \
	 "whose it is and goes with; else it is the network's own"},           \
	{"id", SCHEMA_INTEGER, .about = "the forward that it is of"},          \
	{"family", SCHEMA_STRING, .about = "ipv4, ipv6 or unix: of host"}

static const struct schema_key forward_keys[] = {
	FORWARD_KEYS,
	FORWARD_RULES,
	{NULL},
};

/* Those that a machine is plugged in with. */
static const struct schema_key plain_forward_keys[] = {FORWARD_KEYS, {NULL}};

/* What spoils a cable in one direction. */
static const struct schema_key way_keys[] = {
	{"delay", SCHEMA_STRING, true, "each frame is that long on its way: a "
				       "number and s, ms, us or ns"},
	{"jitter", SCHEMA_STRING, true, "that much more or less"},
	{"loss", SCHEMA_STRING, true, "so many frames are lost: a number and "
				      "%"},
	{"duplicate", SCHEMA_STRING, true, "so many arrive twice"},
	{"reorder", SCHEMA_STRING, true, "so many skip the delay"},
	{"corrupt", SCHEMA_STRING, true, "in so many one bit is flipped"},
	{"rate", SCHEMA_STRING, true, "in a second: a number and bit, kbit, "
				      "mbit or gbit"},
	{"burst", SCHEMA_STRING, true, "that pass at once: a number and b, kb "
				       "or mb"},
	{NULL},
};

static const struct schema_key link_keys[] = {
	{"up", SCHEMA_BOOLEAN, .about = "false: the cable is pulled"},
	{"to", SCHEMA_OBJECT, false, "how what the machine gets is spoilt",
	 way_keys},
	{"from", SCHEMA_OBJECT, false, "the same of what it sends", way_keys},
	{"seed", SCHEMA_INTEGER, true, "what all chance is made of"},
	{"left-ms", SCHEMA_INTEGER, true,
	 "milliseconds until it is as it was before"},
	{NULL},
};

static const struct schema_key link_body[] = {
	{"reset", SCHEMA_BOOLEAN, true,
	 "true, first: up, and spoilt by nothing"},
	{"up", SCHEMA_BOOLEAN, true, "false: the cable is pulled"},
	{"to", SCHEMA_OBJECT, true, "for what the machine gets; keys that are "
				    "missing stay, off takes one away",
	 way_keys},
	{"from", SCHEMA_OBJECT, true, "the same of what it sends", way_keys},
	{"seed", SCHEMA_INTEGER, true,
	 "chance begins anew, from this number, 0 to 2^53 - 1"},
	{"for", SCHEMA_STRING, true, "then as before: a number and ms, s, min "
				     "or h"},
	{NULL},
};

#define MACHINE_KEYS                                                           \
	{"name", SCHEMA_STRING, .about = "its name in this network"},          \
	{"link", SCHEMA_STRING, .about = "stream, vhost-user, or netns: a "    \
					 "program of the host's"},             \
	{"queues", SCHEMA_INTEGER, true, "pairs of queues, if more than one"}, \
	{"listen", SCHEMA_STRING, true,                                        \
	 "who listens on the socket: vmlan or vmm; not of netns"},             \
	{"socket", SCHEMA_STRING, true, "the path of it; not of netns"},       \
	{"connected", SCHEMA_BOOLEAN, .about = "the cable has a peer"},        \
	{"pid", SCHEMA_INTEGER,                                                \
	 .about = "the process whose life is the machine's; 0: it goes when "  \
		  "its cable has no peer"},                                    \
	{"mac", SCHEMA_STRING, true, "its card's, if it is known"},            \
	{"address", SCHEMA_STRING, true, "what is kept for it by DHCP"},       \
	{"addresses", SCHEMA_STRINGS,                                          \
	 .about = "what it was heard to have, and what is kept for it"}

static const struct schema_key machine_keys[] = {
	MACHINE_KEYS,
	{"cloud", SCHEMA_STRING, true, "where its cloud-init finds its data"},
	{"cable", SCHEMA_OBJECT, true,
	 "how its cable is, unless it is as it should be", link_keys},
	{NULL},
};

/* ---- the network ---- */

static const struct schema_key about_key_keys[] = {
	{"name", SCHEMA_STRING, .about = "the key; one in braces stands for "
					 "any number of keys"},
	{"type", SCHEMA_STRING, .about = "what its value is"},
	{"optional", SCHEMA_BOOLEAN, .about = "it may be missing"},
	{"about", SCHEMA_STRING, .about = "what it means"},
	{"keys", SCHEMA_TREE, true, "those of the object, or objects, in it"},
	{NULL},
};

static const struct schema_key about_request_keys[] = {
	{"method", SCHEMA_STRING, .about = "GET, which HEAD is, too, PUT, POST "
					   "or DELETE"},
	{"path", SCHEMA_STRING, .about = "a segment in braces stands for a "
					 "name"},
	{"about", SCHEMA_STRING, .about = "what it does"},
	{"query", SCHEMA_OBJECTS, false, "keys behind the path and a '?'",
	 about_key_keys},
	{"takes", SCHEMA_STRING, true,
	 "json or bytes: the body; without it there is none"},
	{"body", SCHEMA_OBJECTS, false, "the keys of its object",
	 about_key_keys},
	{"most", SCHEMA_INTEGER, .about = "bytes that a body may have"},
	{"gives", SCHEMA_STRING, .about = "json, text, list: of objects, or "
					  "lines: an object in each"},
	{"answer", SCHEMA_OBJECTS, false, "the keys of its object, or of each "
					  "line's", about_key_keys},
	{"status", SCHEMA_INTEGER, .about = "that of HTTP if it is done"},
	{"codes", SCHEMA_OBJECTS, false, "how it may fail",
	 (const struct schema_key[]){
		 {"code", SCHEMA_INTEGER, .about = "a command's exit code"},
		 {"status", SCHEMA_INTEGER, .about = "the one of HTTP that "
						     "goes with it"},
		 {NULL}}},
	{NULL},
};

static const struct schema_key about_event_keys[] = {
	{"name", SCHEMA_STRING, .about = "its \"type\""},
	{"about", SCHEMA_STRING, .about = "what has happened"},
	{"keys", SCHEMA_OBJECTS, false, "what it has besides those of all",
	 about_key_keys},
	{NULL},
};

static const struct schema_key v1_keys[] = {
	{"version", SCHEMA_INTEGER, .about = "1, as in the paths"},
	{"vmlan", SCHEMA_STRING, .about = "the version of the program"},
	{"network", SCHEMA_STRING, .about = "the name of the network"},
	{"requests", SCHEMA_OBJECTS, false, "what is served",
	 about_request_keys},
	{"event", SCHEMA_OBJECTS, false, "the keys that all events have",
	 about_key_keys},
	{"events", SCHEMA_OBJECTS, false, "what may happen", about_event_keys},
	{NULL},
};

static const struct schema_key subnet_keys[] = {
	{"net", SCHEMA_STRING, .about = "address and length of the prefix"},
	{"gateway", SCHEMA_STRING, true, "the router that machines are told"},
	{"dns", SCHEMA_STRING, true, "the name server that they are told"},
	{NULL},
};

static const struct schema_key tunnel_keys[] = {
	{"name", SCHEMA_STRING, .about = "its netdev"},
	{"about", SCHEMA_STRING, .about = "where it leads, in words"},
	{"mtu", SCHEMA_INTEGER, .about = "bytes of a packet that goes through "
					 "whole; 0: there is no way there"},
	{NULL},
};

static const struct schema_key plug_keys[] = {
	{"name", SCHEMA_STRING, .about = "the plug's"},
	{"netdev", SCHEMA_STRING, .about = "the switch that it is in"},
	{"port", SCHEMA_INTEGER, .about = "its number there"},
	{"user", SCHEMA_INTEGER, .about = "the number of the user who has it"},
	{"about", SCHEMA_STRING, .about = "what he says it is"},
	{NULL},
};

static const struct schema_key network_keys[] = {
	{"name", SCHEMA_STRING, .about = "the network's"},
	{"mode", SCHEMA_STRING, .about = "the word of its mode"},
	{"options", SCHEMA_STRINGS, .about = "KEY=VALUE, as it was started "
					     "with"},
	{"kept", SCHEMA_BOOLEAN, .about = "it stays without machines, as by "
					  "vmlan up"},
	{"file", SCHEMA_STRING, true,
	 "the configuration that it was started by, of vmlan up or apply"},
	{"serving", SCHEMA_BOOLEAN, .about = "the engine carries frames; false "
					     "for a moment after its death"},
	{"exec", SCHEMA_BOOLEAN, .about = "programs of the host may get in"},
	{"keeper", SCHEMA_INTEGER, .about = "the number of that process"},
	{"engine", SCHEMA_INTEGER, .about = "the number of that process"},
	{"folder", SCHEMA_STRING, .about = "where its sockets are"},
	{"netdevs", SCHEMA_STRINGS, .about = "what its mode expands to"},
	{"subnets", SCHEMA_OBJECTS, false, "one of IPv4, one of IPv6, as far "
					   "as it has them", subnet_keys},
	{"forwards", SCHEMA_OBJECTS, false, "ports of the host that lead to "
					    "machines", forward_keys},
	{"tunnels", SCHEMA_OBJECTS, false, "netdevs that lead elsewhere",
	 tunnel_keys},
	{"machines", SCHEMA_OBJECTS, false, "who is plugged in", machine_keys},
	{"plugs", SCHEMA_OBJECTS, false, "who is plugged into its VDE switches",
	 plug_keys},
	{NULL},
};

static const struct schema_key kept_body[] = {
	{"kept", SCHEMA_BOOLEAN, .about = "whether it stays without machines"},
	{NULL},
};

static const struct schema_key kept_answer[] = {
	{"kept", SCHEMA_BOOLEAN, .about = "as was said"},
	{"machines", SCHEMA_INTEGER, .about = "how many are plugged in"},
	{NULL},
};

static const struct schema_key lease_keys[] = {
	{"address", SCHEMA_STRING, .about = "IPv4 or IPv6"},
	{"mac", SCHEMA_STRING, .about = "the card's that asked for it"},
	{"name", SCHEMA_STRING, true, "what the client calls itself"},
	{"machine", SCHEMA_STRING, true, "the machine with that card"},
	{"state", SCHEMA_STRING,
	 .about = "bound; ended: its client has it again if it returns; "
		  "rested: somebody else was found to have it"},
	{"client-id", SCHEMA_STRING, true, "DHCPv4: who it says it is, in hex"},
	{"duid", SCHEMA_STRING, true, "DHCPv6: the same"},
	{"iaid", SCHEMA_INTEGER, true, "DHCPv6: which of its associations"},
	{"ends", SCHEMA_INTEGER, true,
	 "seconds since 1970; without it the lease does not end"},
	{NULL},
};

static const struct schema_key leases_keys[] = {
	{"leases", SCHEMA_OBJECTS, false, "by address, IPv4 first", lease_keys},
	{NULL},
};

static const struct schema_key events_query[] = {
	{"since", SCHEMA_STRING, true,
	 "a number: the events after it; or now: those to come; default 0, all "
	 "that are kept"},
	{"follow", SCHEMA_STRING, true,
	 "1: the answer goes on until the network ends; 0: it ends with the "
	 "last event that there is; default 1"},
	{NULL},
};

/* ---- machines ---- */

static const struct schema_key attach_body[] = {
	{"name", SCHEMA_STRING,
	 .about = "letters, digits, '-', '.' and '_', a letter or digit first, "
		  "at most 63; one that is taken gets a number behind it"},
	{"pid", SCHEMA_INTEGER, .about = "the process whose life is the "
					 "machine's"},
	{"link", SCHEMA_STRING, true,
	 "stream (frames as in QEMU's netdev of that name) or vhost-user; "
	 "default stream"},
	{"listen", SCHEMA_STRING, true,
	 "vmlan, or vmm: vmlan connects to the socket that the VMM opens; "
	 "default vmlan"},
	{"queues", SCHEMA_INTEGER, true,
	 "pairs of queues of vhost-user, 1 to 16; default 1"},
	{"mac", SCHEMA_STRING, true,
	 "the card's, or auto: one is made of the names"},
	{"nic", SCHEMA_INTEGER, true,
	 "which of the machine's cards it is, for auto; default 0"},
	{"hub", SCHEMA_INTEGER, true,
	 "the hub that it is on in place of the LAN"},
	{"netns", SCHEMA_INTEGER, true,
	 "there is no socket: the card is eth0 in the network namespace of "
	 "this process"},
	{"forwards", SCHEMA_STRINGS, true,
	 "ports that lead to it, each as hostfwd= of the netdev user, at most "
	 "256"},
	{NULL},
};

static const struct schema_key attach_answer[] = {
	MACHINE_KEYS,
	{"forwards", SCHEMA_OBJECTS, false, "those that it has",
	 plain_forward_keys},
	{NULL},
};

static const struct schema_key life_body[] = {
	{"pid", SCHEMA_INTEGER,
	 .about = "the process; 0: nobody holds it any more"},
	{NULL},
};

static const struct schema_key cloud_answer[] = {
	{"url", SCHEMA_STRING, .about = "where the machine finds it"},
	{NULL},
};

/* ---- captures ---- */

static const struct schema_key capture_body[] = {
	{"machine", SCHEMA_STRING, true,
	 "what goes by its port; else all that comes into the network"},
	{"memory", SCHEMA_INTEGER, true,
	 "bytes for frames, 1048576 to 1073741824, rounded down to a power of "
	 "two; of what is kept 0: no longer; default 8388608"},
	{"snaplen", SCHEMA_INTEGER, true,
	 "bytes of each frame, 64 to 262144; default 0: all"},
	{"last", SCHEMA_BOOLEAN, true, "the ring of what is kept"},
	{NULL},
};

static const struct schema_key capture_keys[] = {
	{"kept", SCHEMA_BOOLEAN, .about = "its oldest frames give way, and it "
					  "has no reader"},
	{"number", SCHEMA_INTEGER, true, "its own"},
	{"machine", SCHEMA_STRING, true, "whose port; else all"},
	{"memory", SCHEMA_INTEGER, true, "bytes"},
	{"snaplen", SCHEMA_INTEGER, true, "bytes of each frame"},
	{NULL},
};

static const struct schema_key captures_keys[] = {
	{"captures", SCHEMA_OBJECTS, false, "those that there are",
	 capture_keys},
	{NULL},
};

/* ---- forwards ---- */

static const struct schema_key bound_keys[] = {
	{"host", SCHEMA_STRING, .about = "address and port, or the path of a "
					 "unix socket"},
	{"family", SCHEMA_STRING, .about = "ipv4, ipv6 or unix"},
	{"guest", SCHEMA_STRING, .about = "address and port it leads to"},
	{NULL},
};

#define WHOLE_FORWARD                                                          \
	{"id", SCHEMA_INTEGER, .about = "its number, which no other gets"},    \
	{"spec", SCHEMA_STRING, .about = "what was asked for, in one form"},   \
	{"proto", SCHEMA_STRING, .about = "tcp or udp"},                       \
	{"guest", SCHEMA_STRING, .about = "the address it leads to"},          \
	{"machine", SCHEMA_STRING, true,                                       \
	 "whose it is and goes with; else it is the network's"},               \
	FORWARD_RULES,                                                         \
	{"added", SCHEMA_BOOLEAN,                                              \
	 .about = "while the network ran, not with it or its machine"},        \
	{"bound", SCHEMA_OBJECTS, false, "what it is bound to", bound_keys}

static const struct schema_key whole_forward_keys[] = {WHOLE_FORWARD, {NULL}};

static const struct schema_key forwards_keys[] = {
	{"network", SCHEMA_STRING, .about = "its name"},
	{"forwards", SCHEMA_OBJECTS, false, "by number", whole_forward_keys},
	{NULL},
};

static const struct schema_key forwards_body[] = {
	{"spec", SCHEMA_STRING,
	 .about = "as run -p takes it; all of it is bound, or none"},
	{"machine", SCHEMA_STRING, true,
	 "whom it leads to, unless spec names an address; it goes with that"},
	{"proxy", SCHEMA_STRING, true, "v1 or v2; of tcp"},
	{"from", SCHEMA_STRINGS, true,
	 "addresses and networks (ADDRESS/LENGTH) that may come, at most 16; "
	 "default all"},
	{NULL},
};

static const struct schema_key forwards_answer[] = {
	{"forwards", SCHEMA_OBJECTS, false, "those that were made",
	 whole_forward_keys},
	{NULL},
};

/* ---- why ---- */

static const struct schema_key why_query[] = {
	{"from", SCHEMA_STRING, false,
	 "a machine, by its name or address; host; internet; an address"},
	{"to", SCHEMA_STRING, false,
	 "the same; or a name of DNS; or NETWORK/VM"},
	{"port", SCHEMA_STRING, true, "of whom it is for; not of icmp"},
	{"proto", SCHEMA_STRING, true,
	 "tcp, udp or icmp; default tcp, icmp without a port"},
	{NULL},
};

static const struct schema_key why_step_keys[] = {
	{"what", SCHEMA_STRING, .about = "the part of the way, in a word"},
	{"ok", SCHEMA_STRING, .about = "yes, no or unknown: it shows when "
				       "somebody sends"},
	{"text", SCHEMA_STRING, .about = "why"},
	{"decides", SCHEMA_BOOLEAN, .about = "the answer is this step's"},
	{NULL},
};

static const struct schema_key why_keys[] = {
	{"network", SCHEMA_STRING, .about = "its name"},
	{"from", SCHEMA_STRING, .about = "who asks for a connection"},
	{"to", SCHEMA_STRING, .about = "whom he asks"},
	{"proto", SCHEMA_STRING, .about = "tcp, udp or icmp"},
	{"port", SCHEMA_INTEGER, true, "of the latter"},
	{"steps", SCHEMA_OBJECTS, false, "the way, as far as it goes",
	 why_step_keys},
	{"reaches", SCHEMA_BOOLEAN,
	 .about = "as far as network and host decide"},
	{"verdict", SCHEMA_STRING, .about = "yes or no, and the reason"},
	{"remedy", SCHEMA_STRING, true, "what would change it"},
	{NULL},
};

/* ---- gvproxy's ---- */

static const struct schema_key gv_all_keys[] = {
	{"local", SCHEMA_STRING, .about = "as it was exposed, or what is "
					  "bound"},
	{"remote", SCHEMA_STRING, .about = "the guest's address and port"},
	{"protocol", SCHEMA_STRING, .about = "tcp, udp or unix"},
	{NULL},
};

static const struct schema_key gv_leases_keys[] = {
	{"{address}", SCHEMA_STRING, .about = "the MAC that has an IPv4 "
					      "address"},
	{NULL},
};

static const struct schema_key gv_cam_keys[] = {
	{"{mac}", SCHEMA_INTEGER, .about = "the number of the port "
					   "that this MAC is behind"},
	{NULL},
};

/* ---- all of them ---- */

const struct schema_request schema_requests[SCHEMA_N] = {
	[SCHEMA_GET_V1] = {
		"GET", CONTROL_V1,
		"what is served here: this table",
		.answer = v1_keys,
	},
	[SCHEMA_GET_NETWORK] = {
		"GET", CONTROL_NETWORK,
		"what there is, as vmlan show prints it",
		.answer = network_keys,
	},
	[SCHEMA_PUT_KEPT] = {
		"PUT", CONTROL_KEPT,
		"vmlan up and down: whether the network stays when its last "
		"machine has gone",
		.body = kept_body,
		.answer = kept_answer,
	},
	[SCHEMA_GET_LEASES] = {
		"GET", CONTROL_LEASES,
		"who has which address by DHCP",
		.answer = leases_keys,
	},
	[SCHEMA_GET_STATS] = {
		"GET", CONTROL_STATS,
		"what went through each port, what was lost and why, and what "
		"else is counted",
		.answer = schema_stats_keys,
		.codes = FAILED,
	},
	[SCHEMA_GET_FLOWS] = {
		"GET", CONTROL_FLOWS,
		"the connections of guests, and what else goes to and fro",
		.query = schema_flows_query,
		.answer = schema_flows_keys,
		.codes = NO_OBJECT | FAILED,
	},
	[SCHEMA_GET_MACS] = {
		"GET", CONTROL_MACS,
		"which MAC is behind which port",
		.answer = schema_macs_keys,
		.codes = FAILED,
	},
	[SCHEMA_GET_EVENTS] = {
		"GET", CONTROL_EVENTS,
		"what happens, an event in each line, as soon as it does",
		.query = events_query,
		.form = SCHEMA_LINES,
		.answer = event_head,
		.codes = CONFLICT,
	},
	[SCHEMA_GET_WHY] = {
		"GET", CONTROL_WHY,
		"what would become of a packet, as vmlan why says it, without "
		"one",
		.query = why_query,
		.answer = why_keys,
		.codes = NO_OBJECT,
	},
	[SCHEMA_POST_MACHINES] = {
		"POST", CONTROL_MACHINES,
		"a machine is plugged in: a socket for its VMM, or a card in a "
		"process's own network",
		.body = attach_body,
		.answer = attach_answer,
		.status = 201,
		.codes = NO_OBJECT | CONFLICT | PERMISSION | FAILED,
	},
	[SCHEMA_PUT_LIFE] = {
		"PUT", CONTROL_MACHINES "/{name}" CONTROL_LIFE,
		"the machine lives as long as this process does",
		.body = life_body,
		.codes = NO_OBJECT | PERMISSION | FAILED,
	},
	[SCHEMA_PUT_USER_DATA] = {
		"PUT", CONTROL_MACHINES "/{name}" CONTROL_USER_DATA,
		"what the machine's cloud-init asks for, and gets from the "
		"network's HTTP server",
		.body_form = SCHEMA_BYTES,
		.body_max = CONTROL_CLOUD_MAX,
		.answer = cloud_answer,
		.codes = NO_OBJECT | CONFLICT | FAILED,
	},
	[SCHEMA_PUT_META_DATA] = {
		"PUT", CONTROL_MACHINES "/{name}" CONTROL_META_DATA,
		"the same",
		.body_form = SCHEMA_BYTES,
		.body_max = CONTROL_CLOUD_MAX,
		.answer = cloud_answer,
		.codes = NO_OBJECT | CONFLICT | FAILED,
	},
	[SCHEMA_GET_LINK] = {
		"GET", CONTROL_MACHINES "/{name}" CONTROL_LINK,
		"how the machine's cable is",
		.answer = link_keys,
		.codes = NO_OBJECT,
	},
	[SCHEMA_PUT_LINK] = {
		"PUT", CONTROL_MACHINES "/{name}" CONTROL_LINK,
		"vmlan link: its cable is pulled or spoilt; what is not named "
		"stays as it is",
		.body = link_body,
		.answer = link_keys,
		.codes = NO_OBJECT,
	},
	[SCHEMA_DELETE_MACHINE] = {
		"DELETE", CONTROL_MACHINES "/{name}",
		"the machine is unplugged",
		.codes = NO_OBJECT,
	},
	[SCHEMA_GET_CAPTURES] = {
		"GET", CONTROL_CAPTURES,
		"which captures run, and which are kept",
		.answer = captures_keys,
	},
	[SCHEMA_POST_CAPTURES] = {
		"POST", CONTROL_CAPTURES,
		"a capture, for vmlan cap, with \"Connection: Upgrade\" and "
		"\"Upgrade: " CONTROL_CAPTURE_UPGRADE "\": behind the head of "
		"the answer comes a byte, and with it by SCM_RIGHTS the memory "
		"for frames and, without \"last\", a socket by which "
		"who waits for more is woken. It ends with "
		"the connection; after shutdown(SHUT_WR) with what the ports "
		"have counted",
		.body = capture_body,
		.form = SCHEMA_UPGRADE,
		.status = 101,
		.codes = NO_OBJECT | CONFLICT | FAILED,
	},
	[SCHEMA_PUT_CAPTURES_KEPT] = {
		"PUT", CONTROL_CAPTURES_KEPT,
		"the last frames are kept, in so much memory, in place of what "
		"was kept of the same",
		.body = capture_body,
		.answer = capture_keys,
		.codes = NO_OBJECT | CONFLICT | FAILED,
	},
	[SCHEMA_GET_FORWARDS] = {
		"GET", CONTROL_FORWARDS,
		"the forwards, as vmlan fwd prints them",
		.answer = forwards_keys,
	},
	[SCHEMA_POST_FORWARDS] = {
		"POST", CONTROL_FORWARDS,
		"ports of the host lead to a machine from now on",
		.body = forwards_body,
		.answer = forwards_answer,
		.status = 201,
		.codes = NO_OBJECT | CONFLICT | PERMISSION | FAILED,
	},
	[SCHEMA_DELETE_FORWARD] = {
		"DELETE", CONTROL_FORWARDS "/{name}",
		"the forward of this number takes no more connections; those "
		"that it has go on",
		.answer = whole_forward_keys,
		.codes = NO_OBJECT,
	},
	[SCHEMA_GV_DHCP_LEASES] = {
		"GET", "/services/dhcp/leases",
		"as of gvproxy: who has which IPv4 address, the gateway among "
		"them",
		.answer = gv_leases_keys,
	},
	[SCHEMA_GV_LEASES] = {
		"GET", "/leases",
		"as of gvproxy: the same",
		.answer = gv_leases_keys,
	},
	[SCHEMA_GV_CAM] = {
		"GET", "/cam",
		"as of gvproxy: which MAC the switch knows behind which port",
		.answer = gv_cam_keys,
		.codes = FAILED,
	},
	[SCHEMA_GV_STATS] = {
		"GET", "/stats",
		"as of gvproxy: what it counts and vmlan does, too",
		.answer = schema_gv_stats_keys,
		.codes = FAILED,
	},
	[SCHEMA_GV_EXPOSE] = {
		"POST", "/services/forwarder/expose",
		"as of gvproxy: a forward by \"local\", \"remote\" and "
		"\"protocol\" (tcp, udp, unix) of a JSON object",
		.body_form = SCHEMA_BYTES,
		.body_max = CONTROL_REQUEST_MAX,
		.form = SCHEMA_TEXT,
		.codes = FAILED,
	},
	[SCHEMA_GV_UNEXPOSE] = {
		"POST", "/services/forwarder/unexpose",
		"as of gvproxy: the forward with this \"local\" and "
		"\"protocol\" is no more",
		.body_form = SCHEMA_BYTES,
		.body_max = CONTROL_REQUEST_MAX,
		.form = SCHEMA_TEXT,
		.codes = FAILED,
	},
	[SCHEMA_GV_ALL] = {
		"GET", "/services/forwarder/all",
		"as of gvproxy: the forwards",
		.form = SCHEMA_LIST,
		.answer = gv_all_keys,
	},
};
