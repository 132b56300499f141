/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A DHCP client with a server to itself, for the tests of this room: what it
 * says is set field by field, what it is told is looked at message by message.
 * Fails the test (cmocka) where an answer is none of ours.
 */
#ifndef SERVICE_FAKE_CLIENT_H
#define SERVICE_FAKE_CLIENT_H

#include "service/dhcp.h"
#include "service/fake_room.h"
#include "wire/dhcp.h"

/* A client: what its next message says. */
struct client {
	mac mac;
	mac sender;	   /* of the frame; as mac if zero */
	const char *id;	   /* option 61, NULL = none */
	uint32_t want;	   /* option 50, 0 = none */
	uint32_t server;   /* option 54, 0 = none */
	uint32_t ciaddr, giaddr;
	uint16_t flags;
	const char *params; /* option 55 */
	unsigned n_params;
	uint16_t max_size; /* option 57 */
	const char *name;  /* option 12 */
	const char *fqdn;  /* option 81, whole */
	unsigned fqdn_len;
	uint8_t htype; /* 0 = Ethernet */
	uint8_t op;    /* 0 = request */
};

struct bench {
	struct fake_room room;
	struct dhcp *dhcp;
	struct client c;
	unsigned n_bound;
	addr bound_ip;
	mac bound_mac;
};

/* cmocka's: *state is a struct bench with QEMU's network. */
int client_setup(void **state);
int client_teardown(void **state);
/* The server, with a configuration of its own; ends it first if it runs. */
void client_start(struct bench *b, const struct dhcp_config *c);
/* As after a new start of the engine: no lease is known. */
void client_restart(struct bench *b);
/* Sends what b->c says and forgets what the client got before. */
void client_say(struct bench *b, enum dhcp_type type);
/* The answer to the last message, borrowed; false: there is none. */
bool client_heard(struct bench *b, struct dhcp_msg *mp, struct fake_dgram *gp);
/* The type of the answer, DHCP_NONE if none; its yiaddr, host order. */
enum dhcp_type client_answer(struct bench *b, uint32_t *ipp);
void client_expect(struct bench *b, enum dhcp_type type, uint32_t ip);
void client_expect_nothing(struct bench *b);
uint64_t client_drops(const struct bench *b, enum drop_reason why);
/* DISCOVER and REQUEST; the address, host order, 0: there is none. */
uint32_t client_join(struct bench *b);

#endif
