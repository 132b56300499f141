/* SPDX-License-Identifier: BSD-3-Clause */
/* What cloud-init is told by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cloud.h"

#define BODY "AAAAC3NzaC1lZDI1NTE5AAAAIJ9mXJc2c3xq2oX4Fq0u8Kx7o1pQ"

static void keys_are_taken_from_lines(void **state)
{
	static const char text[] =
		"ssh-ed25519 " BODY " me@here\r\n"
		"\n# no key\nThe agent has no identities.\n"
		"  ecdsa-sha2-nistp256 " BODY "A==\n"
		"ssh-ed25519 " BODY " the same\n"
		"ssh-ed25519 " BODY "B h\xc3\xa9\t\"q\"\\ \n"
		"ssh-ed25519-cert-v01@openssh.com " BODY "C\n"
		"command=\"x\" ssh-ed25519 " BODY "D\n"
		"ssh-ed25519 " BODY "D!\n"
		"ssh-ed25519 AAAA\n"
		"ssh-ed25519\n"
		"ssh-rsa " BODY "E"; /* without an end */
	static const char *const wants[] = {
		"ssh-ed25519 " BODY " me@here",
		"ecdsa-sha2-nistp256 " BODY "A==",
		"ssh-ed25519 " BODY "B h???\"q\"\\",
		"ssh-rsa " BODY "E",
	};
	json_t *keys = json_array();

	(void)state;
	cloud_put_keys(keys, text, sizeof(text) - 1);
	assert_int_equal(json_array_size(keys), array_len(wants));
	for (size_t i = 0; i < array_len(wants); i++)
		assert_string_equal(
			json_string_value(json_array_get(keys, i)), wants[i]);
	cloud_put_keys(keys, "ssh-rsa\0" BODY, 8 + sizeof(BODY));
	assert_int_equal(json_array_size(keys), array_len(wants));
	json_decref(keys);
}

/* The JSON behind the first line. */
static json_t *config(char *text)
{
	static const char head[] = "#cloud-config\n";
	json_t *o;

	assert_non_null(text);
	assert_memory_equal(text, head, sizeof(head) - 1);
	assert_null(strchr(text, '\t'));
	o = json_loads(text + sizeof(head) - 1, 0, NULL);
	assert_non_null(o);
	free(text);
	return o;
}

static void user_data_lets_keys_in(void **state)
{
	json_t *keys = json_pack("[s,s]", "ssh-rsa A", "ssh-rsa B");
	json_t *o = config(cloud_user_data(keys, "alice"));
	const json_t *users = json_object_get(o, "users");

	(void)state;
	assert_true(json_equal(json_object_get(o, "ssh_authorized_keys"),
			       keys));
	assert_string_equal(json_string_value(json_array_get(users, 0)),
			    "default");
	users = json_array_get(users, 1);
	assert_string_equal(json_string_value(json_object_get(users, "name")),
			    "alice");
	assert_true(json_equal(json_object_get(users, "ssh_authorized_keys"),
			       keys));
	json_decref(o);
	o = config(cloud_user_data(keys, "root"));
	assert_true(json_is_false(json_object_get(o, "disable_root")));
	assert_null(json_object_get(o, "users"));
	json_decref(o);
	o = config(cloud_user_data(keys, NULL));
	assert_int_equal(json_object_size(o), 1);
	json_decref(o);
	json_decref(keys);
}

static void an_instance_is_a_machine_with_a_disk(void **state)
{
	char *a = cloud_meta_data("my_vm-2", "my_vm", "/d/a.img");
	char *b = cloud_meta_data("my_vm-2", "my_vm", "/d/a.img");
	char *c = cloud_meta_data("my_vm-2", "my_vm", "/d/b.img");
	char *d = cloud_meta_data("my_vm-2", "my_vn", "/d/a.img");
	char *none = cloud_meta_data("vm", "vm", NULL);

	(void)state;
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_string_not_equal(a, d);
	assert_non_null(strstr(none, "\nlocal-hostname: \"vm\"\n"));
	assert_memory_equal(a, "instance-id: vmlan-my_vm-", 25);
	assert_non_null(strstr(a, "\nlocal-hostname: \"my-vm-2\"\n"));
	free(a);
	free(b);
	free(c);
	free(d);
	free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_taken_from_lines),
		cmocka_unit_test(user_data_lets_keys_in),
		cmocka_unit_test(an_instance_is_a_machine_with_a_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
