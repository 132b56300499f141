/* SPDX-License-Identifier: BSD-3-Clause */
/* The ports of a VDE server and what its console answers about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "keeper/vde.h"

/* A server that serves nobody. */
struct world {
	struct keeper_config config;
	struct keeper keeper;
	struct plan_netdev netdev;
	struct vde_server server;
	struct vde_plug plug;
	enum vde_console_end end;
};

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->keeper.c = &w->config;
	assert_int_equal(loop_new(&w->keeper.loop), 0);
	snprintf(w->netdev.name, sizeof(w->netdev.name), "sw");
	w->server = (struct vde_server){
		.keeper = &w->keeper,
		.netdev = &w->netdev,
		.dir = "/tmp/sw",
		.mode = 0600,
	};
	list_init(&w->server.plugs);
	list_init(&w->server.ports.all);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	vde_ports_clear(&w->server.ports);
	loop_free(w->keeper.loop);
	free(w);
	return 0;
}

/* What comes of a line; the caller frees it. */
static char *said(struct world *w, const char *text)
{
	char line[VDE_LINE_MAX];
	char *out = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);

	assert_non_null(f);
	snprintf(line, sizeof(line), "%s", text);
	w->end = vde_console_line(&w->server, line, f);
	assert_int_equal(fclose(f), 0);
	return out;
}

static void says(struct world *w, const char *text, const char *answer)
{
	char *out = said(w, text);

	assert_string_equal(out, answer);
	free(out);
}

static void holds(struct world *w, const char *text, const char *part)
{
	char *out = said(w, text);

	assert_non_null(strstr(out, part));
	free(out);
}

#define DATA(text) "0000 DATA END WITH '.'\n" text ".\n1000 Success\n"

/* Plugs the world's one plug into a port. */
static void plug_into(struct world *w, struct vde_port *p)
{
	w->plug = (struct vde_plug){.server = &w->server, .serial = 12,
				    .port = p, .uid = 12345678};
	snprintf(w->plug.about, sizeof(w->plug.about), "QEMU pid=5");
	p->plug = &w->plug;
	list_add_tail(&w->server.plugs, &w->plug.link);
}

static void the_lowest_free_port_is_taken(void **state)
{
	struct world *w = *state;
	struct vde_ports *v = &w->server.ports;
	struct vde_port *p[3];

	for (unsigned i = 0; i < 3; i++) {
		p[i] = vde_port_any(v);
		assert_int_equal(p[i]->number, i + 1);
		p[i]->plug = &w->plug;
	}
	vde_port_del(p[1]);
	assert_int_equal(vde_port_any(v)->number, 2);
	vde_port_find(v, 2)->is_reserved = true;
	assert_int_equal(vde_port_any(v)->number, 4);
	assert_int_equal(vde_port_get(v, 0)->number, 0);
	assert_int_equal(vde_port_any(v)->number, 4);
	assert_int_equal(vde_port_get(v, 65535)->number, 65535);
	assert_null(vde_port_get(v, 65536));
	p[0]->plug = p[2]->plug = NULL;
	assert_int_equal(vde_port_any(v)->number, 1);
}

static void ports_have_users(void **state)
{
	struct world *w = *state;
	struct vde_port *p = vde_port_get(&w->server.ports, 3);
	const gid_t groups[] = {7, 50};

	assert_true(vde_port_may(p, 1000, groups, 2));
	p->user = 1000;
	assert_true(vde_port_may(p, 1000, groups, 2));
	assert_false(vde_port_may(p, 1001, groups, 2));
	assert_true(vde_port_may(p, 0, groups, 2));
	p->group = 50;
	assert_true(vde_port_may(p, 1001, groups, 2));
	assert_false(vde_port_may(p, 1001, groups, 1));
	p->user = (uid_t)-1;
	assert_false(vde_port_may(p, 1000, groups, 1));
	assert_false(vde_port_may(p, 1000, groups, 0));
}

static void answers_have_the_switchs_form(void **state)
{
	struct world *w = *state;

	says(w, "", "");
	says(w, "  # a comment", "");
	says(w, "bogus", "1038 Function not implemented\n");
	says(w, "port", "1038 Function not implemented\n");
	says(w, "vlan/print", "1038 Function not implemented\n");
	says(w, "ds/showinfo \r", DATA("ctl dir /tmp/sw\nstd mode 0600\n"));
	says(w, "port/showinfo",
	     DATA("Numports=65535\nHUB=false\ncounters=false\n"));
	w->server.max = 5;
	says(w, "port/showinfo",
	     DATA("Numports=5\nHUB=false\ncounters=false\n"));
	says(w, "port/print", DATA(""));
	says(w, "hash/print", DATA(""));
	holds(w, "version", "\nVDE switch V.");
	holds(w, "version", ".\n1000 Success\n");
	holds(w, "help", "\nport/print         [N]             print ");
	says(w, "help ds",
	     DATA("COMMAND PATH       SYNTAX          HELP\n"
		  "------------       --------------  ------------\n"
		  "ds                 ============    DATA SOCKET MENU\n"
		  "ds/showinfo                        show ds info\n"));
	assert_int_equal(w->end, VDE_STAYS);
}

static void ports_are_printed(void **state)
{
	struct world *w = *state;

	plug_into(w, vde_port_get(&w->server.ports, 3));
	says(w, "port/print",
	     DATA("Port 0003 untagged_vlan=0000 ACTIVE - Unnamed "
		  "Allocatable\n"
		  " Current User: 12345678 Access Control: (User: NONE - "
		  "Group: NONE)\n"
		  "  -- endpoint ID 0012 module unix prog   : QEMU pid=5\n"));
	says(w, "port/print 4",
	     "0000 DATA END WITH '.'\n.\n1006 No such device or address\n");
	says(w, "port/create 4", "1000 Success\n");
	says(w, "port/allprint 4",
	     DATA("Port 0004 untagged_vlan=0000 INACTIVE - NOT Unnamed "
		  "Allocatable\n"
		  " Current User: NONE Access Control: (User: NONE - Group: "
		  "NONE)\n"));
	holds(w, "port/print 4", "\n1006 No such device or address\n");
	holds(w, "port/print x", "\n1022 Invalid argument\n");
	says(w, "hash/print", DATA(""));
	w->plug.heard_mac = (mac){{0x52, 0x54, 0, 1, 2, 3}};
	w->plug.heard_ns = *loop_now(w->keeper.loop);
	says(w, "hash/print",
	     DATA("Hash: 0000 Addr: 52:54:00:01:02:03 VLAN 0000 to port: 003"
		  "  age 0 secs\n"));
}

static void ports_are_changed(void **state)
{
	struct world *w = *state;
	struct vde_ports *v = &w->server.ports;
	struct vde_port *p;

	says(w, "port/createauto", DATA("Port 0001\n"));
	says(w, "port/create 1", "1017 File exists\n");
	says(w, "port/create 65536", "1022 Invalid argument\n");
	says(w, "port/create 5 6", "1022 Invalid argument\n");
	p = vde_port_find(v, 1);
	assert_true(p->is_reserved && p->is_kept);
	says(w, "port/allocatable 1 1", "1000 Success\n");
	assert_false(p->is_reserved);
	says(w, "port/allocatable 1", "1022 Invalid argument\n");
	says(w, "port/setuser 1 root", "1000 Success\n");
	assert_int_equal(p->user, 0);
	says(w, "port/setuser 1 1234", "1000 Success\n");
	assert_int_equal(p->user, 1234);
	says(w, "port/setuser 1 no-such-user", "1022 Invalid argument\n");
	says(w, "port/setuser 1", "1022 Invalid argument\n");
	assert_int_equal(p->user, 1234);
	says(w, "port/setuser 1 NONE", "1000 Success\n");
	assert_int_equal(p->user, (uid_t)-1);
	says(w, "port/setgroup 1 77", "1000 Success\n");
	assert_int_equal(p->group, 77);
	says(w, "port/setgroup 1 ANY", "1000 Success\n");
	assert_int_equal(p->group, (gid_t)-1);
	says(w, "port/setgroup 9 77", "1006 No such device or address\n");
	plug_into(w, p);
	says(w, "port/remove 1", "1098 Address already in use\n");
	says(w, "port/epclose 1 11", "1006 No such device or address\n");
	p->plug = NULL;
	says(w, "port/remove 1", "1000 Success\n");
	assert_null(vde_port_find(v, 1));
	says(w, "port/remove 1", "1006 No such device or address\n");
}

static void it_ends(void **state)
{
	struct world *w = *state;
	struct keeper_network network = {.name = "n"};

	says(w, "logout", "");
	assert_int_equal(w->end, VDE_LOGOUT);
	says(w, "shutdown", "");
	assert_int_equal(w->end, VDE_SHUTDOWN);
	w->config.network = &network;
	says(w, "shutdown", "1001 Operation not permitted\n");
	assert_int_equal(w->end, VDE_STAYS);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest t[] = {
		TEST(the_lowest_free_port_is_taken),
		TEST(ports_have_users),
		TEST(answers_have_the_switchs_form),
		TEST(ports_are_printed),
		TEST(ports_are_changed),
		TEST(it_ends),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
