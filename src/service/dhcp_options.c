/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients of our DHCP servers are told; see dhcp_options.h. */
#include "service/dhcp_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	MORE_MAX = 8, /* services that add options */
	ID_TYPE_DUID = 255, /* RFC 4361 6.1 */
};

struct dhcp_rules {
	struct {
		dhcp_more_fn fn;
		void *arg;
	} more[MORE_MAX];
	unsigned n_more;
	struct dhcp_option **option; /* owned, and each */
	unsigned n_options;
	struct dhcp_reservation *reservation; /* owned */
	unsigned n_reservations;
};

void dhcp_told_put(struct dhcp_told *t, uint16_t code, const void *p,
		   size_t len)
{
	unsigned i = 0;

	while (i < t->n && t->opt[i].code != code)
		i++;
	if (i == DHCP_TOLD_MAX || len > sizeof(t->store) - t->n_bytes)
		return;
	if (len)
		memcpy(t->store + t->n_bytes, p, len);
	t->opt[i].code = code;
	t->opt[i].off = (uint16_t)t->n_bytes;
	t->opt[i].len = (uint16_t)len;
	t->n_bytes += len;
	if (i == t->n)
		t->n++;
}

bool dhcp_told_find(const struct dhcp_told *t, uint16_t code, struct rd *rp)
{
	for (unsigned i = 0; i < t->n; i++) {
		if (t->opt[i].code != code)
			continue;
		*rp = rd_init(t->store + t->opt[i].off, t->opt[i].len);
		return true;
	}
	return false;
}

struct dhcp_rules *dhcp_rules_new(void)
{
	return calloc(1, sizeof(struct dhcp_rules));
}

struct dhcp_rules *dhcp_rules_free(struct dhcp_rules *r)
{
	if (!r)
		return NULL;
	for (unsigned i = 0; i < r->n_options; i++)
		free(r->option[i]);
	free(r->option);
	free(r->reservation);
	free(r);
	return NULL;
}

int dhcp_rules_add_more(struct dhcp_rules *r, dhcp_more_fn fn, void *arg)
{
	if (r->n_more == MORE_MAX)
		return -ENOBUFS;
	r->more[r->n_more].fn = fn;
	r->more[r->n_more].arg = arg;
	r->n_more++;
	return 0;
}

static bool is_sound(const struct dhcp_who *w)
{
	return w->kind <= DHCP_WHO_NAME && w->len <= DHCP_WHO_LEN &&
	       (w->kind == DHCP_WHO_ALL || w->len);
}

int dhcp_rules_add_option(struct dhcp_rules *r, const struct dhcp_option *o)
{
	struct dhcp_option **more;

	if (!is_sound(&o->who) || o->len > DHCP_VALUE_MAX)
		return -EINVAL;
	if (r->n_options == DHCP_RULES_MAX)
		return -ENOBUFS;
	more = reallocarray(r->option, r->n_options + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	r->option = more;
	more[r->n_options] = malloc(sizeof(*o));
	if (!more[r->n_options])
		return -ENOMEM;
	*more[r->n_options++] = *o;
	return 0;
}

int dhcp_rules_add_reservation(struct dhcp_rules *r,
			       const struct dhcp_reservation *v)
{
	struct dhcp_reservation *more;

	if (!is_sound(&v->who) || v->who.kind == DHCP_WHO_ALL)
		return -EINVAL;
	if (r->n_reservations == DHCP_RULES_MAX)
		return -ENOBUFS;
	more = reallocarray(r->reservation, r->n_reservations + 1,
			    sizeof(*more));
	if (!more)
		return -ENOMEM;
	r->reservation = more;
	more[r->n_reservations] = *v;
	more[r->n_reservations++].name[sizeof(v->name) - 1] = '\0';
	return 0;
}

static bool is_bytes(const struct dhcp_who *w, const struct rd *r)
{
	return rd_left(r) == w->len && memcmp(r->p, w->b, w->len) == 0;
}

/* A name without a domain is any domain's. */
static bool is_name(const struct dhcp_who *w, const char *name)
{
	size_t len = strlen(name);

	if (!memchr(w->b, '.', w->len))
		len = strcspn(name, ".");
	return len == w->len &&
	       strncasecmp(name, (const char *)w->b, len) == 0;
}

static bool is_meant(const struct dhcp_who *w, const struct dhcp_asker *a)
{
	switch ((enum dhcp_who_kind)w->kind) {
	case DHCP_WHO_ALL:
		return true;
	case DHCP_WHO_MAC:
		return w->len == MAC_LEN && !memcmp(w->b, a->mac.b, MAC_LEN);
	case DHCP_WHO_ID:
		return is_bytes(w, &a->id);
	case DHCP_WHO_DUID:
		return is_bytes(w, &a->duid);
	case DHCP_WHO_NAME:
		return is_name(w, a->name);
	}
	return false;
}

static void tell_options(const struct dhcp_rules *r, const struct dhcp_asker *a,
			 bool is_own, struct dhcp_told *t)
{
	for (unsigned i = 0; i < r->n_options; i++) {
		const struct dhcp_option *o = r->option[i];

		if ((o->is_v6 != 0) == (a->m6 != NULL) &&
		    (o->who.kind != DHCP_WHO_ALL) == is_own &&
		    is_meant(&o->who, a))
			dhcp_told_put(t, o->code, o->value, o->len);
	}
}

void dhcp_rules_tell(const struct dhcp_rules *r, const struct dhcp_asker *a,
		     struct dhcp_told *t)
{
	t->n = 0;
	t->n_bytes = 0;
	t->siaddr = (addr){{0}};
	t->sname[0] = t->file[0] = '\0';
	if (!r)
		return;
	for (unsigned i = 0; i < r->n_more; i++)
		r->more[i].fn(r->more[i].arg, a, t);
	tell_options(r, a, false, t);
	tell_options(r, a, true, t);
}

unsigned dhcp_rules_find(const struct dhcp_rules *r, const struct dhcp_asker *a)
{
	for (unsigned i = 0; r && i < r->n_reservations; i++) {
		if (is_meant(&r->reservation[i].who, a))
			return i + 1;
	}
	return 0;
}

unsigned dhcp_rules_count(const struct dhcp_rules *r)
{
	return r->n_reservations;
}

const struct dhcp_reservation *dhcp_rules_get(const struct dhcp_rules *r,
					      unsigned number)
{
	return &r->reservation[number - 1];
}

void dhcp_learn_name(const struct dhcp_rules *r, const struct dhcp_asker *a,
		     unsigned rule, struct lease *l, uint64_t now_ns)
{
	const char *name = rule ? dhcp_rules_get(r, rule)->name : "";

	_Static_assert((int)LEASE_NAME_LEN == (int)DHCP_NAME_LEN, "one bound");
	if (!*name)
		name = a->name;
	if (*name)
		lease_name(l, name, now_ns);
}

struct rd dhcp_id_duid(struct rd id)
{
	uint8_t type = rd_u8(&id);

	rd_skip(&id, DHCP6_IAID_LEN);
	if (!rd_ok(&id) || type != ID_TYPE_DUID ||
	    rd_left(&id) < DHCP6_DUID_MIN)
		return rd_init(NULL, 0);
	return id;
}
