/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TFTP server of the gateway: RFC 1350, 2347 to 2349 and 7440, to read
 * only, in mode octet, of both families.  Called by the gateway with each
 * datagram to port 69 of its address; the files are opened and read by whoever
 * made it.  One worker's thread.
 *
 *              the file            OACK acknowledged,
 *  request     is open             or no option asked for
 * ---------> OPENING ------> OFFERED ------> SENDING ---> gone: all was
 *               | it is not          silence | error      acknowledged
 *               +--> gone: told why          +--> gone
 *               | the client leaves
 *               +--> LEFT --> gone: the files have answered
 *
 * All is said from port 69, as QEMU does, so a transfer is known by the
 * client's end, and no port of the host's loopback is taken from guests.  A
 * block is sent again when the client has been silent for a while, and not
 * because it acknowledged one twice, which would double all that follows
 * (RFC 1123 4.2.3.1); with windows, a client that names the block before a gap
 * gets the rest, at most every TFTP_HOLD_MS.
 *
 * Nothing of a file is kept: what has to be sent again is read again.  What all
 * guests share is bounded (transfers, files being opened), and one port of the
 * lan leaves a quarter to others (service_port_is_full()).
 */
#ifndef SERVICE_TFTP_H
#define SERVICE_TFTP_H

#include "service/service.h"
#include "wire/packet.h"

enum {
	TFTP_TRANSFERS = 256,
	TFTP_OPENINGS = 32, /* of those, whose file is not open yet */
	TFTP_WINDOW = 32,   /* blocks, at most; a client may have less */
	TFTP_TRIES = 6,     /* of sending what is not acknowledged */
	TFTP_TIMEOUT_S = 1, /* doubled each time, unless the client chose */
	TFTP_HOLD_MS = 100,
	TFTP_OPEN_S = 10,   /* longer no file is waited for */
	TFTP_DISK_S = 10,   /* nor for a disk */
};

/* Where the files come from. */
struct tftp_files {
	/* Asks for one, by its path below the folder; tftp_opened() follows,
	 * not before this has returned.  0; -EAGAIN: not now, the client asks
	 * again. */
	int (*open)(void *arg, uint32_t whose, uint64_t number,
		    const char *path);
	/* Bytes read, fewer than len only at the end; -EAGAIN: they come from
	 * the disk, try again soon; another negative errno. */
	ssize_t (*read)(void *arg, int fd, void *p, size_t len, uint64_t at);
	void (*close)(void *arg, int fd);
	void *arg;
};

struct tftp;

/* env and files are borrowed; whose is told to open(). 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int
tftp_new(const struct service_env *env, const struct tftp_files *files,
	 uint32_t whose, struct tftp **tp);
struct tftp *tftp_free(struct tftp *t);
/* The answer to open(): a file of size bytes, which is t's from now on, or fd
 * -1 and the errno why there is none.  -ENOENT: nobody waits for it any more;
 * fd stays the caller's. */
__attribute__((warn_unused_result)) int
tftp_opened(struct tftp *t, uint64_t number, int fd, uint64_t size, int err);
/* payload: of a UDP datagram to port 69 of an address of ours, checksum
 * verified. */
void tftp_input(struct tftp *t, const struct packet *pkt,
		const uint8_t *payload, size_t len);
/* Transfers under way. */
unsigned tftp_n(const struct tftp *t);

#endif
