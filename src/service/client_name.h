/* SPDX-License-Identifier: BSD-3-Clause */
/* The name in a client's FQDN option; used by both DHCP servers. Stateless. */
#ifndef SERVICE_CLIENT_NAME_H
#define SERVICE_CLIENT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cursor.h"

/* The name at r, which may want its root label, as text in buf, which takes
 * room bytes; is_wire: in labels (RFC 1035 3.1), not compressed, else as text.
 * False (and buf holds anything) if it is none, too long or not printable. */
bool client_name_parse(struct rd *r, bool is_wire, char *buf, size_t room);

#endif
