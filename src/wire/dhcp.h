/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DHCPv4 and BOOTP messages (RFC 951, 2131, 2132). Stateless.
 *
 * A message read from a stranger becomes a struct dhcp_msg in which every
 * option is one piece: options that came in several (RFC 3396), in the
 * options field or in file and sname (option 52), are put together.  Used by
 * the DHCP service; any thread.
 */
#ifndef WIRE_DHCP_H
#define WIRE_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"

enum {
	DHCP_PORT_SERVER = 67,
	DHCP_PORT_CLIENT = 68,
	DHCP_AT_FLAGS = 10,
	DHCP_AT_CHADDR = 28,
	DHCP_HDR_LEN = 240,   /* fixed part and magic cookie */
	DHCP_MIN_LEN = 300,   /* ours are padded to this (RFC 1542 2.1) */
	DHCP_SURE_LEN = 548,  /* every client takes this much: 576 bytes with
			       * IPv4 and UDP headers (RFC 2131 2) */
	DHCP_STORE = 4096,    /* bytes of all options of one message */
	DHCP_SNAME_LEN = 64,
	DHCP_FILE_LEN = 128,
	DHCP_CHADDR_LEN = 16,
	DHCP_HTYPE_ETHERNET = 1,
	DHCP_F_BROADCAST = 0x8000, /* the client wants a broadcast answer */
	/* of option 52 (RFC 2132 9.3): the field holds options */
	DHCP_OVERLOAD_FILE = 1 << 0,
	DHCP_OVERLOAD_SNAME = 1 << 1,
};

enum dhcp_op {
	DHCP_REQUEST_OP = 1,
	DHCP_REPLY_OP = 2,
};

enum dhcp_type {
	DHCP_NONE, /* a BOOTP message: no option 53 */
	DHCP_DISCOVER,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM,
};

/* RFC 2132 unless noted. */
enum dhcp_opt {
	DHCP_O_PAD = 0,
	DHCP_O_MASK = 1,
	DHCP_O_ROUTER = 3,
	DHCP_O_DNS = 6,
	DHCP_O_HOSTNAME = 12,
	DHCP_O_DOMAIN = 15,
	DHCP_O_MTU = 26,
	DHCP_O_BROADCAST = 28,
	DHCP_O_NTP = 42,
	DHCP_O_REQUESTED_IP = 50,
	DHCP_O_LEASE_TIME = 51,
	DHCP_O_OVERLOAD = 52,
	DHCP_O_TYPE = 53,
	DHCP_O_SERVER_ID = 54,
	DHCP_O_PARAMS = 55,
	DHCP_O_MESSAGE = 56,
	DHCP_O_MAX_SIZE = 57,
	DHCP_O_RENEW_TIME = 58,
	DHCP_O_REBIND_TIME = 59,
	DHCP_O_VENDOR_CLASS = 60,
	DHCP_O_CLIENT_ID = 61,
	DHCP_O_IPV6_ONLY = 108, /* RFC 8925 */
	DHCP_O_TFTP_SERVER = 66,
	DHCP_O_BOOTFILE = 67,
	DHCP_O_USER_CLASS = 77,	  /* RFC 3004, but see netboot.c */
	DHCP_O_RAPID_COMMIT = 80, /* RFC 4039 */
	DHCP_O_FQDN = 81,	  /* RFC 4702 */
	DHCP_O_CLIENT_ARCH = 93,  /* RFC 4578 */
	DHCP_O_SEARCH = 119,	  /* RFC 3397 */
	DHCP_O_IPXE = 175,	  /* its own options */
	DHCP_O_END = 255,
};

/* The fixed part.  Addresses are IPv4. */
struct dhcp_hdr {
	uint8_t op; /* enum dhcp_op */
	uint8_t htype;
	uint8_t hlen; /* bytes used of chaddr, <= DHCP_CHADDR_LEN */
	uint8_t hops;
	uint32_t xid;
	uint16_t secs;
	uint16_t flags; /* DHCP_F_* */
	addr ciaddr;	/* the client's, if it can answer ARP for it */
	addr yiaddr;	/* yours: what the client is given */
	addr siaddr;	/* next server of the boot */
	addr giaddr;	/* relay */
	uint8_t chaddr[DHCP_CHADDR_LEN];
	/* Ended by NUL; empty where options lay in the field. */
	char sname[DHCP_SNAME_LEN + 1];
	char file[DHCP_FILE_LEN + 1];
};

/* One message that was read and found well formed. */
struct dhcp_msg {
	struct dhcp_hdr hdr;
	enum dhcp_type type;
	/* By option code; looked at through dhcp_find() only. */
	struct {
		uint16_t off; /* in store */
		uint16_t len;
		bool found;
	} opt[256];
	uint8_t store[DHCP_STORE]; /* the values, used as opt[] says */
};

/* The whole UDP payload at r.  False (and *mp untouched) if it is shorter
 * than the fixed part, an option runs out of its field, option 53 is not a
 * type we know or all options together exceed DHCP_STORE.  A missing end
 * option is forgiven; without the magic cookie it is BOOTP with no options. */
bool dhcp_parse(struct rd *r, struct dhcp_msg *mp);

/* The value of an option, borrowed from m; false if it did not come. */
bool dhcp_find(const struct dhcp_msg *m, uint8_t code, struct rd *rp);
/* An option of exactly 1, 2 or 4 bytes; false if it did not come like that. */
bool dhcp_find_u8(const struct dhcp_msg *m, uint8_t code, uint8_t *vp);
bool dhcp_find_u16(const struct dhcp_msg *m, uint8_t code, uint16_t *vp);
bool dhcp_find_u32(const struct dhcp_msg *m, uint8_t code, uint32_t *vp);
bool dhcp_find_addr(const struct dhcp_msg *m, uint8_t code, addr *ap);
/* A text option into buf, which takes room bytes, ended by NUL; NULs that a
 * client appended are cut.  False if it did not come, is empty, too long or
 * holds anything but printable ASCII. */
bool dhcp_find_text(const struct dhcp_msg *m, uint8_t code, char *buf,
		    size_t room);
/* True if the client asked for option code (option 55). */
bool dhcp_wants(const struct dhcp_msg *m, uint8_t code);

/* A reply's fixed part, filled from the request as RFC 2131 4.3.1 table 3
 * says for all replies: xid, flags, giaddr, chaddr. */
struct dhcp_hdr dhcp_reply_hdr(const struct dhcp_msg *request);

/* Fixed part and magic cookie. */
void dhcp_emit_hdr(struct wr *w, const struct dhcp_hdr *h);
/* One option; of more than 255 bytes it is cut in several (RFC 3396). */
void dhcp_emit_opt(struct wr *w, uint8_t code, const void *p, size_t len);
void dhcp_emit_u8(struct wr *w, uint8_t code, uint8_t v);
void dhcp_emit_u16(struct wr *w, uint8_t code, uint16_t v);
void dhcp_emit_u32(struct wr *w, uint8_t code, uint32_t v);
void dhcp_emit_addr(struct wr *w, uint8_t code, const addr *a);
/* strlen(text) bytes; nothing for an empty text. */
void dhcp_emit_text(struct wr *w, uint8_t code, const char *text);
/* The bytes dhcp_emit_opt() writes for a value of len bytes. */
size_t dhcp_opt_len(size_t len);
/* End option, and zeros up to DHCP_MIN_LEN; start is wr_len(w) from before
 * dhcp_emit_hdr(). */
void dhcp_emit_end(struct wr *w, size_t start);

/* The value of option 119: domain names with RFC 1035 4.1.4 compression.  w
 * begins where the value does, since pointers count from there.  False (and
 * w as it was) if a name is not one (empty or long labels, over 255 bytes) or
 * they do not fit. */
bool dhcp_search_encode(struct wr *w, const char *const *names, unsigned n);

#endif
