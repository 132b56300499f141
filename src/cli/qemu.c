/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a QEMU command line; called by run.c in the command's process. */
#include "cli/qemu.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/proc.h"

/* QEMU's options that take no value; all others take one. */
static const char *const flag_options[] = {
	"h", "help", "version", "S", "s", "snapshot", "nographic",
	"daemonize", "no-reboot", "no-shutdown", "enable-kvm", "usb",
	"full-screen", "no-acpi", "no-hpet", "no-fd-bootchk", "win2k-hack",
	"nodefaults", "no-user-config", "singlestep", "one-insn-per-tb",
	"old-param", "semihosting", "preconfig", "only-migratable",
	"portrait", "no-quit", "alt-grab", "ctrl-grab", "mem-prealloc",
	"xen-attach", "enable-fips", "async-teardown", "prom-env-help",
};

static const char *const network_options[] = {"nic", "netdev", "net"};

/* NICs of machines that are no PCI machine; the rest takes virtio-net-pci. */
static const struct {
	const char *arch;    /* after "qemu-system-"; NULL = any */
	const char *machine; /* the word before the first '-' version */
	const char *model;
} models[] = {
	{"s390x", NULL, "virtio-net-ccw"},
	{NULL, "microvm", "virtio-net-device"},
	{"m68k", "virt", "virtio-net-device"},
	{NULL, "isapc", "ne2k_isa"},
	{NULL, "raspi", "usb-net"},
};

/* Whose QEMU takes -smbios. */
static const char *const smbios_archs[] = {
	"i386", "x86_64", "arm", "aarch64", "loongarch64", "riscv32", "riscv64",
};

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(word, list[i]) == 0)
			return true;
	}
	return false;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A name fit for folders and hosts, from text up to end or its first dot. */
static void set_name(struct qemu_cmd *c, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < sizeof(c->name) - 1; i++) {
		unsigned char ch = (unsigned char)text[i];

		if (isalnum(ch) || (n && (ch == '-' || ch == '_' || ch == '.')))
			c->name[n++] = (char)ch;
		else if (n && c->name[n - 1] != '-')
			c->name[n++] = '-';
	}
	while (n && !isalnum((unsigned char)c->name[n - 1]))
		n--;
	c->name[n] = '\0';
}

/* The value of key in "a=1,b=2", or the whole text up to the first comma if
 * bare is set and that piece has no '='. NULL if there is none. */
static const char *value_of(const char *text, const char *key, bool bare,
			    size_t *lenp)
{
	size_t key_len = strlen(key);
	const char *p = text;

	while (*p) {
		size_t len = strcspn(p, ",");

		if (len > key_len && p[key_len] == '=' &&
		    strncmp(p, key, key_len) == 0) {
			*lenp = len - key_len - 1;
			return p + key_len + 1;
		}
		if (bare && p == text && !memchr(p, '=', len)) {
			*lenp = len;
			return p;
		}
		p += len;
		p += *p == ',';
	}
	return NULL;
}

static void take_disk(struct qemu_cmd *c, const char *path, size_t len)
{
	char text[256];
	size_t n = len < sizeof(text) - 1 ? len : sizeof(text) - 1;
	const char *base;
	const char *dot;

	if (!c->disk) {
		c->disk = path;
		c->disk_len = len;
	}
	if (c->name[0])
		return;
	memcpy(text, path, n);
	text[n] = '\0';
	base = base_name(text);
	dot = strrchr(base, '.');
	set_name(c, base, dot && dot != base ? (size_t)(dot - base)
					     : strlen(base));
}

/* -m 512, 1G, size=1.5G,slots=2,maxmem=8G. */
static void scan_memory(struct qemu_cmd *c, const char *value)
{
	size_t len = 0;
	const char *v = value_of(value, "size", true, &len);
	size_t n_digits = v ? strspn(v, "0123456789.") : 0;

	c->memory[0] = '\0';
	if (!n_digits || n_digits + 1 < len || len > sizeof(c->memory) - 2)
		return;
	if (n_digits < len && !strchr("bBkKmMgGtT", v[n_digits]))
		return;
	memcpy(c->memory, v, len);
	/* Only -m counts in MiB where no unit is given. */
	c->memory[len] = n_digits == len ? 'M' : '\0';
	c->memory[len + 1] = '\0';
}

/* "kvm", "kvm,dirty-ring-size=4096", "kvm:tcg". */
static void scan_accel(struct qemu_cmd *c, bool *any_tcg, const char *v,
		       size_t len)
{
	for (size_t i = 0; i + 3 <= len; i++) {
		if (strncmp(v + i, "kvm", 3) == 0)
			c->uses_kvm = true;
		if (strncmp(v + i, "tcg", 3) == 0)
			*any_tcg = true;
	}
}

/* What one option and its value tell. */
struct scan {
	struct qemu_cmd *c;
	const char *given_name; /* value of -name */
	size_t given_len;
	const char *machine;
	size_t machine_len;
	bool any_tcg;
};

static void scan_option(struct scan *s, const char *name, const char *value)
{
	size_t len;
	const char *v;

	if (strcmp(name, "name") == 0) {
		v = value_of(value, "guest", true, &len);
		if (v) {
			s->given_name = v;
			s->given_len = len;
		}
	} else if (strcmp(name, "M") == 0 || strcmp(name, "machine") == 0) {
		v = value_of(value, "type", true, &len);
		if (v) {
			s->machine = v;
			s->machine_len = len;
		}
		v = value_of(value, "accel", false, &len);
		if (v)
			scan_accel(s->c, &s->any_tcg, v, len);
		if (value_of(value, "memory-backend", false, &len))
			s->c->sets_memory = true;
	} else if (strcmp(name, "accel") == 0) {
		scan_accel(s->c, &s->any_tcg, value, strcspn(value, ","));
	} else if (strcmp(name, "boot") == 0) {
		if (value_of(value, "order", true, &len) ||
		    value_of(value, "once", false, &len))
			s->c->sets_boot = true;
	} else if (strcmp(name, "device") == 0 && strstr(value, "bootindex")) {
		s->c->sets_boot = true;
	} else if (strcmp(name, "m") == 0) {
		scan_memory(s->c, value);
	} else if (strcmp(name, "numa") == 0 || strcmp(name, "mem-path") == 0 ||
		   (strcmp(name, "object") == 0 &&
		    strncmp(value, "memory-backend", 14) == 0)) {
		s->c->sets_memory = true;
	} else if (strcmp(name, "drive") == 0) {
		v = value_of(value, "file", false, &len);
		if (v)
			take_disk(s->c, v, len);
	} else if (strcmp(name, "smbios") == 0) {
		v = value_of(value, "type", false, &len);
		if (v && len == 1 && *v == '1' &&
		    value_of(value, "serial", false, &len))
			s->c->sets_serial = true;
	} else if (strcmp(name, "hda") == 0 || strcmp(name, "cdrom") == 0) {
		take_disk(s->c, value, strlen(value));
	}
}

static const char *model_for(const char *arch, const struct scan *s)
{
	for (size_t i = 0; i < array_len(models); i++) {
		size_t len = models[i].machine ? strlen(models[i].machine) : 0;

		if (models[i].arch && strcmp(models[i].arch, arch) != 0)
			continue;
		if (len && (s->machine_len < len ||
			    strncmp(s->machine, models[i].machine, len) != 0))
			continue;
		return models[i].model;
	}
	return "virtio-net-pci";
}

void qemu_cmd_parse(char *const *argv, struct qemu_cmd *cmdp)
{
	static const char prefix[] = "qemu-system-";
	const char *program = base_name(argv[0]);
	struct scan s = {.c = cmdp};
	const char *arch = "";

	*cmdp = (struct qemu_cmd){0};
	if (strncmp(program, prefix, sizeof(prefix) - 1) == 0)
		arch = program + sizeof(prefix) - 1;
	cmdp->is_qemu = *arch || strcmp(program, "kvm") == 0 ||
			strcmp(program, "qemu-kvm") == 0;

	for (int i = 1; argv[i]; i++) {
		const char *name = argv[i];

		if (name[0] != '-') { /* a disk image */
			take_disk(cmdp, name, strlen(name));
			continue;
		}
		name += name[1] == '-' ? 2 : 1;
		if (strcmp(name, "daemonize") == 0)
			cmdp->daemonizes = true;
		if (strcmp(name, "enable-kvm") == 0)
			cmdp->uses_kvm = true;
		if (is_one_of(name, flag_options, array_len(flag_options)))
			continue;
		if (!cmdp->network_opt &&
		    is_one_of(name, network_options,
			      array_len(network_options)))
			cmdp->network_opt = argv[i];
		if (!argv[i + 1])
			break;
		scan_option(&s, name, argv[++i]);
	}
	if (strcmp(program, "kvm") == 0 || strcmp(program, "qemu-kvm") == 0)
		cmdp->uses_kvm = true;
	cmdp->uses_kvm = cmdp->uses_kvm && !s.any_tcg;
	if (s.given_name)
		set_name(cmdp, s.given_name, s.given_len);
	if (!cmdp->name[0])
		set_name(cmdp, "vm", 2);
	cmdp->nic_model = model_for(arch, &s);
	cmdp->has_smbios = cmdp->is_qemu &&
			   (!*arch || is_one_of(arch, smbios_archs,
						array_len(smbios_archs)));
}

int qemu_version_parse(const char *text)
{
	const char *p = strstr(text, "version ");
	unsigned major, minor;

	if (!p || sscanf(p, "version %u.%u", &major, &minor) != 2 ||
	    major > 10000 || minor > 99)
		return -EPROTO;
	return (int)(major * 100 + minor);
}

/* In the child: the program's answer goes to fd; errno goes to the pipe. */
static void exec_version(const char *program, int out, int fail)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int err;

	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 2);
	}
	dup2(out, 1);
	execlp(program, program, "--version", (char *)NULL);
	err = errno;
	(void)!write(fail, &err, sizeof(err)); /* nobody else to tell */
	_exit(127);
}

int qemu_version(const char *program)
{
	CLEANUP_FD int out_r = -1, out_w = -1, fail_r = -1, fail_w = -1;
	int out[2], fail[2], err = 0;
	char text[512];
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	out_r = out[0];
	out_w = out[1];
	if (pipe2(fail, O_CLOEXEC) < 0)
		return -errno;
	fail_r = fail[0];
	fail_w = fail[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		exec_version(program, out_w, fail_w);
	fd_close(&out_w);
	fd_close(&fail_w);
	while (len < sizeof(text) - 1) {
		n = read(out_r, text + len, sizeof(text) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	n = read(fail_r, &err, sizeof(err));
	proc_bury(pid);
	if (n == sizeof(err))
		return -err;
	return qemu_version_parse(text);
}
