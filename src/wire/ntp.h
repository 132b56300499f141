/* SPDX-License-Identifier: BSD-3-Clause */
/* NTP's header (RFC 5905 7.3), of all versions. Stateless. */
#ifndef WIRE_NTP_H
#define WIRE_NTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

enum {
	NTP_PORT = 123,
	NTP_LEN = 48, /* without extensions and key */
	NTP_VERSION_MIN = 1,
	NTP_VERSION_MAX = 4,
};

enum ntp_leap {
	NTP_LEAP_NONE,
	NTP_LEAP_LONGER,  /* the day's last minute has 61 seconds */
	NTP_LEAP_SHORTER, /* 59 */
	NTP_LEAP_UNKNOWN,
};

enum ntp_mode {
	NTP_MODE_CLIENT = 3,
	NTP_MODE_SERVER = 4,
};

struct ntp_msg {
	uint8_t leap;	 /* enum ntp_leap */
	uint8_t version;
	uint8_t mode;	 /* enum ntp_mode, and others */
	uint8_t stratum;
	int8_t poll, precision; /* logarithms of seconds */
	uint32_t root_delay, root_dispersion; /* seconds, 16.16 */
	uint32_t ref_id;
	/* seconds since 1900, 32.32 */
	uint64_t reference, originate, receive, transmit;
};

/* Takes the header; what may be behind it (extensions, a key's digest) stays
 * in r.  False (and *m untouched) if it is cut short. */
bool ntp_parse(struct rd *r, struct ntp_msg *m);
void ntp_emit(struct wr *w, const struct ntp_msg *m);
/* NTP's time of so many nanoseconds since 1970; the era is not told. */
uint64_t ntp_time(uint64_t unix_ns);
/* So many microseconds in 16.16, no less; the most there is where they do not
 * fit. */
uint32_t ntp_short(uint64_t us);

#endif
