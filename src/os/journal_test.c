/* SPDX-License-Identifier: BSD-3-Clause */
/* The journal's file: what is written is read, what is torn is not. */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "os/journal.h"
#include "os/test_user.h"

/* A folder of one test; its descriptor. */
static int set_up(void **state)
{
	static char dir[sizeof("/tmp/vmlan-journal-XXXXXX")];

	strcpy(dir, "/tmp/vmlan-journal-XXXXXX");
	*state = dir;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/journal", (char *)*state);
	if (unlink(path) < 0 && errno != ENOENT)
		return -1;
	return rmdir(*state);
}

static int dir_of(void **state)
{
	int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static const struct undo link_add = {
	.type = UNDO_LINK_ADD,
	.link = {.index = 0x123456, .kind = "bridge"},
};

static struct undo route_del(void)
{
	struct undo u = {.type = UNDO_ROUTE_DEL};
	const struct rtmsg m = {.rtm_family = AF_INET, .rtm_table = 254};
	const struct rtattr a = {.rta_len = 8, .rta_type = RTA_OIF};

	memcpy(u.route.raw, &m, sizeof(m));
	memcpy(u.route.raw + sizeof(m), &a, sizeof(a));
	u.route.raw[sizeof(m) + sizeof(a)] = 3;
	u.route.len = sizeof(m) + 8;
	return u;
}

static size_t encoded(const struct undo *u, uint8_t *buf)
{
	struct wr w = wr_init(buf, UNDO_RECORD_MAX);

	undo_encode(u, &w);
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

/* One of each type. */
static unsigned all_types(struct undo *v)
{
	unsigned n = 0;

	v[n++] = link_add;
	v[n++] = (struct undo){.type = UNDO_LINK_MASTER,
			       .master = {.index = 2, .was = 3, .is = 1 << 20}};
	v[n++] = (struct undo){.type = UNDO_LINK_UP,
			       .up = {.index = 7, .was = true, .is = false}};
	v[n] = (struct undo){
		.type = UNDO_ADDR_ADD,
		.addr = {.index = 2,
			 .family = AF_INET,
			 .prefix_len = 24,
			 .scope = RT_SCOPE_LINK,
			 .flags = 0x80,
			 .local = addr_v4(192, 0, 2, 2),
			 .peer = addr_v4(192, 0, 2, 3),
			 .broadcast = addr_v4(192, 0, 2, 255),
			 .label = "eth0:1",
			 .metric = 100,
			 .proto = 3,
			 .valid_s = 1000,
			 .preferred_s = 500},
	};
	v[n + 1] = v[n];
	v[n + 1].type = UNDO_ADDR_DEL;
	n += 2;
	v[n++] = route_del();
	v[n] = route_del();
	v[n++].type = UNDO_ROUTE_ADD;
	v[n++] = (struct undo){.type = UNDO_NFT_TABLE,
			       .table = {"inet", "vmlan-lab"}};
	v[n++] = (struct undo){.type = UNDO_SYSCTL,
			       .sysctl = {"net/ipv4/ip_forward", "0", "1"}};
	v[n++] = (struct undo){.type = UNDO_KEEP};
	return n;
}

static void records_are_read_as_written(void **state)
{
	struct undo v[16], back;
	uint8_t buf[UNDO_RECORD_MAX], again[UNDO_RECORD_MAX];
	unsigned n = all_types(v);

	(void)state;
	assert_int_equal(n, UNDO_KEEP);
	for (unsigned i = 0; i < n; i++) {
		size_t len = encoded(&v[i], buf);
		struct rd r = rd_init(buf, len);

		assert_true(undo_decode(&r, &back));
		assert_int_equal(back.type, v[i].type);
		assert_int_equal(encoded(&back, again), len);
		assert_memory_equal(buf, again, len);
		/* No part of it is one, and nothing follows it. */
		for (size_t k = 0; k < len; k++) {
			r = rd_init(buf, k);
			assert_false(undo_decode(&r, &back));
		}
		buf[len] = 0;
		r = rd_init(buf, len + 1);
		assert_false(undo_decode(&r, &back));
	}
}

static void the_longest_fits(void **state)
{
	struct undo u = {.type = UNDO_SYSCTL};
	uint8_t buf[UNDO_RECORD_MAX];

	(void)state;
	memset(u.sysctl.name, 'n', sizeof(u.sysctl.name) - 1);
	memset(u.sysctl.was, 'w', sizeof(u.sysctl.was) - 1);
	memset(u.sysctl.is, 'i', sizeof(u.sysctl.is) - 1);
	assert_true(encoded(&u, buf) <= UNDO_RECORD_MAX);
	u = route_del();
	u.route.len = RTNL_ROUTE_MAX;
	assert_true(encoded(&u, buf) <= UNDO_RECORD_MAX);
}

static bool decodes(const struct undo *u)
{
	uint8_t buf[UNDO_RECORD_MAX];
	struct rd r = rd_init(buf, encoded(u, buf));
	struct undo back;

	return undo_decode(&r, &back);
}

static void what_cannot_be_is_refused(void **state)
{
	struct undo u = {.type = UNDO_SYSCTL,
			 .sysctl = {"net/ipv4/../../kernel/x", "0", "1"}};
	struct rtattr a = {.rta_len = 8, .rta_type = RTA_OIF};

	(void)state;
	assert_false(decodes(&u));
	strcpy(u.sysctl.name, "kernel/core_pattern");
	assert_false(decodes(&u));
	strcpy(u.sysctl.name, "net/ipv4/ip_forward");
	assert_true(decodes(&u));
	u = (struct undo){.type = UNDO_NFT_TABLE, .table = {"inet", "a\"b"}};
	assert_false(decodes(&u));
	u.table.name[0] = '\0';
	assert_false(decodes(&u));
	u = (struct undo){.type = UNDO_ADDR_ADD, .addr = {.family = 7}};
	assert_false(decodes(&u));
	/* Attributes that reach out of their route. */
	u = route_del();
	assert_true(decodes(&u));
	a.rta_len = 12;
	memcpy(u.route.raw + sizeof(struct rtmsg), &a, sizeof(a));
	assert_false(decodes(&u));
	a.rta_len = 3;
	memcpy(u.route.raw + sizeof(struct rtmsg), &a, sizeof(a));
	assert_false(decodes(&u));
	a = (struct rtattr){.rta_len = 6, .rta_type = RTA_OIF};
	memcpy(u.route.raw + sizeof(struct rtmsg), &a, sizeof(a));
	assert_false(decodes(&u));
	a = (struct rtattr){.rta_len = 8, .rta_type = RTA_MULTIPATH};
	memcpy(u.route.raw + sizeof(struct rtmsg), &a, sizeof(a));
	assert_false(decodes(&u));
	u.route.len = sizeof(struct rtmsg) - 1;
	assert_false(decodes(&u));
}

static void open_ok(int dir, struct journal *j)
{
	struct error e = ERROR_NULL;

	if (journal_open(dir, j, &e) < 0)
		fail_msg("%s", e.text);
}

static void add_ok(struct journal *j, const struct undo *u)
{
	struct error e = ERROR_NULL;

	if (journal_add(j, u, &e) < 0)
		fail_msg("%s", e.text);
}

static size_t file_bytes(int dir, uint8_t *buf, size_t room)
{
	int fd = openat(dir, "journal", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, room);

	assert_true(n >= 0);
	close(fd);
	return (size_t)n;
}

static void write_file(int dir, const uint8_t *p, size_t len)
{
	int fd = openat(dir, "journal",
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, p, len), len);
	close(fd);
}

static void a_journal_is_continued(void **state)
{
	struct undo v[16], u;
	uint8_t buf[8192];
	uint32_t last, len;
	struct journal j;
	unsigned n = all_types(v);
	int dir = dir_of(state);
	bool kept;
	size_t size;

	for (unsigned i = 0; i < n; i++) {
		open_ok(dir, &j);
		add_ok(&j, &v[i]);
		len = j.len;
		journal_close(&j);
		size = file_bytes(dir, buf, sizeof(buf));
		assert_int_equal(size, len);
		assert_int_equal(journal_scan(buf, size, &last, &kept), len);
		assert_int_equal(kept, v[i].type == UNDO_KEEP);
		assert_true(journal_read(buf, size, last, &u));
		assert_int_equal(u.type, v[i].type);
	}
	close(dir);
}

/* Killed while it wrote the last record, at any byte. */
static void a_torn_record_is_none(void **state)
{
	uint8_t buf[4096], later[4096];
	struct undo route = route_del(), u;
	uint32_t last, whole;
	struct journal j;
	int dir = dir_of(state);
	size_t size;
	bool kept;

	open_ok(dir, &j);
	add_ok(&j, &link_add);
	whole = j.len;
	add_ok(&j, &route);
	journal_close(&j);
	size = file_bytes(dir, buf, sizeof(buf));
	for (size_t cut = 0; cut < size; cut++) {
		uint32_t want = cut >= whole              ? whole
				: cut >= JOURNAL_HEAD_LEN ? JOURNAL_HEAD_LEN
							  : 0;

		assert_int_equal(journal_scan(buf, cut, &last, &kept), want);
		write_file(dir, buf, cut);
		open_ok(dir, &j);
		assert_int_equal(j.len, want ? want : JOURNAL_HEAD_LEN);
		/* The next one begins where the torn one did. */
		add_ok(&j, &link_add);
		journal_close(&j);
		assert_int_equal(
			journal_scan(later,
				     file_bytes(dir, later, sizeof(later)),
				     &last, &kept),
			(want ? want : JOURNAL_HEAD_LEN) + whole -
				JOURNAL_HEAD_LEN);
		assert_true(journal_read(later, sizeof(later), last, &u));
	}
	close(dir);
}

/* More than one record is gone: what is left is no whole story. */
static void a_damaged_journal_is_not_undone(void **state)
{
	uint8_t buf[8192];
	struct error e = ERROR_NULL;
	struct journal j;
	int dir = dir_of(state);
	const uint32_t first = JOURNAL_HEAD_LEN + 4;
	size_t size;

	open_ok(dir, &j);
	while (j.len < 4000)
		add_ok(&j, &link_add);
	journal_close(&j);
	size = file_bytes(dir, buf, sizeof(buf));
	for (uint32_t at = first; at > 0; at -= first / 2) {
		buf[at] ^= 1; /* in a record, then in the head as well */
		write_file(dir, buf, size);
		e = ERROR_NULL;
		assert_int_equal(journal_settle(dir, &e), -EBADMSG);
		assert_non_null(strstr(e.text, "is damaged at byte"));
		e = ERROR_NULL;
		assert_int_equal(journal_open(dir, &j, &e), -EBADMSG);
		assert_int_equal(file_bytes(dir, buf, sizeof(buf)), size);
	}
	close(dir);
}

/* Any bit: what follows it is not believed. */
static void a_spoilt_record_ends_it(void **state)
{
	struct undo route = route_del();
	uint8_t buf[4096];
	uint32_t last, whole;
	struct journal j;
	int dir = dir_of(state);
	size_t size;
	bool kept;

	open_ok(dir, &j);
	add_ok(&j, &route);
	whole = j.len;
	add_ok(&j, &link_add);
	journal_close(&j);
	size = file_bytes(dir, buf, sizeof(buf));
	for (size_t i = 0; i < size * 8; i++) {
		uint32_t len;

		buf[i / 8] ^= (uint8_t)(1 << i % 8);
		len = journal_scan(buf, size, &last, &kept);
		assert_int_equal(len, i / 8 < JOURNAL_HEAD_LEN ? 0
				      : i / 8 < whole ? JOURNAL_HEAD_LEN
						      : whole);
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	/* Nor is a record that was copied to another place. */
	memcpy(buf + size, buf + JOURNAL_HEAD_LEN, whole - JOURNAL_HEAD_LEN);
	assert_int_equal(journal_scan(buf, size + whole - JOURNAL_HEAD_LEN,
				      &last, &kept),
			 size);
	close(dir);
}

/* As the format says: a sum is keyed by its place. */
static void sum_head(uint8_t *p)
{
	const struct hash_key key = {.k0 = 0, .k1 = 0x766d6c616e};
	uint64_t sum = hash_bytes(&key, p, JOURNAL_HEAD_LEN - 8);

	for (int i = 0; i < 8; i++)
		p[JOURNAL_HEAD_LEN - 8 + i] = (uint8_t)(sum >> (56 - 8 * i));
}

static void another_boot_has_nothing_to_undo(void **state)
{
	uint8_t buf[4096];
	struct journal j;
	int dir = dir_of(state);
	struct error e = ERROR_NULL;
	uint32_t last;
	size_t size;
	bool kept;

	open_ok(dir, &j);
	add_ok(&j, &link_add);
	assert_int_equal(journal_keep(&j, &e), 0);
	journal_close(&j);
	size = file_bytes(dir, buf, sizeof(buf));
	buf[8] = buf[8] == '0' ? '1' : '0'; /* of the boot's id */
	sum_head(buf);
	write_file(dir, buf, size);
	assert_int_equal(journal_scan(buf, size, &last, &kept), size);
	assert_int_equal(journal_settle(dir, &e), 0);
	open_ok(dir, &j);
	assert_int_equal(j.len, JOURNAL_HEAD_LEN);
	journal_close(&j);
	assert_int_equal(file_bytes(dir, buf, sizeof(buf)), JOURNAL_HEAD_LEN);
	/* A head that is none, as that of another format. */
	buf[0] ^= 1;
	write_file(dir, buf, JOURNAL_HEAD_LEN);
	assert_int_equal(journal_settle(dir, &e), 0);
	assert_int_equal(e.code, EXIT_DONE);
	close(dir);
}

static int settle_elsewhere(void *arg)
{
	struct error e = ERROR_NULL;
	struct journal j;
	int *dir = arg;

	if (test_enter_netns() < 0)
		return 77;
	if (journal_settle(*dir, &e) != -EXDEV || e.code != EXIT_CONFLICT)
		return 1;
	e = ERROR_NULL;
	return journal_open(*dir, &j, &e) == -EXDEV ? 0 : 2;
}

static void another_namespace_undoes_nothing(void **state)
{
	uint8_t before[4096], after[4096];
	struct journal j;
	int dir = dir_of(state), r;
	size_t size;

	open_ok(dir, &j);
	add_ok(&j, &link_add);
	journal_close(&j);
	size = file_bytes(dir, before, sizeof(before));
	r = test_in_child(settle_elsewhere, &dir);
	if (r == 77)
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(file_bytes(dir, after, sizeof(after)), size);
	assert_memory_equal(before, after, size);
	close(dir);
}

static void a_kept_one_is_not_settled(void **state)
{
	struct error e = ERROR_NULL;
	struct journal j;
	int dir = dir_of(state);

	assert_int_equal(journal_settle(dir, &e), 0); /* there is none */
	open_ok(dir, &j);
	add_ok(&j, &link_add);
	assert_int_equal(journal_keep(&j, &e), 0);
	journal_close(&j);
	assert_int_equal(journal_settle(dir, &e), 1);
	assert_int_equal(journal_settle(dir, &e), 1);
	/* Until it is asked for; the link of that index is not there. */
	open_ok(dir, &j);
	assert_int_equal(journal_undo(&j, &e), 0);
	assert_int_equal(j.len, JOURNAL_HEAD_LEN);
	journal_close(&j);
	assert_int_equal(journal_settle(dir, &e), 0);
	assert_int_equal(e.code, EXIT_DONE);
	close(dir);
}

static void records_are_struck_out(void **state)
{
	struct error e = ERROR_NULL;
	struct journal j;
	uint8_t buf[4096];
	uint32_t mark, last;
	int dir = dir_of(state);
	bool kept;

	open_ok(dir, &j);
	add_ok(&j, &link_add);
	mark = j.len;
	add_ok(&j, &link_add);
	assert_int_equal(journal_strike(&j, mark, &e), 0);
	assert_int_equal(j.len, mark);
	assert_int_equal(file_bytes(dir, buf, sizeof(buf)), mark);
	assert_int_equal(journal_scan(buf, mark, &last, &kept), mark);
	journal_close(&j);
	close(dir);
}

static void it_does_not_grow_for_ever(void **state)
{
	struct error e = ERROR_NULL;
	struct journal j;
	int dir = dir_of(state);

	open_ok(dir, &j);
	j.len = JOURNAL_MAX - 4;
	assert_int_equal(journal_add(&j, &link_add, &e), -ENOSPC);
	assert_int_equal(e.code, EXIT_FAILED);
	journal_close(&j);
	close(dir);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read_as_written),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test_setup_teardown(a_journal_is_continued, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_damaged_journal_is_not_undone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_torn_record_is_none, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_spoilt_record_ends_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			another_boot_has_nothing_to_undo, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			another_namespace_undoes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_kept_one_is_not_settled,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(records_are_struck_out, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(it_does_not_grow_for_ever,
						set_up, tear_down),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
