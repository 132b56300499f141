/* SPDX-License-Identifier: BSD-3-Clause */
/* What is read from QEMU command lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/qemu.h"

#define ARGV(...) ((char *const[]){__VA_ARGS__, NULL})

static void networks_are_seen(void **state)
{
	struct qemu_cmd c;

	qemu_cmd_parse(ARGV("qemu-system-x86_64", "-m", "1G", "disk.img"), &c);
	assert_true(c.is_qemu);
	assert_null(c.network_opt);
	qemu_cmd_parse(ARGV("/usr/bin/qemu-system-x86_64", "-nic", "user"), &c);
	assert_string_equal(c.network_opt, "-nic");
	qemu_cmd_parse(ARGV("kvm", "-nographic", "--netdev", "user,id=a"), &c);
	assert_string_equal(c.network_opt, "--netdev");
	qemu_cmd_parse(ARGV("kvm", "-net", "none"), &c);
	assert_string_equal(c.network_opt, "-net");
	/* the value of another option is no option */
	qemu_cmd_parse(ARGV("kvm", "-append", "-nic", "-nographic"), &c);
	assert_null(c.network_opt);
	qemu_cmd_parse(ARGV("kvm", "-nographic", "-net"), &c);
	assert_string_equal(c.network_opt, "-net");
	assert_false(c.daemonizes);
	qemu_cmd_parse(ARGV("kvm", "-daemonize"), &c);
	assert_true(c.daemonizes);
	qemu_cmd_parse(ARGV("crosvm", "run"), &c);
	assert_false(c.is_qemu);
}

static void memory_is_read(void **state)
{
	static const struct {
		const char *m, *size;
	} sizes[] = {
		{"512", "512M"}, {"1G", "1G"}, {"1.5g", "1.5g"},
		{"size=2G,slots=4,maxmem=8G", "2G"}, {"slots=2", ""},
		{"", ""}, {"1GB", ""}, {"G", ""}, {"1x", ""},
		{"123456789012345678901234567890", ""},
	};
	struct qemu_cmd c;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		qemu_cmd_parse(ARGV("kvm", "-m", (char *)sizes[i].m), &c);
		assert_string_equal(c.memory, sizes[i].size);
		assert_false(c.sets_memory);
	}
	qemu_cmd_parse(ARGV("kvm"), &c);
	assert_string_equal(c.memory, "");
	qemu_cmd_parse(ARGV("kvm", "-object", "memory-backend-ram,id=a"), &c);
	assert_true(c.sets_memory);
	qemu_cmd_parse(ARGV("kvm", "-object", "rng-random,id=a"), &c);
	assert_false(c.sets_memory);
	qemu_cmd_parse(ARGV("kvm", "-M", "q35,memory-backend=a"), &c);
	assert_true(c.sets_memory);
	qemu_cmd_parse(ARGV("kvm", "-numa", "node"), &c);
	assert_true(c.sets_memory);
}

static void boot_order_is_read(void **state)
{
	struct qemu_cmd c;

	qemu_cmd_parse(ARGV("kvm", "-m", "boot", "a.img"), &c);
	assert_false(c.sets_boot);
	qemu_cmd_parse(ARGV("kvm", "-boot", "d"), &c);
	assert_true(c.sets_boot);
	qemu_cmd_parse(ARGV("kvm", "-boot", "menu=on,order=d"), &c);
	assert_true(c.sets_boot);
	qemu_cmd_parse(ARGV("kvm", "-boot", "once=d"), &c);
	assert_true(c.sets_boot);
	qemu_cmd_parse(ARGV("kvm", "-boot", "menu=on,strict=on"), &c);
	assert_false(c.sets_boot); /* only how */
	qemu_cmd_parse(ARGV("kvm", "-device", "ide-hd,drive=d"), &c);
	assert_false(c.sets_boot);
	qemu_cmd_parse(ARGV("kvm", "-device", "ide-hd,bootindex=1"), &c);
	assert_true(c.sets_boot);
}

static void accelerators_are_read(void **state)
{
	static const char q[] = "qemu-system-x86_64";
	struct qemu_cmd c;

	qemu_cmd_parse(ARGV((char *)q), &c);
	assert_false(c.uses_kvm);
	qemu_cmd_parse(ARGV("kvm"), &c);
	assert_true(c.uses_kvm);
	qemu_cmd_parse(ARGV((char *)q, "-enable-kvm"), &c);
	assert_true(c.uses_kvm);
	qemu_cmd_parse(ARGV((char *)q, "-accel", "kvm,x=y"), &c);
	assert_true(c.uses_kvm);
	qemu_cmd_parse(ARGV((char *)q, "-M", "q35,accel=kvm"), &c);
	assert_true(c.uses_kvm);
	/* it may be either: not for certain */
	qemu_cmd_parse(ARGV((char *)q, "-M", "q35,accel=kvm:tcg"), &c);
	assert_false(c.uses_kvm);
	qemu_cmd_parse(ARGV((char *)q, "-accel", "kvm", "-accel", "tcg"), &c);
	assert_false(c.uses_kvm);
}

static void names_are_found(void **state)
{
	struct qemu_cmd c;

	qemu_cmd_parse(ARGV("kvm", "-name", "web"), &c);
	assert_string_equal(c.name, "web");
	qemu_cmd_parse(ARGV("kvm", "x.img", "-name", "process=p,guest=db 1"),
		       &c);
	assert_string_equal(c.name, "db-1");
	qemu_cmd_parse(
		ARGV("kvm", "-drive", "if=virtio,file=/a/b/deb.12.qcow2"), &c);
	assert_string_equal(c.name, "deb.12");
	qemu_cmd_parse(ARGV("kvm", "-hda", "../my disk!.img"), &c);
	assert_string_equal(c.name, "my-disk");
	qemu_cmd_parse(ARGV("kvm", "-m", "512"), &c);
	assert_string_equal(c.name, "vm");
	qemu_cmd_parse(ARGV("kvm", "-name", "///"), &c);
	assert_string_equal(c.name, "vm");
}

static void the_nic_fits_the_machine(void **state)
{
	struct qemu_cmd c;

	qemu_cmd_parse(ARGV("qemu-system-x86_64", "-M", "q35"), &c);
	assert_string_equal(c.nic_model, "virtio-net-pci");
	qemu_cmd_parse(
		ARGV("qemu-system-x86_64", "-M", "accel=tcg,type=microvm"), &c);
	assert_string_equal(c.nic_model, "virtio-net-device");
	qemu_cmd_parse(ARGV("qemu-system-s390x"), &c);
	assert_string_equal(c.nic_model, "virtio-net-ccw");
	qemu_cmd_parse(ARGV("qemu-system-aarch64", "-machine", "raspi3b"), &c);
	assert_string_equal(c.nic_model, "usb-net");
}

static void disks_and_serials_are_found(void **state)
{
	struct qemu_cmd c;

	qemu_cmd_parse(ARGV("qemu-system-x86_64", "-smbios",
			    "type=1,serial=a b,uuid=0", "-smbios",
			    "type=1,family=x", "-drive",
			    "file=/d/a.img,if=virtio", "b.img"),
		       &c);
	assert_true(c.has_smbios);
	assert_true(c.sets_serial);
	assert_int_equal(c.disk_len, 8);
	assert_memory_equal(c.disk, "/d/a.img,", 9);
	qemu_cmd_parse(ARGV("kvm", "--smbios", "type=11,serial=x", "-smbios",
			    "type=1,uuid=0"),
		       &c);
	assert_true(c.has_smbios);
	assert_false(c.sets_serial);
	assert_null(c.disk);
	qemu_cmd_parse(ARGV("qemu-system-s390x", "a.img"), &c);
	assert_false(c.has_smbios);
	assert_string_equal(c.disk, "a.img");
	qemu_cmd_parse(ARGV("crosvm", "run"), &c);
	assert_false(c.has_smbios);
}

static void versions_are_read(void **state)
{
	assert_int_equal(qemu_version_parse("QEMU emulator version 7.2.22 (De"),
			 702);
	assert_int_equal(qemu_version_parse("QEMU emulator version 10.0"),
			 1000);
	assert_int_equal(qemu_version_parse("hello"), -EPROTO);
	assert_int_equal(qemu_version("/nonexistent/qemu"), -ENOENT);
	assert_int_equal(qemu_version("/"), -EACCES);
	assert_int_equal(qemu_version("true"), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_are_seen),
		cmocka_unit_test(memory_is_read),
		cmocka_unit_test(accelerators_are_read),
		cmocka_unit_test(boot_order_is_read),
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(the_nic_fits_the_machine),
		cmocka_unit_test(disks_and_serials_are_found),
		cmocka_unit_test(versions_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
