/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which file a machine boots from: what it says of itself in DHCP of either
 * family in, what the answer says out.  Called by both servers for each answer,
 * through the rules (service/dhcp_options.h), and so replaced by an option that
 * was given; one worker's thread, nothing is kept.
 *
 * A file that was named (bootfile=) is everybody's, as with QEMU.  Otherwise a
 * machine that says what it is gets the first file of its class that the folder
 * has (base/bootfiles.h); iPXE gets its script, and never itself again;
 * firmware that boots by HTTP gets a URL, and nothing where nobody serves it.
 */
#ifndef SERVICE_NETBOOT_H
#define SERVICE_NETBOOT_H

#include "base/bootfiles.h"
#include "service/dhcp_options.h"
#include "service/service.h"

enum {
	NETBOOT_NAME_LEN = 256,
	NETBOOT_URL_LEN = 256, /* one DHCPv4 option, with NUL */
};

/* What there is to boot; zero: nothing. */
struct netboot {
	bool has_tftp; /* the folder is served; with the environment's has_http
			* also at http://NAMESERVER/boot/ */
	uint64_t found; /* rows of boot_files[] that the folder has */
	char bootfile[NETBOOT_NAME_LEN]; /* name or URL; "" = none.  Or .. */
	bool is_folder; /* .. what the rows found are in */
	char server_name[NETBOOT_NAME_LEN]; /* "" = none */
	addr server4; /* that name's address; unspecified: the gateway's */
};

/* What a machine says of itself. */
struct netboot_client {
	enum boot_class class; /* BOOT_NONE: it does not say */
	bool is_http;
	bool is_ipxe;
};

struct netboot_answer {
	bool is_http;		   /* the vendor class HTTPClient is said */
	char file[NETBOOT_URL_LEN]; /* "" = nothing to boot */
};

struct netboot_client netboot_client4(const struct dhcp_msg *m);
struct netboot_client netboot_client6(const struct dhcp6_msg *m);
/* The file by its name on the server, or a URL. */
void netboot_answer4(const struct service_env *env,
		     const struct netboot_client *c, struct netboot_answer *ap);
/* The same as a URL. */
void netboot_answer6(const struct service_env *env,
		     const struct netboot_client *c, struct netboot_answer *ap);
/* Adds what is booted to an answer of either family.  arg: what there is, a
 * struct service_env. */
void netboot_tell(void *arg, const struct dhcp_asker *a, struct dhcp_told *t);

#endif
