/* SPDX-License-Identifier: BSD-3-Clause */
/* What this host lets vmlan do; see probe.h. */
#include "os/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/bridge_acl.h"
#include "os/may.h"
#include "os/nft.h"
#include "os/rtnl.h"
#include "os/rundir.h"
#include "os/tap.h"
#include "os/userns.h"

enum { NOFILE_ENOUGH = 4096 };

const char *const probe_names[N_PROBES] = {
	[PROBE_RUNDIR] = "rundir",   [PROBE_NOFILE] = "descriptors",
	[PROBE_PING] = "ping",       [PROBE_USERNS] = "namespaces",
	[PROBE_NETNS] = "own-network",
	[PROBE_TUN] = "tun",         [PROBE_ROOT] = "root",
	[PROBE_RAW] = "raw",         [PROBE_BRIDGE] = "bridge",
	[PROBE_MACVTAP] = "macvtap", [PROBE_NFT] = "nft",
	[PROBE_FORWARD] = "forward", [PROBE_FIREWALL] = "firewall",
	[PROBE_PLACE] = "lan-bridge", [PROBE_HELPER] = "helper",
	[PROBE_ACL] = "acl",
};

__attribute__((format(printf, 3, 4))) static void
no(struct finding *f, const char *fix, const char *fmt, ...)
{
	va_list ap;

	f->state = PROBE_NO;
	va_start(ap, fmt);
	vsnprintf(f->what, sizeof(f->what), fmt, ap);
	va_end(ap);
	snprintf(f->fix, sizeof(f->fix), "%s", fix);
}

static void unknown(struct finding *f, const char *why)
{
	*f = (struct finding){.state = PROBE_UNKNOWN};
	snprintf(f->what, sizeof(f->what), "%s", why);
}

/* ---- the process ---- */

static void probe_rundir(struct finding *f)
{
	struct error e = ERROR_NULL;
	struct rundir d;
	char name[32];

	snprintf(name, sizeof(name), "doctor:%d", (int)getpid());
	if (rundir_make(name, &d, &e) < 0)
		no(f, "export XDG_RUNTIME_DIR=$(mktemp -d)",
		   "no folder for networks: %s", e.text);
	else
		rundir_remove(&d);
}

static void probe_nofile(struct finding *f)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_max >= NOFILE_ENOUGH)
		return;
	no(f, "sudo prlimit --pid $$ --nofile=1048576:1048576",
	   "at most %llu descriptors, and a connection takes one",
	   (unsigned long long)l.rlim_max);
}

static void probe_ping(struct finding *f)
{
	CLEANUP_FD int fd =
		socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd >= 0)
		return;
	no(f, "sudo sysctl -w net.ipv4.ping_group_range='0 2147483647'",
	   "guests' pings cannot leave the host: %s", strerror(errno));
}

static void probe_raw(struct finding *f)
{
	/* No protocol: nothing is received by it. */
	CLEANUP_FD int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		no(f, "sudo vmlan ...", "packet sockets are refused: %s",
		   strerror(errno));
}

/* The kernel looks at the right before it looks for the link. */
static void probe_root(struct finding *f)
{
	int r = rtnl_link_set_up(rtnl_index_new(), true);

	if (r == -EPERM)
		no(f, "sudo vmlan ...",
		   "links and addresses of this host are root's to change");
	else if (r != -ENODEV && r < 0)
		no(f, "sudo vmlan ...", "links cannot be changed: %s",
		   strerror(-r));
}

static void probe_forward(struct finding *f)
{
	static const char path[] = "/proc/sys/net/ipv4/ip_forward";
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = '0';

	if (fd >= 0 && read(fd, &c, 1) == 1 && c == '1')
		return;
	fd_close(&fd);
	/* Who may write it needs nothing: it is set while a network is up. */
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		no(f, "sudo sysctl -w net.ipv4.ip_forward=1",
		   "IPv4 forwarding is off and cannot be set: %s",
		   strerror(errno));
}

static void probe_firewall(struct finding *f)
{
	struct error e = ERROR_NULL;
	char chain[80], fix[2 * sizeof(chain) + 100], path[256];
	int r = nft_find_dropper("vm-*", true, chain, sizeof(chain), &e);

	if (r < 0 && !nft_find(path, sizeof(path)))
		unknown(f, "whether the host's own firewall drops what is "
			   "forwarded cannot be seen without nft");
	else if (r < 0)
		unknown(f, "whether the host's own firewall drops what is "
			   "forwarded is for root to see");
	if (r <= 0)
		return;
	snprintf(fix, sizeof(fix),
		 "sudo nft 'insert rule %s iifname \"vm-*\" accept; "
		 "insert rule %s oifname \"vm-*\" accept'",
		 chain, chain);
	no(f, fix,
	   "the host's own nftables chain '%s' drops what it has no rule for",
	   chain);
}

/* ---- in a namespace of a child ---- */

/* What some hosts let one make, and then do nothing in. */
static int try_userns(struct error *e)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	(void)e;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -errno;
	r = userns_map(uid, gid, 0, 0);
	return r < 0 ? r : rtnl_lo_up();
}

static int try_netns(struct error *e)
{
	(void)e;
	return unshare(CLONE_NEWNET) < 0 ? -errno : 0;
}

static int try_tun(struct error *e)
{
	const struct tap_opts o = {.ifname = "probe0", .queues = 1};
	struct tap_result t;
	int r = tap_open(&o, &t, e);

	if (r == 0)
		tap_result_deinit(&t);
	return r;
}

static int try_bridge(struct error *e)
{
	const struct rtnl_link_new n = {.name = "probe1", .kind = "bridge"};

	(void)e;
	return rtnl_link_add(&n);
}

static int try_macvtap(struct error *e)
{
	const struct rtnl_link_new veth = {
		.name = "probe2", .kind = "veth", .peer = "probe3"};
	struct rtnl_link_new n = {.name = "probe4",
				  .kind = "macvtap",
				  .macvlan = MACVLAN_MODE_BRIDGE};
	struct rtnl_link l;
	int r = rtnl_link_add(&veth);

	(void)e;
	if (r == 0)
		r = rtnl_link_get("probe2", 0, &l);
	if (r < 0)
		return r;
	n.lower = l.index;
	return rtnl_link_add(&n);
}

static int try_nft(struct error *e)
{
	return nft_run("{\"nftables\":[{\"add\":{\"table\":{\"family\":"
		       "\"inet\",\"name\":\"probe\"}}},{\"add\":{\"chain\":{"
		       "\"family\":\"inet\",\"table\":\"probe\",\"name\":\"c\","
		       "\"type\":\"nat\",\"hook\":\"postrouting\",\"prio\":100,"
		       "\"policy\":\"accept\"}}},{\"add\":{\"rule\":{"
		       "\"family\":\"inet\",\"table\":\"probe\",\"chain\":\"c\""
		       ",\"expr\":[{\"masquerade\":null}]}}}]}",
		       -1, e);
}

/* What a trial in the child came to. */
struct result {
	int r; /* 0 or a negative errno */
	char text[256];
};

enum trial {
	TRY_USERNS,
	TRY_NETNS,
	TRY_TUN,
	TRY_BRIDGE,
	TRY_MACVTAP,
	TRY_NFT,
	N_TRIALS,
};

static void child(int fd)
{
	static int (*const fns[N_TRIALS])(struct error * e) = {
		[TRY_USERNS] = try_userns, [TRY_NETNS] = try_netns,
		[TRY_TUN] = try_tun,	   [TRY_BRIDGE] = try_bridge,
		[TRY_MACVTAP] = try_macvtap, [TRY_NFT] = try_nft,
	};

	for (int i = 0; i < N_TRIALS; i++) {
		struct error e = ERROR_NULL;
		struct result x = {.r = fns[i](&e)};

		snprintf(x.text, sizeof(x.text), "%.*s",
			 (int)sizeof(x.text) - 1,
			 e.code != EXIT_DONE ? e.text : strerror(-x.r));
		(void)!write(fd, &x, sizeof(x));
		/* Root needs no user namespace to go on. */
		if (i == TRY_NETNS && x.r < 0)
			break;
	}
	_exit(0);
}

/* Those that the child did not come to stay as they are. */
static void try_all(struct result *v)
{
	CLEANUP_FD int hear = -1, say = -1;
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return;
	hear = fd[0];
	say = fd[1];
	pid = fork();
	if (pid == 0)
		child(say);
	fd_close(&say);
	for (int i = 0; i < N_TRIALS && pid > 0; i++) {
		if (read(hear, &v[i], sizeof(v[i])) != sizeof(v[i]))
			break;
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* A setting of the kernel that is off. */
static bool is_setting(const char *path, char value)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[2] = "";

	return fd >= 0 && read(fd, text, 2) >= 1 && text[0] == value &&
	       (text[1] == '\n' || !text[1]);
}

static void judge_userns(const struct result *x, struct finding *f)
{
	static const struct {
		const char *path;
		char bad;
		const char *fix;
	} causes[] = {
		{"/proc/sys/kernel/unprivileged_userns_clone", '0',
		 "sudo sysctl -w kernel.unprivileged_userns_clone=1"},
		{"/proc/sys/user/max_user_namespaces", '0',
		 "sudo sysctl -w user.max_user_namespaces=10000"},
		{"/proc/sys/user/max_net_namespaces", '0',
		 "sudo sysctl -w user.max_net_namespaces=10000"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1',
		 "sudo sysctl -w "
		 "kernel.apparmor_restrict_unprivileged_userns=0"},
	};
	const char *fix = "sudo vmlan ...";

	if (x->r == 0)
		return;
	for (size_t i = array_len(causes); i-- > 0;) {
		if (is_setting(causes[i].path, causes[i].bad))
			fix = causes[i].fix;
	}
	no(f, fix, "user namespaces are refused: %s", x->text);
}

/* Who is not root makes it in a user namespace. */
static void judge_netns(const struct result *x, const struct finding *userns,
			struct finding *f)
{
	if (userns->state == PROBE_UNKNOWN)
		*f = *userns;
	else if (userns->state == PROBE_NO && (geteuid() != 0 || x->r < 0))
		no(f, userns->fix, "no process can have a network of its own");
}

/* What of the host is missing is told even where nothing can be made. */
static void judge_tun(const struct result *x, struct finding *f)
{
	CLEANUP_FD int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == EACCES)
		no(f, "sudo chmod 666 /dev/net/tun", "/dev/net/tun: %s",
		   strerror(errno));
	else if (fd < 0)
		no(f, "sudo modprobe tun", "/dev/net/tun: %s", strerror(errno));
	else if (x->r == 1)
		unknown(f, "no namespace to make a tap in");
	else if (x->r < 0)
		no(f, "sudo modprobe tun", "a tap cannot be made: %s", x->text);
}

static void judge_kind(const struct result *x, const char *kind,
		       struct finding *f)
{
	char fix[64];

	snprintf(fix, sizeof(fix), "sudo modprobe %s", kind);
	if (x->r == 1)
		unknown(f, "no namespace to make one in");
	else if (x->r < 0)
		no(f, fix, "a %s cannot be made: %s", kind, x->text);
}

static void judge_nft(const struct result *x, struct finding *f)
{
	char path[256];

	if (!nft_find(path, sizeof(path)))
		no(f, "sudo apt install nftables", "nft is not installed");
	else if (x->r == 1)
		unknown(f, "no namespace to try it in");
	else if (x->r < 0)
		no(f, "sudo modprobe nf_tables", "%s", x->text);
}

static void probe_in_child(struct finding *v)
{
	struct result x[N_TRIALS];

	for (int i = 0; i < N_TRIALS; i++)
		x[i] = (struct result){.r = 1}; /* not tried */
	try_all(x);
	if (x[TRY_USERNS].r == 1)
		unknown(&v[PROBE_USERNS], "no process to try it in");
	else
		judge_userns(&x[TRY_USERNS], &v[PROBE_USERNS]);
	judge_netns(&x[TRY_NETNS], &v[PROBE_USERNS], &v[PROBE_NETNS]);
	judge_tun(&x[TRY_TUN], &v[PROBE_TUN]);
	judge_kind(&x[TRY_BRIDGE], "bridge", &v[PROBE_BRIDGE]);
	judge_kind(&x[TRY_MACVTAP], "macvtap", &v[PROBE_MACVTAP]);
	/* Their devices belong to no namespace. */
	if (v[PROBE_MACVTAP].state == PROBE_YES && !may_make_macvtaps())
		no(&v[PROBE_MACVTAP], "sudo vmlan ...",
		   "macvtaps are for root of the host to make");
	judge_nft(&x[TRY_NFT], &v[PROBE_NFT]);
}

/* ---- QEMU's bridge helper ---- */

static void probe_helper(const char *path, struct finding *f)
{
	char fix[200];
	struct stat st;

	snprintf(fix, sizeof(fix), "sudo chmod u+s %s", path);
	if (stat(path, &st) < 0)
		no(f, "sudo apt install qemu-system-common", "%s: %s", path,
		   strerror(errno));
	else if (may_make_links())
		return; /* who needs it for nothing */
	else if (!userns_is_first())
		no(f, "sudo vmlan ...",
		   "in a user namespace nothing is setuid root");
	else if ((!(st.st_mode & S_ISUID) || st.st_uid != 0) &&
		 getxattr(path, "security.capability", NULL, 0) < 0)
		no(f, fix, "%s is not setuid root", path);
	else if (access(path, X_OK) < 0)
		no(f, "sudo vmlan ...", "%s: %s", path, strerror(errno));
	else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		no(f, "sudo vmlan ...",
		   "this session has no_new_privs set: nothing can be setuid");
}

/* Who leads to the internet is the likely one; "eth0" if nobody does. */
static void default_link(char *name)
{
	FILE *f = fopen("/proc/net/route", "re");
	char line[256], first[IFNAMSIZ];
	unsigned dst, mask;

	strcpy(name, "eth0");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%15s %x %*x %*x %*d %*d %*d %x", first, &dst,
			   &mask) == 3 &&
		    !dst && !mask) {
			memcpy(name, first, sizeof(first));
			break;
		}
	}
	if (f)
		fclose(f);
}

/* One that is made for a network of ours (natnet) is no place for others. */
static bool is_own(const char *name)
{
	return strncmp(name, "vm-", 3) == 0;
}

/* The first bridge that is allowed, else the first of the host's, else none. */
static int ask_bridges(const char *acl, char *name)
{
	struct if_nameindex *v = if_nameindex();
	int r = 0;

	name[0] = '\0';
	for (unsigned i = 0; v && v[i].if_index && r <= 0; i++) {
		struct rtnl_link l;
		int allowed;

		if (rtnl_link_get(NULL, (int)v[i].if_index, &l) < 0 ||
		    strcmp(l.kind, "bridge") != 0)
			continue;
		allowed = bridge_acl_ask(acl, l.name);
		if ((name[0] || is_own(l.name)) && allowed <= 0)
			continue;
		memcpy(name, l.name, sizeof(l.name));
		r = allowed;
	}
	if_freenameindex(v);
	return r;
}

/* link: what could be made one. */
static void no_place(const char *link, struct finding *f)
{
	char fix[128];

	if (link_is_wireless(link)) {
		snprintf(fix, sizeof(fix),
			 "sudo vmlan run --net bridged,if=%s -- ...", link);
		no(f, fix,
		   "this host has no bridge to plug into, and %s cannot be in "
		   "one: on Wi-Fi each station has one address",
		   link);
		return;
	}
	snprintf(fix, sizeof(fix), "sudo vmlan setup bridge %s", link);
	no(f, fix, "this host has no bridge to plug into");
}

/* acl is an absolute path. */
static void probe_acl(const char *acl, struct finding *place, struct finding *f)
{
	int folder = (int)(strrchr(acl, '/') - acl);
	char name[IFNAMSIZ], text[256];
	int r = ask_bridges(acl, name);

	if (!name[0]) {
		default_link(name);
		no_place(name, place);
		strcpy(name, "br0");
		r = bridge_acl_ask(acl, name);
	}
	if (r == -EACCES) {
		snprintf(text, sizeof(text),
			 "%s is root's to read: whether it allows %s is not "
			 "known",
			 acl, name);
		unknown(f, text);
	} else if (r <= 0) {
		snprintf(text, sizeof(text),
			 "sudo install -d %.*s && echo 'allow %s' | "
			 "sudo tee -a %s",
			 folder, acl, name, acl);
		no(f, text, "%s does not allow %s to users", acl, name);
	}
}

void probe_all(const struct probe_opts *o, struct finding *v)
{
	memset(v, 0, N_PROBES * sizeof(*v));
	probe_rundir(&v[PROBE_RUNDIR]);
	probe_nofile(&v[PROBE_NOFILE]);
	probe_ping(&v[PROBE_PING]);
	probe_root(&v[PROBE_ROOT]);
	probe_raw(&v[PROBE_RAW]);
	probe_forward(&v[PROBE_FORWARD]);
	probe_firewall(&v[PROBE_FIREWALL]);
	probe_in_child(v);
	probe_helper(o->helper, &v[PROBE_HELPER]);
	probe_acl(o->acl, &v[PROBE_PLACE], &v[PROBE_ACL]);
}
