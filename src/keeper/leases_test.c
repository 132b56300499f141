/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of leases: beside those of other networks, and not too long. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/leases.h"

struct bench {
	char dir[32];
	struct keeper_network network;
	struct keeper_config config;
	struct plan_netdev gateway;
	struct keeper k;
	struct log log;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	snprintf(b->dir, sizeof(b->dir), "/tmp/vmlan-leases.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	assert_int_equal(setenv("XDG_STATE_HOME", b->dir, 1), 0);
	b->network = (struct keeper_network){.name = "lab", .is_shared = true};
	b->log = (struct log){.fd = STDERR_FILENO,
			      .level = LOG_LEVEL_ERROR,
			      .name = "vmlan"};
	b->config = (struct keeper_config){.log = &b->log,
					   .network = &b->network};
	b->k.c = &b->config;
	b->gateway = (struct plan_netdev){.id = 1};
	b->gateway.order.head.type = ENGINE_MSG_USER_ADD;
	list_init(&b->k.plan.netdevs);
	list_add_tail(&b->k.plan.netdevs, &b->gateway.link);
	*state = b;
	return loop_new(&b->k.loop);
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	char cmd[64];

	loop_free(b->k.loop);
	events_deinit(&b->k.events);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", b->dir);
	free(b);
	return system(cmd);
}

/* That network's file; size -1: there is none. */
static struct stat look(const struct bench *b, const char *name)
{
	char path[96];
	struct stat st = {.st_size = -1};

	snprintf(path, sizeof(path), "%s/vmlan/leases/%s", b->dir, name);
	(void)!stat(path, &st);
	return st;
}

static void test_leaves_others_alone(void **state)
{
	static const char *const names[] = {"lab.new", "lab.tmp", "lab~"};
	struct bench *b = *state;
	struct leases *s;
	char path[96];

	s = leases_close(leases_open(&b->k)); /* makes the folder */
	for (size_t i = 0; i < array_len(names); i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/vmlan/leases/%s", b->dir,
			 names[i]);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	snprintf(path, sizeof(path), "%s/vmlan/leases/lab", b->dir);
	assert_int_equal(unlink(path), 0);
	s = leases_open(&b->k); /* writes it anew */
	assert_true(look(b, "lab").st_size > 0);
	for (size_t i = 0; i < array_len(names); i++)
		assert_int_equal(look(b, names[i]).st_size, 0);
	leases_close(s);
}

/* A guest that is another client each time, faster than a turn of the loop. */
static void test_stays_short(void **state)
{
	struct msg_lease m = {
		.port = 1,
		.left_s = 3600,
		.lease = {.ip = addr_v4(10, 0, 2, 15),
			  .state = DHCP_LEASE_BOUND,
			  .id_len = DHCP_CLIENT_LEN},
	};
	struct bench *b = *state;
	struct leases *s = leases_open(&b->k);
	const struct kept_lease *l;

	memset(m.lease.name, 'n', sizeof(m.lease.name) - 1);
	for (unsigned i = 0; i < 40000; i++) {
		memcpy(m.lease.id, &i, sizeof(i));
		leases_take(s, &m);
	}
	leases_close(s);
	assert_true(look(b, "lab").st_size < 8 << 20);
	s = leases_open(&b->k);
	l = leases_at(s, &m.lease.ip);
	assert_non_null(l);
	assert_true(lease_is_live(l));
	assert_memory_equal(l->lease.id, m.lease.id, DHCP_CLIENT_LEN);
	leases_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_leaves_others_alone,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stays_short, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
