/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The machines of the matrix, plugged in by the same `vmlan run` that a VMM is
 * started with: guests of QEMU, or kernels in namespaces, whose VMM is a
 * `vmlan join` between the socket it was given and a tap of that kernel's.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/ctl.h"
#include "cli/find.h"
#include "cli/matrix.h"
#include "control/protocol.h"
#include "os/rtnl.h"

enum {
	WAIT_MS = 30000, /* until a machine is plugged in .. */
	GUEST_WAIT_MS = 240000, /* .. and one that has to boot */
	PAUSE_MS = 10,
	TEXT_LEN = 256,
};

static const char self[] = "/proc/self/exe";
static const char net_name[] = "lab"; /* of networks that have one */

static const char *const macs[] = {"52:54:00:00:00:0a", "52:54:00:00:00:0b"};

/* ---- starting ---- */

void vm_log_path(enum node_id id, char buf[static 64])
{
	snprintf(buf, 64, "/run/matrix-%s.log", node_names[id]);
}

void vmm_word(struct vmm_words *w, const char *fmt, ...)
{
	va_list ap;

	if (w->n == VMM_WORDS_MAX)
		return;
	va_start(ap, fmt);
	if (vasprintf(&w->v[w->n], fmt, ap) < 0)
		w->v[w->n] = NULL; /* ends the line, which is refused */
	va_end(ap);
	w->n++;
}

static bool is_none(const struct world *w)
{
	return mode_find(w->row->word)->owner == MODE_NOBODYS;
}

static bool is_shared(const struct world *w)
{
	enum mode_owner owner = mode_find(w->row->word)->owner;

	return owner == MODE_SHARED || owner == MODE_EITHER;
}

/* "MODE[:NAME][,OPTIONS]" */
static void put_net(const struct world *w, char buf[static TEXT_LEN])
{
	const struct matrix_row *row = w->row;
	int n = snprintf(buf, TEXT_LEN, "%s%s%s%s", row->word,
			 is_shared(w) ? ":" : "", is_shared(w) ? net_name : "",
			 row->options ? "," : "");
	const char *pid = row->options ? strstr(row->options, "PID") : NULL;

	if (!row->options || n < 0)
		return;
	snprintf(buf + n, (size_t)(TEXT_LEN - n), "%.*s",
		 pid ? (int)(pid - row->options) : TEXT_LEN, row->options);
	n = (int)strlen(buf);
	if (pid)
		snprintf(buf + n, (size_t)(TEXT_LEN - n), "%d%s",
			 (int)w->nodes[NODE_LAN].pid, pid + 3);
}

static void namespace_words(const struct world *w, const struct node *n,
			    struct vmm_words *v)
{
	vmm_word(v, "%s", self);
	vmm_word(v, "join");
	vmm_word(v, "-q");
	vmm_word(v, "netns,pid=%d,ifname=eth0,mac=%s", (int)n->pid,
		 macs[n->id - NODE_A]);
	if (!is_none(w))
		vmm_word(v, "stream,addr.type=unix,addr.path={socket},"
			    "reconnect-ms=50");
}

static void forward_words(const struct world *w, struct vmm_words *v)
{
	static const char *const loopbacks[N_MATRIX_FAMILIES] = {
		[MATRIX_IP4] = "127.0.0.1",
		[MATRIX_IP6] = "[::1]",
	};

	for (int f = 0; f < N_MATRIX_FAMILIES; f++) {
		if (!world_has(w, (enum matrix_family)f))
			continue;
		vmm_word(v, "-p");
		vmm_word(v, "%s:%d:%d", loopbacks[f], FORWARD_PORT, TCP_PORT);
		vmm_word(v, "-p");
		vmm_word(v, "%s:%d:%d/udp", loopbacks[f], FORWARD_PORT + 1,
			 UDP_PORT);
	}
}

static void exec_run(const struct world *w, unsigned which)
{
	const struct node *n = &w->nodes[NODE_A + which];
	struct vmm_words v = {.n = 0};
	char net[TEXT_LEN];

	put_net(w, net);
	for (const char *const *p = (const char *const[]){
		     self, "run", "-q", "--name", node_names[n->id], "--net",
		     net, NULL};
	     *p; p++)
		vmm_word(&v, "%s", *p);
	if (!is_none(w)) {
		vmm_word(&v, "--nic");
		vmm_word(&v, "virtio,mac=%s", macs[which]);
	}
	if (n->id == NODE_A && mode_has_gateway(mode_find(w->row->word)))
		forward_words(w, &v);
	vmm_word(&v, "--");
	if (w->image)
		guest_words(w, n->id, &v);
	else
		namespace_words(w, n, &v);
	execv(self, v.v);
}

static int start(struct world *w, unsigned which, struct error *e)
{
	enum node_id id = (enum node_id)(NODE_A + which);
	pid_t pid;
	int r = w->image ? guest_listen(w, id, e) : world_node_add(w, id, e);

	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "fork");
	if (pid == 0) {
		char path[64];
		int fd;

		vm_log_path(id, path);
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			  0600);
		if (fd >= 0) {
			dup2(fd, 1);
			dup2(fd, 2);
		}
		exec_run(w, which);
		_exit(EXIT_RUN_FAILED);
	}
	w->vmms[which] = pid;
	return 0;
}

/* ---- waiting ---- */

/* The last error it told of, else why its kernel ended, else its last line. */
static int fail_ended(unsigned which, struct error *e)
{
	static const char *const heads[] = {"", "Kernel panic - not syncing: ",
					    "vmlan: error: "};
	char path[64], line[512], last[512] = "it said nothing";
	size_t best = 0;
	FILE *f;

	vm_log_path((enum node_id)(NODE_A + which), path);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		for (size_t i = array_len(heads); i-- > best;) {
			const char *at = strstr(line, heads[i]);

			if (!at)
				continue;
			snprintf(last, sizeof(last), "%s",
				 at + strlen(heads[i]));
			best = i;
			break;
		}
	}
	if (f)
		fclose(f);
	return error_set(e, EXIT_FAILED, "machine %s ended: %s",
			 node_names[NODE_A + which], last);
}

static bool has_card(void)
{
	struct rtnl_link l;

	return rtnl_link_get("eth0", 0, &l) == 0 && (l.flags & IFF_UP);
}

/* The network that the machine is on. */
static void put_network(const struct world *w, unsigned which,
			char buf[static TEXT_LEN])
{
	if (is_shared(w))
		snprintf(buf, TEXT_LEN, "%s", net_name);
	else
		snprintf(buf, TEXT_LEN, "%s-%s", w->row->word,
			 node_names[NODE_A + which]);
}

static bool is_plugged_in(const struct world *w, unsigned which)
{
	struct error e = ERROR_NULL;
	char name[TEXT_LEN];
	json_t *o = NULL;
	bool found;

	if (is_none(w))
		return true;
	put_network(w, which, name);
	if (ctl_ask(name, "GET", CONTROL_NETWORK, NULL, &o, &e) < 0)
		return false;
	found = ctl_bool(find_in(o, node_names[NODE_A + which]), "connected");
	json_decref(o);
	return found;
}

static int await(struct world *w, unsigned which, struct error *e)
{
	const struct timespec t = {.tv_nsec = PAUSE_MS * 1000000L};
	enum node_id id = (enum node_id)(NODE_A + which);
	int most = w->image ? GUEST_WAIT_MS : WAIT_MS;
	bool is_up = false;

	if (!w->image && world_enter(w, id, e) < 0)
		return -1;
	for (int ms = 0; ms < most; ms += PAUSE_MS) {
		if (waitpid(w->vmms[which], NULL, WNOHANG) == w->vmms[which])
			return fail_ended(which, e);
		if (!is_up)
			is_up = w->image ? guest_is_up(w, id) : has_card();
		if (is_up && is_plugged_in(w, which))
			return 0;
		nanosleep(&t, NULL);
	}
	return error_set(e, EXIT_FAILED, "machine %s is never %s",
			 node_names[id], is_up ? "plugged in" : "up");
}

/* By the machine, wherever it is. */
static int let_do(const struct world *w, enum node_id id, struct order *o,
		  struct report *rep, struct error *e)
{
	int r;

	if (is_guest(w, id)) {
		r = guest_tell(w, id, o, e);
		if (r == 0)
			r = guest_hear(w, id, rep, e);
	} else {
		r = world_enter(w, id, e);
		if (r == 0)
			order_obey(o, rep);
	}
	if (r == 0 && rep->has_failed)
		r = error_set(e, EXIT_FAILED, "machine %s: %s", node_names[id],
			      rep->error);
	return r;
}

/* ---- addresses ---- */

/* What a machine has that is given none. */
static void fixed_lease(const struct world *w, unsigned which,
			struct matrix_lease *l)
{
	uint8_t last = (uint8_t)(15 + which);

	*l = (struct matrix_lease){.len = 24};
	switch (w->row->addressing) {
	case BY_LEASE:
		break;
	case BY_PRIVATE:
		l->ip = addr_v4(10, 0, 2, last);
		l->router = addr_v4(10, 0, 2, 2);
		l->ip6 = (addr){{0xfd, [3] = 2, [15] = last}};
		l->router6 = (addr){{0xfd, [3] = 2, [15] = 2}};
		break;
	case BY_LAN:
		l->ip = addr_v4(198, 51, 100, last);
		l->router = addr_v4(198, 51, 100, 254);
		l->ip6 = world_ip6(1, last);
		l->router6 = world_ip6(1, 254);
		break;
	case BY_PLUG:
		l->ip = addr_v4(10, 9, 0, last);
		l->router = addr_v4(10, 9, 0, 3);
		l->ip6 = (addr){{0xfd, [3] = 9, [15] = last}};
		l->router6 = (addr){{0xfd, [3] = 9, [15] = 3}};
		break;
	}
}

static int configure(struct world *w, unsigned which, struct error *e)
{
	enum node_id id = (enum node_id)(NODE_A + which);
	struct order o = {
		.kind = ORDER_SET_UP,
		.by_dhcp = w->row->addressing == BY_LEASE,
		.has_ip6 = w->has_ip6,
		.by_ra = w->row->addressing == BY_LEASE,
		.has_way6 = w->row->addressing == BY_LEASE &&
			    w->row->expected[Q_INTERNET] == 'y',
		.may_lack_card = w->image && is_none(w),
		.has_router = !w->has_gateway_broken,
	};
	struct report rep;
	int r;

	fixed_lease(w, which, &o.lease);
	r = let_do(w, id, &o, &rep, e);
	if (r == 0) {
		w->nodes[id].ip[MATRIX_IP4] = rep.lease.ip;
		w->nodes[id].ip[MATRIX_IP6] = rep.lease.ip6;
		w->nodes[id].near[MATRIX_IP6] = rep.lease.ip6;
	}
	return r;
}

/* Machines with LANs of their own may have one address of IPv4: there they get
 * one more, which the other can ask for. */
static int part_addresses(struct world *w, struct error *e)
{
	bool is_same = addr_eq(&w->nodes[NODE_A].ip[MATRIX_IP4],
			       &w->nodes[NODE_B].ip[MATRIX_IP4]);
	int r = 0;

	for (int i = NODE_A; i <= NODE_B && r == 0; i++) {
		struct order o = {.kind = ORDER_ADDRESS, .lease.len = 24};
		struct node *n = &w->nodes[i];
		struct report rep;

		n->near[MATRIX_IP4] = n->ip[MATRIX_IP4];
		if (!is_same)
			continue;
		n->near[MATRIX_IP4].b[15] = (uint8_t)(77 + i);
		o.lease.ip = n->near[MATRIX_IP4];
		r = let_do(w, n->id, &o, &rep, e);
	}
	return r;
}

/* The neighbour's end of the cable that mode generic plugs into it. */
static int configure_plug(struct world *w, struct error *e)
{
	const addr ip = addr_v4(10, 9, 0, 3);
	const addr ip6 = {{0xfd, [3] = 9, [15] = 3}};

	if (w->row->addressing != BY_PLUG)
		return 0;
	w->nodes[NODE_LAN].ip[MATRIX_IP4] = ip;
	w->nodes[NODE_LAN].ip[MATRIX_IP6] = ip6;
	if (world_enter(w, NODE_LAN, e) < 0 ||
	    world_addr_add("plug0", &ip, 24, e) < 0)
		return -1;
	return w->has_ip6 ? world_addr_add("plug0", &ip6, 64, e) : 0;
}

/* ---- which way it took ---- */

/* "user", "kernel" or "helper": whose the network's ways are. */
static void put_way(const json_t *netdevs, struct row_found *f)
{
	static const char *const kernels[] = {"tap",	 "bridge", "hostif",
					      "netns",	 "router", "macvtap",
					      "packet"};
	const char *way = "user";
	size_t i, len = 0;
	json_t *v;

	json_array_foreach(netdevs, i, v) {
		const char *text = json_string_value(v);

		if (!text)
			continue;
		for (size_t k = 0; k < array_len(kernels); k++) {
			if (strncmp(text, kernels[k], strlen(kernels[k])) == 0)
				way = "kernel";
		}
		if (strstr(text, "helper="))
			way = "helper";
		len += (size_t)snprintf(f->netdevs + len,
					sizeof(f->netdevs) - len, "%s%s",
					len ? " " : "", text);
		if (len >= sizeof(f->netdevs))
			break;
	}
	snprintf(f->way, sizeof(f->way), "%s", way);
}

static void look_at_network(const struct world *w, struct row_found *f)
{
	struct error e = ERROR_NULL;
	char name[TEXT_LEN];
	json_t *o = NULL;

	snprintf(f->way, sizeof(f->way), "none");
	if (is_none(w))
		return;
	put_network(w, 0, name);
	if (ctl_ask(name, "GET", CONTROL_NETWORK, NULL, &o, &e) == 0)
		put_way(json_object_get(o, "netdevs"), f);
	json_decref(o);
}

int vms_start(struct world *w, struct row_found *f, struct error *e)
{
	int r = 0;

	if (world_enter(w, NODE_HOST, e) < 0)
		return -1;
	for (unsigned i = 0; i < 2 && r == 0; i++)
		r = start(w, i, e);
	for (unsigned i = 0; i < 2 && r == 0; i++) {
		r = await(w, i, e);
		if (r == 0)
			r = configure(w, i, e);
	}
	if (r == 0)
		r = part_addresses(w, e);
	if (r == 0)
		r = configure_plug(w, e);
	if (r == 0)
		look_at_network(w, f);
	return r;
}
