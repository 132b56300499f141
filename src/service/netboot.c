/* SPDX-License-Identifier: BSD-3-Clause */
/* What is booted; see netboot.h. */
#include "service/netboot.h"

#include <stdio.h>
#include <string.h>

static const char http_word[] = "HTTPClient", pxe_word[] = "PXEClient";
static const char ipxe_word[] = "iPXE";

enum {
	ARCH_DIGITS = 5,
	ENTERPRISE_INTEL = 343, /* of UEFI's vendor classes */
};

/* --- the client --- */

static void take_arch(struct netboot_client *c, uint16_t arch)
{
	bool is_http;

	c->class = boot_class_of(arch, &is_http);
	c->is_http |= is_http;
}

/* "PXEClient:Arch:00007:UNDI:003016", or HTTPClient in its place: the
 * architecture, if it was not told by an option of its own. */
static void take_vendor(struct netboot_client *c, struct rd r, bool has_arch)
{
	static const char arch_word[] = ":Arch:";
	const size_t http_len = sizeof(http_word) - 1;
	const size_t pxe_len = sizeof(pxe_word) - 1;
	const size_t arch_len = sizeof(arch_word) - 1;
	uint32_t arch = 0;

	if (rd_left(&r) >= http_len && memcmp(r.p, http_word, http_len) == 0) {
		c->is_http = true;
		rd_skip(&r, http_len);
	} else if (rd_left(&r) >= pxe_len &&
		   memcmp(r.p, pxe_word, pxe_len) == 0) {
		rd_skip(&r, pxe_len);
	} else {
		return;
	}
	if (has_arch || rd_left(&r) < arch_len + ARCH_DIGITS ||
	    memcmp(r.p, arch_word, arch_len) != 0)
		return;
	rd_skip(&r, arch_len);
	for (unsigned i = 0; i < ARCH_DIGITS; i++) {
		uint8_t digit = rd_u8(&r);

		if (digit < '0' || digit > '9')
			return;
		arch = arch * 10 + digit - '0';
	}
	if (arch <= UINT16_MAX)
		take_arch(c, (uint16_t)arch);
}

static bool is_word(const struct rd *r, const char *word)
{
	return rd_left(r) == strlen(word) &&
	       memcmp(r->p, word, rd_left(r)) == 0;
}

struct netboot_client netboot_client4(const struct dhcp_msg *m)
{
	struct netboot_client c = {.class = BOOT_NONE};
	bool has_arch;
	struct rd r;

	has_arch = dhcp_find(m, DHCP_O_CLIENT_ARCH, &r) && rd_left(&r) >= 2;
	if (has_arch)
		take_arch(&c, rd_u16(&r)); /* the first of a list */
	if (dhcp_find(m, DHCP_O_VENDOR_CLASS, &r))
		take_vendor(&c, r, has_arch);
	/* Its user class is not RFC 3004's list, but the bare word. */
	c.is_ipxe = dhcp_find(m, DHCP_O_IPXE, &r) ||
		    (dhcp_find(m, DHCP_O_USER_CLASS, &r) &&
		     is_word(&r, ipxe_word));
	return c;
}

struct netboot_client netboot_client6(const struct dhcp6_msg *m)
{
	struct netboot_client c = {.class = BOOT_NONE};
	struct rd r = m->arch, item;
	bool has_arch = rd_left(&r) >= 2;

	if (has_arch)
		take_arch(&c, rd_u16(&r));
	r = m->vendor_class;
	rd_skip(&r, 4); /* whose class: an enterprise number */
	item = rd_sub(&r, rd_u16(&r));
	if (rd_ok(&item))
		take_vendor(&c, item, has_arch);
	r = m->user_class;
	while (rd_left(&r) && rd_ok(&r)) {
		item = rd_sub(&r, rd_u16(&r));
		c.is_ipxe |= rd_ok(&item) && is_word(&item, ipxe_word);
	}
	return c;
}

/* --- the file --- */

/* The first of a class that is there; NULL: none. */
static const char *first_of(const struct netboot *n, enum boot_class class,
			    bool is_ipxe)
{
	for (unsigned i = 0; boot_files[i].name; i++) {
		const struct boot_file *f = &boot_files[i];

		if (f->class == class && (n->found >> i & 1) &&
		    !(is_ipxe && f->is_ipxe))
			return f->name;
	}
	return NULL;
}

static bool is_url(const char *name)
{
	return strstr(name, "://") != NULL;
}

static bool is_http_url(const char *name)
{
	return strncmp(name, "http://", 7) == 0 ||
	       strncmp(name, "https://", 8) == 0;
}

/* The path of what this client boots, below the folder, or a URL; "" = there is
 * none. */
static void choose(const struct netboot *n, const struct netboot_client *c,
		   char path[static NETBOOT_URL_LEN])
{
	const char *name = NULL;

	path[0] = '\0';
	if (n->bootfile[0] && !n->is_folder) {
		snprintf(path, NETBOOT_URL_LEN, "%s", n->bootfile);
		return;
	}
	if (c->is_ipxe)
		name = first_of(n, BOOT_IPXE, false);
	if (!name)
		name = first_of(n, c->class, c->is_ipxe);
	if (name && snprintf(path, NETBOOT_URL_LEN, "%s%s%s", n->bootfile,
			     n->bootfile[0] ? "/" : "", name) >=
			    NETBOOT_URL_LEN)
		path[0] = '\0'; /* a part of a name is none */
}

static const char *without_slash(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

/* As a URL has it: all but letters, digits and some signs by their numbers.
 * False: it does not fit. */
static bool put_path(char *url, size_t at, const char *path)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-._~/";

	for (; *path; path++) {
		bool is_plain = strchr(plain, *path);

		if (NETBOOT_URL_LEN - at <= (is_plain ? 1 : 3))
			return false;
		if (is_plain)
			url[at++] = *path;
		else
			at += (size_t)snprintf(url + at, 4, "%%%02X",
					       (unsigned char)*path);
	}
	url[at] = '\0';
	return true;
}

/* SCHEME://HOST/PATH of the file chosen, in its place; "" if it does not
 * fit. */
static void make_url(char url[static NETBOOT_URL_LEN], const char *scheme,
		     const char *host, const char *more)
{
	char path[NETBOOT_URL_LEN];
	bool is_v6 = strchr(host, ':');
	int n;

	memcpy(path, url, sizeof(path));
	n = snprintf(url, NETBOOT_URL_LEN, "%s://%s%s%s/%s", scheme,
		     is_v6 ? "[" : "", host, is_v6 ? "]" : "", more);
	if (n < 0 || n >= NETBOOT_URL_LEN ||
	    !put_path(url, (size_t)n, without_slash(path)))
		url[0] = '\0';
}

/* What is common to both families; v: that of the answer. */
static void answer(const struct service_env *env,
		   const struct netboot_client *c, const struct subnet *v,
		   struct netboot_answer *ap)
{
	const struct netboot *n = env->netboot;
	char host[ADDR_STRLEN];

	*ap = (struct netboot_answer){.is_http = false};
	if (!n)
		return;
	choose(n, c, ap->file);
	ap->is_http = is_http_url(ap->file);
	if (!ap->file[0] || !c->is_http || ap->is_http)
		return;
	/* Firmware that can nothing else does without what is not there. */
	ap->file[0] = n->has_tftp && env->has_http ? ap->file[0] : '\0';
	ap->is_http = ap->file[0];
	if (ap->is_http)
		make_url(ap->file, "http", addr_format(&v->dns, host), "boot/");
}

void netboot_answer4(const struct service_env *env,
		     const struct netboot_client *c, struct netboot_answer *ap)
{
	answer(env, c, &env->v4, ap);
}

void netboot_answer6(const struct service_env *env,
		     const struct netboot_client *c, struct netboot_answer *ap)
{
	char host[ADDR_STRLEN];
	addr a;

	answer(env, c, &env->v6, ap);
	if (!ap->file[0] || is_url(ap->file))
		return;
	/* An IPv4 address is no server for who asks by IPv6. */
	if (env->netboot->server_name[0] &&
	    !(addr_parse(env->netboot->server_name, &a) && addr_is_v4(&a)))
		make_url(ap->file, "tftp", env->netboot->server_name, "");
	else
		make_url(ap->file, "tftp", addr_format(&env->v6.gw, host), "");
}

/* A file that the fixed part has room for is told there; in an option as well,
 * for not all look at both. */
static void tell4(const struct service_env *env, const struct dhcp_msg *m,
		  struct dhcp_told *t)
{
	const struct netboot *n = env->netboot;
	const struct netboot_client c = netboot_client4(m);
	struct netboot_answer a;
	size_t len;

	netboot_answer4(env, &c, &a);
	len = strlen(a.file);
	t->siaddr = n->server4;
	if (n->server_name[0])
		dhcp_told_put(t, DHCP_O_TFTP_SERVER, n->server_name,
			      strlen(n->server_name));
	if (!len)
		return;
	if (len < sizeof(t->file))
		memcpy(t->file, a.file, len + 1);
	if (len >= sizeof(t->file) || dhcp_wants(m, DHCP_O_BOOTFILE))
		dhcp_told_put(t, DHCP_O_BOOTFILE, a.file, len);
	if (a.is_http)
		dhcp_told_put(t, DHCP_O_VENDOR_CLASS, http_word,
			      sizeof(http_word) - 1);
}

/* RFC 5970; the vendor class is whose firmware it is and one text. */
static void tell6(const struct service_env *env, const struct dhcp6_msg *m,
		  struct dhcp_told *t)
{
	const struct netboot_client c = netboot_client6(m);
	struct netboot_answer a;
	uint8_t buf[6 + sizeof(http_word)];
	struct wr w = wr_init(buf, sizeof(buf));

	netboot_answer6(env, &c, &a);
	if (!a.file[0])
		return;
	dhcp_told_put(t, DHCP6_O_BOOT_URL, a.file, strlen(a.file));
	if (!a.is_http)
		return;
	wr_u32(&w, ENTERPRISE_INTEL);
	wr_u16(&w, sizeof(http_word) - 1);
	wr_bytes(&w, http_word, sizeof(http_word) - 1);
	dhcp_told_put(t, DHCP6_O_VENDOR_CLASS, buf, wr_len(&w));
}

void netboot_tell(void *arg, const struct dhcp_asker *a, struct dhcp_told *t)
{
	const struct service_env *env = arg;

	if (env->netboot && a->m4)
		tell4(env, a->m4, t);
	else if (env->netboot)
		tell6(env, a->m6, t);
}
