/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of --nic, and the table of models. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/nic.h"

/* A text and the one line it is answered with. */
struct bad {
	const char *text, *line;
};

static const struct bad bad_nics[] = {
	{"model=e1000,mac=01:00:00:00:00:00",
	 "NIC cannot have multicast MAC address "
	 "(mac=01:00:00:00:00:00 of --nic)"},
	{"e100", "Unsupported NIC model: e100; the nearest is 'e1000', all "
		 "are in 'vmlan nic list'"},
	{"e1000,mac=x",
	 "invalid syntax for ethernet address 'x' (mac= of --nic)"},
	{"e1000,mac", "Expected '=' after parameter 'mac' of --nic"},
	{"e1000,mac=",
	 "invalid syntax for ethernet address '' (mac= of --nic)"},
	{"e1000,foo=1",
	 "Invalid parameter 'foo' of --nic; the nearest is 'mac'"},
	{"virtio,queues=0", "number of queues must be in range [1, 16], not "
			    "'0' (queues= of --nic)"},
	{"virtio,queues=17", "number of queues must be in range [1, 16], not "
			     "'17' (queues= of --nic)"},
	{"virtio,queues=-1", "number of queues must be in range [1, 16], not "
			     "'-1' (queues= of --nic)"},
	{"virtio,queues=2x", "number of queues must be in range [1, 16], not "
			     "'2x' (queues= of --nic)"},
	{"virtio,queues=2,queues=2",
	 "Parameter 'queues' of --nic is given twice"},
	{"virtio,queue=2",
	 "Invalid parameter 'queue' of --nic; the nearest is 'queues'"},
	{"e1000,model=rtl8139", "Parameter 'model' of --nic is given twice"},
	{"", "Unsupported NIC model: ; the nearest is 'igb', all are in "
	     "'vmlan nic list'"},
	{"bogus", "Unsupported NIC model: bogus; the nearest is 'igb', all "
		  "are in 'vmlan nic list'"},
	{"e1000,mac=00:00:00:00:00:00",
	 "NIC cannot have the all-zero MAC address (mac= of --nic; "
	 "leave it out for a stable one)"},
};

static void test_bad_nics(void **state)
{
	for (size_t i = 0; i < array_len(bad_nics); i++) {
		struct error e = ERROR_NULL;
		struct nic_spec n;

		if (nic_parse(bad_nics[i].text, &n, &e) >= 0)
			fail_msg("accepted: %s", bad_nics[i].text);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_string_equal(e.text, bad_nics[i].line);
	}
}

static void test_nics(void **state)
{
	static const mac wanted = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}};
	struct nic_spec n;

	assert_int_equal(nic_parse("virtio", &n, NULL), 0);
	assert_string_equal(n.model->device, "virtio-net-pci");
	assert_false(n.has_mac);
	assert_int_equal(nic_parse("virtio-net", &n, NULL), 0);
	assert_string_equal(n.model->device, "virtio-net-pci");
	assert_int_equal(
		nic_parse("model=e1000,mac=52:54:00:12:34:56", &n, NULL), 0);
	assert_string_equal(n.model->name, "e1000");
	assert_true(n.has_mac && mac_eq(n.mac, wanted));
	assert_int_equal(nic_parse("mac=52-54-00-12-34-56,model=igb", &n, NULL),
			 0);
	assert_string_equal(n.model->name, "igb");
	assert_true(n.has_mac && mac_eq(n.mac, wanted));
	assert_int_equal(nic_parse("mac=52:54:00:12:34:56", &n, NULL), 0);
	assert_ptr_equal(n.model, nic_models);
	assert_int_equal(n.queues, 0);
	assert_int_equal(nic_parse("virtio,queues=16", &n, NULL), 0);
	assert_int_equal(n.queues, 16);
}

static void test_models(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	nic_list(f);
	assert_int_equal(fclose(f), 0);
	for (const struct nic_model *m = nic_models; m->name; m++) {
		assert_ptr_equal(nic_model_find(m->name), m);
		assert_non_null(m->device);
		assert_non_null(strstr(text, m->name));
	}
	free(text);
	assert_null(nic_model_find("net"));
	assert_null(nic_model_find(""));
	assert_null(nic_model_find("virtio virtio-net"));
}

static void test_macs_are_stable_and_differ(void **state)
{
	mac a = nic_mac("nat", "web", 0);

	assert_true(mac_eq(a, nic_mac("nat", "web", 0)));
	assert_false(mac_eq(a, nic_mac("nat", "web", 1)));
	assert_false(mac_eq(a, nic_mac("nat", "db", 0)));
	assert_false(mac_eq(a, nic_mac("lab", "web", 0)));
	assert_int_equal(a.b[0], 0x52);
	assert_int_equal(a.b[1], 0x54);
	assert_int_equal(a.b[2], 0x00);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_nics),
		cmocka_unit_test(test_nics),
		cmocka_unit_test(test_models),
		cmocka_unit_test(test_macs_are_stable_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
