/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of a VDE server's console, and its answers, which programs
 * read: data between "0000 DATA END WITH '.'" and ".", then "1000 Success" or
 * 1 and an errno.  vlan/, fstp/ and what tunes vde_switch itself are not here
 * and are answered as it answers what it does not know.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/vde.h"

#define SECOND_NS UINT64_C(1000000000)

/* One command under way. */
struct call {
	struct vde_server *server;
	const char *args; /* behind the command, no blanks in front */
	FILE *out;
	enum vde_console_end end;
};

struct command {
	const char *name, *syntax, *help;
	int (*fn)(struct call *c); /* 0, or an errno; NULL: the title of
				    * a menu */
	bool has_data; /* the answer is more than a code */
};

static int do_help(struct call *c);

/* ---- arguments ---- */

/* A number at *atp, which moves behind it and its blanks; false: none. */
static bool take_number(const char **atp, uint32_t *vp)
{
	const char *p = *atp;
	uint32_t v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (v > VDE_PORT_MAX * 16u)
			return false;
		v = v * 10 + (uint32_t)(*p - '0');
	}
	if (*p && *p != ' ' && *p != '\t')
		return false;
	*atp = p + strspn(p, " \t");
	*vp = v;
	return true;
}

/* The port of the first argument, which must be known; 0 or an errno. */
static int take_port(struct call *c, struct vde_port **pp)
{
	uint32_t number;

	if (!take_number(&c->args, &number) || number > VDE_PORT_MAX)
		return EINVAL;
	*pp = vde_port_find(&c->server->ports, number);
	return *pp ? 0 : ENXIO;
}

static bool is_nobody(const char *name)
{
	return !strcmp(name, "NONE") || !strcmp(name, "ANY");
}

/* ---- what there is ---- */

static const char *user_name(uid_t uid, char buf[32])
{
	const struct passwd *pw = uid == (uid_t)-1 ? NULL : getpwuid(uid);

	if (uid == (uid_t)-1)
		return "NONE";
	if (pw)
		snprintf(buf, 32, "%s", pw->pw_name);
	else
		snprintf(buf, 32, "%u", (unsigned)uid);
	return buf;
}

static const char *group_name(gid_t gid, char buf[32])
{
	const struct group *gr = gid == (gid_t)-1 ? NULL : getgrgid(gid);

	if (gid == (gid_t)-1)
		return "NONE";
	if (gr)
		snprintf(buf, 32, "%s", gr->gr_name);
	else
		snprintf(buf, 32, "%u", (unsigned)gid);
	return buf;
}

static void print_port(FILE *out, const struct vde_port *p)
{
	char now[32], user[32], group[32];

	fprintf(out,
		"Port %04u untagged_vlan=0000 %sACTIVE - %sUnnamed "
		"Allocatable\n"
		" Current User: %s Access Control: (User: %s - Group: %s)\n",
		p->number, p->plug ? "" : "IN", p->is_reserved ? "NOT " : "",
		user_name(p->plug ? p->plug->uid : (uid_t)-1, now),
		user_name(p->user, user), group_name(p->group, group));
	if (p->plug)
		fprintf(out, "  -- endpoint ID %04u module unix prog   : %s\n",
			p->plug->serial,
			p->plug->about[0] ? p->plug->about
					  : "no endpoint description");
}

static int print_ports(struct call *c, bool with_free)
{
	struct vde_port *p;

	if (*c->args) {
		int r = take_port(c, &p);

		if (r || (!p->plug && !with_free))
			return r ? r : ENXIO;
		print_port(c->out, p);
		return 0;
	}
	list_each(it, &c->server->ports.all) {
		p = container_of(it, struct vde_port, link);
		if (p->plug || with_free)
			print_port(c->out, p);
	}
	return 0;
}

static int do_print(struct call *c)
{
	return print_ports(c, false);
}

static int do_print_all(struct call *c)
{
	return print_ports(c, true);
}

static int do_hash(struct call *c)
{
	uint64_t now = *loop_now(c->server->keeper->loop);

	list_each(it, &c->server->plugs) {
		const struct vde_plug *p =
			container_of(it, struct vde_plug, link);
		char text[MAC_STRLEN];

		if (mac_is_zero(p->heard_mac))
			continue;
		fprintf(c->out,
			"Hash: %04u Addr: %s VLAN 0000 to port: %03u  age "
			"%u secs\n",
			p->index, mac_format(p->heard_mac, text),
			p->port->number,
			(unsigned)((now - p->heard_ns) / SECOND_NS));
	}
	return 0;
}

static int do_showinfo(struct call *c)
{
	const struct vde_server *s = c->server;

	vde_console_greet(c->out);
	fprintf(c->out, "pid %d netdev %s plugs %u\n", (int)getpid(),
		s->netdev->name, s->n_plugs);
	if (s->mgmt && vde_mgmt_path(s->mgmt))
		fprintf(c->out, "mgmt %s perm 0600\n",
			vde_mgmt_path(s->mgmt));
	return 0;
}

static int do_ds_showinfo(struct call *c)
{
	fprintf(c->out, "ctl dir %s\nstd mode 0%03o\n", c->server->dir,
		(unsigned)c->server->mode);
	return 0;
}

static int do_port_showinfo(struct call *c)
{
	fprintf(c->out, "Numports=%u\nHUB=false\ncounters=false\n",
		c->server->max ? c->server->max : (unsigned)VDE_PORT_MAX);
	return 0;
}

static int do_version(struct call *c)
{
	vde_console_greet(c->out);
	return 0;
}

/* ---- what changes it ---- */

static int do_create(struct call *c)
{
	uint32_t number;
	struct vde_port *p;

	if (!take_number(&c->args, &number) || *c->args ||
	    number > VDE_PORT_MAX)
		return EINVAL;
	if (vde_port_find(&c->server->ports, number))
		return EEXIST;
	p = vde_port_get(&c->server->ports, number);
	if (!p)
		return ENOMEM;
	p->is_kept = p->is_reserved = true;
	return 0;
}

static int do_create_any(struct call *c)
{
	struct vde_port *p = vde_port_any(&c->server->ports);

	if (!p)
		return ENOSPC;
	p->is_kept = p->is_reserved = true;
	fprintf(c->out, "Port %04u\n", p->number);
	return 0;
}

static int do_remove(struct call *c)
{
	struct vde_port *p;
	int r = take_port(c, &p);

	if (r == 0 && p->plug)
		r = EADDRINUSE;
	if (r == 0)
		vde_port_del(p);
	return r;
}

static int do_allocatable(struct call *c)
{
	struct vde_port *p;
	uint32_t v;
	int r = take_port(c, &p);

	if (r)
		return r;
	if (!take_number(&c->args, &v) || *c->args)
		return EINVAL;
	p->is_kept = true;
	p->is_reserved = !v;
	return 0;
}

static int do_setuser(struct call *c)
{
	const struct passwd *pw;
	struct vde_port *p;
	uint32_t id;
	int r = take_port(c, &p);

	if (r)
		return r;
	pw = *c->args ? getpwnam(c->args) : NULL;
	if (pw)
		p->user = pw->pw_uid;
	else if (is_nobody(c->args))
		p->user = (uid_t)-1;
	else if (take_number(&c->args, &id) && !*c->args)
		p->user = id;
	else
		return EINVAL;
	p->is_kept = true;
	return 0;
}

static int do_setgroup(struct call *c)
{
	const struct group *gr;
	struct vde_port *p;
	uint32_t id;
	int r = take_port(c, &p);

	if (r)
		return r;
	gr = *c->args ? getgrnam(c->args) : NULL;
	if (gr)
		p->group = gr->gr_gid;
	else if (is_nobody(c->args))
		p->group = (gid_t)-1;
	else if (take_number(&c->args, &id) && !*c->args)
		p->group = id;
	else
		return EINVAL;
	p->is_kept = true;
	return 0;
}

static int do_epclose(struct call *c)
{
	struct vde_port *p;
	uint32_t id;
	int r = take_port(c, &p);

	if (r)
		return r;
	if (!take_number(&c->args, &id) || *c->args)
		return EINVAL;
	if (!p->plug || p->plug->serial != id)
		return ENXIO;
	vde_plug_del(p->plug);
	return 0;
}

static int do_logout(struct call *c)
{
	c->end = VDE_LOGOUT;
	return 0;
}

/* A network's end is `vmlan down`, with its machines' knowledge. */
static int do_shutdown(struct call *c)
{
	if (c->server->keeper->c->network)
		return EPERM;
	c->end = VDE_SHUTDOWN;
	return 0;
}

/* ---- the table ---- */

#define MENU "============"

static const struct command commands[] = {
	{"help", "[arg]", "Help (limited to arg when specified)", do_help,
	 true},
	{"version", "", "who this is", do_version, true},
	{"logout", "", "logout from this mgmt terminal", do_logout, false},
	{"shutdown", "", "end of vmlan join", do_shutdown, false},
	{"showinfo", "", "show version and info", do_showinfo, true},
	{"ds", MENU, "DATA SOCKET MENU", NULL, false},
	{"ds/showinfo", "", "show ds info", do_ds_showinfo, true},
	{"hash", MENU, "HASH TABLE MENU", NULL, false},
	{"hash/print", "", "print the last MAC address of each plug", do_hash,
	 true},
	{"port", MENU, "PORT STATUS MENU", NULL, false},
	{"port/showinfo", "", "show port info", do_port_showinfo, true},
	{"port/createauto", "", "create a port that is free (not allocatable)",
	 do_create_any, true},
	{"port/create", "N", "create the port N (not allocatable)", do_create,
	 false},
	{"port/remove", "N", "forget the port N", do_remove, false},
	{"port/allocatable", "N 0/1",
	 "Is the port allocatable as unnamed? 1=Y 0=N", do_allocatable, false},
	{"port/setuser", "N user", "access control: set user", do_setuser,
	 false},
	{"port/setgroup", "N group", "access control: set group", do_setgroup,
	 false},
	{"port/epclose", "N ID", "unplug the endpoint port N/id ID",
	 do_epclose, false},
	{"port/print", "[N]", "print the port/endpoint table", do_print, true},
	{"port/allprint", "[N]", "the same, including free ports", do_print_all,
	 true},
};

static int do_help(struct call *c)
{
	static const char line[] = "%-18s %-15s %s\n";
	size_t n = strlen(c->args);

	fprintf(c->out, line, "COMMAND PATH", "SYNTAX", "HELP");
	fprintf(c->out, line, "------------", "--------------",
		"------------");
	for (size_t i = 0; i < array_len(commands); i++) {
		const struct command *m = &commands[i];

		if (strncmp(m->name, c->args, n) == 0)
			fprintf(c->out, line, m->name, m->syntax, m->help);
	}
	return 0;
}

static const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < array_len(commands); i++) {
		if (commands[i].fn && strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

void vde_console_greet(FILE *out)
{
	fprintf(out, "VDE switch V.vmlan %s\n", VMLAN_VERSION);
}

enum vde_console_end vde_console_line(struct vde_server *s, char *line,
				      FILE *out)
{
	struct call c = {.server = s, .out = out, .end = VDE_STAYS};
	size_t n = strlen(line);
	const struct command *m;
	char *name, *end;
	int r;

	while (n && strchr(" \t\r", line[n - 1]))
		line[--n] = '\0';
	name = line + strspn(line, " \t");
	end = name + strcspn(name, " \t");
	if (!*name || *name == '#')
		return VDE_STAYS;
	c.args = end + strspn(end, " \t");
	*end = '\0';
	m = command_find(name);
	if (m && m->has_data)
		fputs("0000 DATA END WITH '.'\n", out);
	r = m ? m->fn(&c) : ENOSYS;
	if (m && m->has_data)
		fputs(".\n", out);
	if (c.end == VDE_STAYS && r == 0)
		fputs("1000 Success\n", out);
	else if (c.end == VDE_STAYS)
		fprintf(out, "1%03d %s\n", r, strerror(r));
	return c.end;
}
