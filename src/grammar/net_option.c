/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes -nic and -net apart (reference 3.3, 3.4): the keys of the card go
 * into a nic_spec, the rest is a netdev and is judged as one.
 */
#include "grammar/net_option.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/nearest.h"
#include "grammar/netdev_priv.h"

/* One option under work. */
struct split {
	const char *option; /* "-nic" or "-net" */
	const char *type;   /* of the netdev */
	const struct netdev_items *items;
	struct net_option *o;
	struct error *e;
};

static int no_memory(const struct split *s)
{
	return error_errno(s->e, ENOMEM, "%s", s->option);
}

static int find_type(struct split *s, const char *deflt)
{
	s->type = NULL;
	for (size_t i = 0; i < s->items->n; i++) {
		const struct netdev_item *it = &s->items->v[i];

		if (strcmp(it->key, "type"))
			continue;
		if (s->type)
			return error_set(s->e, EXIT_USAGE,
					 "Parameter 'type' is given twice "
					 "(%s)",
					 s->option);
		s->type = it->value ? it->value : "";
	}
	if (!s->type)
		s->type = deflt;
	if (s->type)
		return 0;
	return error_set(s->e, EXIT_USAGE, "Parameter 'type' is missing (%s)",
			 s->option);
}

/* A type that has no keys but its own name. */
static int check_alone(const struct split *s)
{
	char q[QUOTE_LEN];

	for (size_t i = 0; i < s->items->n; i++) {
		const char *key = s->items->v[i].key;

		if (strcmp(key, "type") && strcmp(key, "id"))
			return error_set(s->e, EXIT_USAGE,
					 "Invalid parameter '%s' (%s %s)",
					 quote(q, key), s->option, s->type);
	}
	return 0;
}

/* The card of model= and mac=, as nic_parse() takes it. */
static int take_card(const struct split *s, const char *model,
		     const char *macaddr)
{
	char text[256];
	struct nic_spec n;

	s->o->has_model = model != NULL;
	if (!model && !macaddr)
		return 0;
	if (snprintf(text, sizeof(text), "%s%s%s%s%s", model ? "model=" : "",
		     model ? model : "", model && macaddr ? "," : "",
		     macaddr ? "mac=" : "", macaddr ? macaddr : "") >=
	    (int)sizeof(text))
		return error_set(s->e, EXIT_USAGE,
				 "%s: no such card or address", s->option);
	if (nic_parse(text, &n, s->e) < 0)
		return -1;
	s->o->nic = n;
	return 0;
}

/* Keeps one value of a key; QEMU would take the last of two. */
static int take_once(const struct split *s, const struct netdev_item *it,
		     const char **valuep)
{
	if (!it->value)
		return error_set(s->e, EXIT_USAGE,
				 "Expected '=' after parameter '%s' (%s)",
				 it->key, s->option);
	if (*valuep)
		return error_set(s->e, EXIT_USAGE,
				 "Parameter '%s' is given twice (%s)", it->key,
				 s->option);
	*valuep = it->value;
	return 0;
}

/* The netdev without the keys of the card; NULL having said why. */
static char *netdev_text(const struct split *s, const char *id)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f) {
		(void)no_memory(s); /* NULL says it failed */
		return NULL;
	}
	netdev_value_put(f, s->type);
	if (id)
		fprintf(f, ",id=%s", id);
	for (size_t i = 0; i < s->items->n; i++) {
		const struct netdev_item *it = &s->items->v[i];
		bool is_card = !strcmp(it->key, "model") ||
			       !strcmp(it->key, "mac");

		if (!strcmp(it->key, "type") ||
		    (is_card && !strcmp(s->option, "-nic")))
			continue;
		fprintf(f, ",%s", it->key);
		if (it->value) {
			fputc('=', f);
			netdev_value_put(f, it->value);
		}
	}
	if (fclose(f) != 0) {
		free(text);
		(void)no_memory(s); /* as above */
		return NULL;
	}
	return text;
}

/* The rest must be a netdev; its id, if it has one, is the caller's. */
static int take_netdev(struct split *s, const char *id, char **idp)
{
	struct netdev_spec *spec;
	int r;

	s->o->what = NET_OPTION_NETDEV;
	s->o->netdev = netdev_text(s, id);
	if (!s->o->netdev)
		return -1;
	r = netdev_parse(s->o->netdev, &spec, s->e);
	if (r < 0)
		return r;
	if (idp) {
		*idp = spec_id(spec) ? strdup(spec_id(spec)) : NULL;
		if (spec_id(spec) && !*idp)
			r = no_memory(s);
	}
	netdev_spec_free(spec);
	return r;
}

static int split_nic(struct split *s)
{
	const char *model = NULL, *macaddr = NULL;
	int r = find_type(s, "user");

	if (r < 0)
		return r;
	if (!strcmp(s->type, "none"))
		return check_alone(s);
	for (size_t i = 0; i < s->items->n && r == 0; i++) {
		const struct netdev_item *it = &s->items->v[i];

		if (!strcmp(it->key, "model"))
			r = take_once(s, it, &model);
		else if (!strcmp(it->key, "mac"))
			r = take_once(s, it, &macaddr);
	}
	if (r == 0)
		r = take_card(s, model, macaddr);
	return r == 0 ? take_netdev(s, NULL, NULL) : r;
}

/* addr= and vectors= are QEMU's to judge, but must stay one value. */
static int take_device(const struct split *s, const char *slot,
		       const char *vectors)
{
	static const char fine[] = "0123456789abcdefABCDEFx.:";
	const struct {
		const char *key, *value;
	} all[] = {{"addr", slot}, {"vectors", vectors}};
	size_t n = 0;

	for (size_t i = 0; i < 2; i++) {
		const char *v = all[i].value;
		char q[QUOTE_LEN];

		if (!v)
			continue;
		if (!*v || strlen(v) > 16 || v[strspn(v, fine)])
			return error_set(s->e, EXIT_USAGE,
					 "Parameter '%s' expects a number, not "
					 "'%s' (-net nic)",
					 all[i].key, quote(q, v));
		n += (size_t)snprintf(s->o->device + n,
				      sizeof(s->o->device) - n, ",%s=%s",
				      all[i].key, v);
	}
	return 0;
}

static int split_card(struct split *s)
{
	const struct netdev_kind *kind = netdev_kind_find("nic");
	const char *model = NULL, *macaddr = NULL, *peer = NULL, *slot = NULL,
		   *vectors = NULL, *id = NULL;
	const struct {
		const char *key;
		const char **valuep;
	} keys[] = {
		{"model", &model}, {"macaddr", &macaddr}, {"netdev", &peer},
		{"addr", &slot},   {"vectors", &vectors}, {"id", &id},
	};
	int r = 0;

	s->o->what = NET_OPTION_CARD;
	for (size_t i = 0; i < s->items->n && r == 0; i++) {
		const struct netdev_item *it = &s->items->v[i];
		size_t k = 0;

		while (k < array_len(keys) && strcmp(keys[k].key, it->key))
			k++;
		if (k < array_len(keys))
			r = take_once(s, it, keys[k].valuep);
		else if (strcmp(it->key, "type"))
			r = netdev_unknown_key(kind, FORM_CLASSIC, it->key,
					       s->e);
	}
	if (r == 0)
		r = take_card(s, model, macaddr);
	if (r == 0)
		r = take_device(s, slot, vectors);
	if (r < 0)
		return r;
	if (peer) {
		if (snprintf(s->o->peer, sizeof(s->o->peer), "%s", peer) >=
			    (int)sizeof(s->o->peer) ||
		    !*peer)
			return error_set(s->e, EXIT_USAGE,
					 "netdev '%.40s' not found", peer);
		return 0;
	}
	s->o->hubport = strdup("hubport,hubid=0");
	return s->o->hubport ? 0 : no_memory(s);
}

static int split_net(struct split *s, unsigned number)
{
	CLEANUP_FREE char *id = NULL;
	bool has_id = false;
	char own[32];
	int r = find_type(s, NULL);

	if (r < 0)
		return r;
	if (!strcmp(s->type, "none"))
		return check_alone(s);
	if (!strcmp(s->type, "nic"))
		return split_card(s);
	if (!strcmp(s->type, "hubport"))
		return error_set(s->e, EXIT_USAGE,
				 "network backend 'hubport' is only supported "
				 "with -netdev/-nic");
	for (size_t i = 0; i < s->items->n; i++)
		has_id |= !strcmp(s->items->v[i].key, "id");
	/* The hub needs to name it: as QEMU calls the port. */
	snprintf(own, sizeof(own), "hub0port%u", number);
	r = take_netdev(s, has_id ? NULL : own, &id);
	if (r < 0)
		return r;
	if (asprintf(&s->o->hubport, "hubport,hubid=0,netdev=%s", id) < 0) {
		s->o->hubport = NULL;
		return no_memory(s);
	}
	return 0;
}

static int lex(const char *text, struct split *s, struct netdev_items *items)
{
	*s->o = NET_OPTION_NULL;
	s->items = items;
	if (text[0] == '{')
		return error_set(s->e, EXIT_USAGE,
				 "Parameter 'type' is missing (%s takes no "
				 "JSON)",
				 s->option);
	return netdev_lex(text, items, s->e);
}

bool net_option_is_nic(const char *text)
{
	size_t len = strcspn(text, "=,");
	char word[32];

	if (text[len] == '=') {
		/* a key first: QEMU's if it is none of --nic's own */
		return strncmp(text, "model=", 6) != 0 &&
		       strncmp(text, "mac=", 4) != 0 &&
		       strncmp(text, "macaddr=", 8) != 0;
	}
	if (len >= sizeof(word))
		return false;
	memcpy(word, text, len);
	word[len] = '\0';
	return netdev_kind_find(word) != NULL;
}

int net_option_nic(const char *text, struct net_option *op, struct error *e)
{
	struct split s = {.option = "-nic", .o = op, .e = e};
	struct netdev_items items = {.v = NULL};
	int r = lex(text, &s, &items);

	if (r >= 0)
		r = split_nic(&s);
	netdev_items_deinit(&items);
	if (r < 0)
		net_option_deinit(op);
	return r;
}

int net_option_net(const char *text, unsigned number, struct net_option *op,
		   struct error *e)
{
	struct split s = {.option = "-net", .o = op, .e = e};
	struct netdev_items items = {.v = NULL};
	int r = lex(text, &s, &items);

	if (r >= 0)
		r = split_net(&s, number);
	netdev_items_deinit(&items);
	if (r < 0)
		net_option_deinit(op);
	return r;
}

void net_option_deinit(struct net_option *o)
{
	free(o->netdev);
	free(o->hubport);
	*o = NET_OPTION_NULL;
}
