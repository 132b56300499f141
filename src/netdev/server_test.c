/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of the stream server: many machines, names, max, shortage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "netdev/netdev.h"
#include "netdev/rig.h"

enum { CLIENTS = 300 };

struct bench {
	struct rig rig;
	struct mem_port *sink;
	struct netdev_server *server;
	struct sockaddr_un addr;
	socklen_t addr_len;
	int client[CLIENTS]; /* owned, -1 */
	unsigned n_here;     /* machines, by the upcalls */
	struct port *last;   /* the last that came */
	char gone[PORT_NAME_LEN]; /* the last that went */
};

static void machine(void *arg, struct port *p, bool is_here)
{
	struct bench *b = arg;

	if (is_here) {
		assert_true(port_is_up(p));
		b->n_here++;
		b->last = p;
	} else {
		assert_false(p->carrier);
		b->n_here--;
		strcpy(b->gone, p->name);
	}
}

static struct bench *bench_open(unsigned max)
{
	struct bench *b = calloc(1, sizeof(*b));
	int l = socket(AF_UNIX, SOCK_STREAM, 0);

	rig_init(&b->rig);
	b->rig.env.machine = machine;
	b->rig.env.arg = b;
	for (unsigned i = 0; i < CLIENTS; i++)
		b->client[i] = -1;
	b->addr.sun_family = AF_UNIX;
	b->addr_len = sizeof(b->addr);
	assert_int_equal(bind(l, (struct sockaddr *)&b->addr,
			      sizeof(sa_family_t)),
			 0);
	assert_int_equal(
		getsockname(l, (struct sockaddr *)&b->addr, &b->addr_len), 0);
	assert_int_equal(listen(l, CLIENTS), 0);
	b->sink = mem_port_new(&b->rig, b->rig.lan, "sink", 4096);
	assert_int_equal(
		netdev_server_new(&b->rig.env,
				  &(struct netdev_server_config){.name = "vm",
								 .id = 3,
								 .fd = l,
								 .max = max},
				  &b->server),
		0);
	return b;
}

static void bench_close(struct bench *b)
{
	b->server = netdev_server_free(b->server);
	assert_null(b->server);
	for (unsigned i = 0; i < CLIENTS; i++)
		fd_close(&b->client[i]);
	rig_remove(&b->sink->port);
	rig_deinit(&b->rig);
	free(b);
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < 12; i++)
		rig_turn(&b->rig, 0);
}

static void join(struct bench *b, unsigned i)
{
	b->client[i] = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(b->client[i] >= 0);
	assert_int_equal(connect(b->client[i], (struct sockaddr *)&b->addr,
				 b->addr_len),
			 0);
	turns(b);
}

static void leave(struct bench *b, unsigned i)
{
	fd_close(&b->client[i]);
	turns(b);
}

static void say(struct bench *b, unsigned i)
{
	uint8_t s[64] = {0, 0, 0, 60, 2, 2, 2, 2, 2, 2, 2, (uint8_t)i};

	assert_int_equal(send(b->client[i], s, sizeof(s), MSG_NOSIGNAL),
			 sizeof(s));
}

static void heard(struct bench *b, unsigned n)
{
	uint8_t buf[64];

	turns(b);
	assert_int_equal(b->sink->n, n);
	while (n--)
		assert_int_equal(mem_port_pop(b->sink, buf, sizeof(buf)), 60);
}

/* The first has the bare name, the others the lowest number that is free. */
static void test_names(void **state)
{
	struct bench *b = bench_open(0);

	(void)state;
	join(b, 0);
	assert_string_equal(b->last->name, "vm");
	assert_string_equal(b->last->ops->kind, "stream");
	assert_int_equal(b->last->id, 3);
	join(b, 1);
	assert_string_equal(b->last->name, "vm.1");
	join(b, 2);
	assert_string_equal(b->last->name, "vm.2");
	leave(b, 1);
	assert_string_equal(b->gone, "vm.1");
	join(b, 3);
	assert_string_equal(b->last->name, "vm.1");
	leave(b, 0);
	assert_string_equal(b->gone, "vm");
	join(b, 0); /* the one that went away and came back */
	assert_string_equal(b->last->name, "vm");
	join(b, 4);
	assert_string_equal(b->last->name, "vm.3");
	assert_int_equal(b->n_here, 4);
	bench_close(b);
}

static void test_max(void **state)
{
	struct bench *b = bench_open(1);

	(void)state;
	join(b, 0);
	join(b, 1);
	join(b, 2);
	assert_int_equal(b->n_here, 1);
	say(b, 0);
	say(b, 1); /* waits in the backlog */
	heard(b, 1);
	leave(b, 0);
	assert_int_equal(b->n_here, 1);
	assert_string_equal(b->last->name, "vm");
	heard(b, 1); /* what it had said while it waited */
	leave(b, 1);
	say(b, 2);
	heard(b, 1);
	leave(b, 2);
	assert_int_equal(b->n_here, 0);
	join(b, 3);
	assert_int_equal(b->n_here, 1);
	bench_close(b);
}

static void test_many(void **state)
{
	struct bench *b = bench_open(0);

	(void)state;
	for (unsigned i = 0; i < CLIENTS; i++) {
		b->client[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(connect(b->client[i],
					 (struct sockaddr *)&b->addr,
					 b->addr_len),
				 0);
	}
	turns(b);
	assert_int_equal(b->n_here, CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i += 2)
		fd_close(&b->client[i]);
	turns(b);
	assert_int_equal(b->n_here, CLIENTS / 2);
	bench_close(b);
}

/* Out of descriptors: nobody is lost, the server tries again. */
static void test_no_descriptors(void **state)
{
	struct bench *b = bench_open(0);
	struct rlimit old, tight;
	int extra = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)extra + 1;
	assert_int_equal(connect(extra, (struct sockaddr *)&b->addr,
				 b->addr_len),
			 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	turns(b);
	assert_int_equal(b->n_here, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (unsigned i = 0; i < 1000 && !b->n_here; i++)
		rig_turn(&b->rig, 10); /* until its timer */
	assert_int_equal(b->n_here, 1);
	close(extra);
	turns(b);
	assert_int_equal(b->n_here, 0);
	bench_close(b);
}

/* Control takes a machine off: the server notices, the next is served. */
static void test_removed_by_control(void **state)
{
	struct bench *b = bench_open(1);

	(void)state;
	join(b, 0);
	join(b, 1);
	rig_remove(b->last);
	b->n_here--;
	turns(b);
	assert_int_equal(b->n_here, 1);
	say(b, 1);
	heard(b, 1);
	bench_close(b);
}

/* A machine that lies costs itself only. */
static void test_liar(void **state)
{
	struct bench *b = bench_open(0);
	const uint8_t lie[4] = {0xff, 0, 0, 0};

	(void)state;
	join(b, 0);
	join(b, 1);
	assert_int_equal(send(b->client[0], lie, 4, MSG_NOSIGNAL), 4);
	turns(b);
	assert_int_equal(b->rig.n_faults, 1);
	assert_int_equal(b->n_here, 1);
	assert_string_equal(b->gone, "vm");
	say(b, 1);
	heard(b, 1);
	bench_close(b);
}

/* The server goes while its machines are talking. */
static void test_freed_under_load(void **state)
{
	struct bench *b = bench_open(0);

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		join(b, i);
	for (unsigned k = 0; k < 100; k++)
		for (unsigned i = 0; i < 20; i++)
			say(b, i);
	rig_turn(&b->rig, 0);
	for (unsigned i = 0; i < 20; i += 2)
		fd_close(&b->client[i]);
	rig_turn(&b->rig, 0);
	bench_close(b);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_max),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_no_descriptors),
		cmocka_unit_test(test_removed_by_control),
		cmocka_unit_test(test_liar),
		cmocka_unit_test(test_freed_under_load),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
