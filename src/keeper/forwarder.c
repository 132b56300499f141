/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The requests of gvproxy (gvisor-tap-vsock) for forwards, so that a program
 * made for that needs no change: POST .../expose, POST .../unexpose, .../all.
 * A failure is a line of text with status 400 (what is asked makes no sense)
 * or 500 (it could not be done), success 200 with nothing.
 *
 * Theirs are forwards as any (forwards.h); beside their words, `local`, they
 * are shown and removed by their numbers.  The others are listed here by what
 * is bound, and can be taken back by that.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "control/text.h"
#include "keeper/forwards.h"

enum { ASKED_LEN = 256 };

/* A request's body. */
struct asked {
	char local[ASKED_LEN];
	char remote[ASKED_LEN];
	char protocol[16];
};

/* ---- what is asked ---- */

static int take_text(const char *key, const json_t *v, char *buf, size_t room,
		     struct error *e)
{
	const char *s = json_string_value(v);

	if (!s || strlen(s) >= room)
		return error_set(e, EXIT_USAGE,
				 "%s must be a string of less than %zu bytes",
				 key, room);
	memcpy(buf, s, strlen(s) + 1);
	return 0;
}

/* Keys in any case, others and what stands behind the object are of no matter:
 * that is how gvproxy reads. */
static int read_asked(const struct request *r, struct asked *q, struct error *e)
{
	json_error_t je;
	json_t *o = json_loadb(r->body, r->n_body, JSON_DISABLE_EOF_CHECK, &je);
	const char *key;
	json_t *v;
	int rc = 0;

	*q = (struct asked){.protocol = "tcp"};
	if (!json_is_object(o))
		rc = error_set(e, EXIT_USAGE,
			       "the request's body is no JSON object");
	json_object_foreach(o, key, v)
	{
		if (rc < 0)
			break;
		if (strcasecmp(key, "local") == 0)
			rc = take_text("local", v, q->local, sizeof(q->local),
				       e);
		else if (strcasecmp(key, "remote") == 0)
			rc = take_text("remote", v, q->remote,
				       sizeof(q->remote), e);
		else if (strcasecmp(key, "protocol") == 0)
			rc = take_text("protocol", v, q->protocol,
				       sizeof(q->protocol), e);
	}
	json_decref(o);
	if (rc == 0 && !q->protocol[0])
		memcpy(q->protocol, "tcp", sizeof("tcp"));
	return rc;
}

static bool take_port(const char *text, unsigned least, uint16_t *portp)
{
	unsigned n = 0;

	if (!*text || strlen(text) > 5)
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + (unsigned)(*text - '0');
	if (*text || n > UINT16_MAX || n < least)
		return false;
	*portp = (uint16_t)n;
	return true;
}

/* "HOST:PORT", where an IPv6 address is in brackets: host without those. */
static bool split(const char *text, unsigned least, char host[ADDR_STRLEN],
		  uint16_t *portp)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool in_brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';

	if (!colon || len >= ADDR_STRLEN + 2u)
		return false;
	if (in_brackets) {
		text++;
		len -= 2;
	}
	if (len >= ADDR_STRLEN)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (!in_brackets && strchr(host, ':'))
		return false;
	return take_port(colon + 1, least, portp);
}

/* As Go listens: on both families where no address is named, or all are. */
static int read_local(const struct asked *q, struct port_rule *r,
		      struct error *e)
{
	char host[ADDR_STRLEN];
	addr ip = {{0}};

	if (!split(q->local, 0, host, &r->host_lo))
		return error_set(e, EXIT_FAILED,
				 "listen %s %s: wants ADDRESS:PORT",
				 q->protocol, q->local);
	r->host_hi = r->host_lo;
	r->host_ip = addr_v4(0, 0, 0, 0);
	if (strcmp(host, "localhost") == 0) {
		port_rule_localhost(r);
		return 0;
	}
	if (*host && !addr_parse(host, &ip))
		return error_set(e, EXIT_FAILED,
				 "listen %s %s: not an address of this host",
				 q->protocol, q->local);
	r->has_host_ip = *host;
	r->has_both = addr_is_unspecified(&ip);
	if (!r->has_both)
		r->host_ip = ip;
	return 0;
}

/* gvproxy asks for a missing address whoever asks; by this socket that is
 * nobody, and the guest that is meant by hostfwd= is. */
static int read_remote(const char *remote, struct port_rule *r, struct error *e)
{
	char host[ADDR_STRLEN];

	if (!split(remote, 1, host, &r->guest_lo) ||
	    (*host && !addr_parse(host, &r->guest_ip)))
		return error_set(e, EXIT_USAGE,
				 "address %s: wants ADDRESS:PORT", remote);
	return 0;
}

/* "unix": a socket's path, and the guest as tcp://ADDRESS:PORT. */
static int read_unix(const struct asked *q, struct port_rule *r,
		     struct error *e)
{
	static const char tcp[] = "tcp://";
	size_t n = sizeof(tcp) - 1;

	if (strncmp(q->remote, tcp, n) != 0)
		return error_set(e, EXIT_FAILED,
				 "remote protocol for unix forwarder is not "
				 "implemented: %s; tcp:// is",
				 q->remote);
	if (q->local[0] != '/' || strlen(q->local) >= sizeof(r->unix_path))
		return error_set(e, EXIT_FAILED,
				 "listen unix %s: wants an absolute path of "
				 "less than %zu bytes",
				 q->local, sizeof(r->unix_path));
	memcpy(r->unix_path, q->local, strlen(q->local));
	return read_remote(q->remote + n, r, e);
}

static int read_rule(const struct asked *q, struct port_rule *r,
		     struct error *e)
{
	*r = (struct port_rule){.proto = IPPROTO_TCP};
	if (strcmp(q->protocol, "unix") == 0)
		return read_unix(q, r, e);
	if (strcmp(q->protocol, "udp") == 0)
		r->proto = IPPROTO_UDP;
	else if (strcmp(q->protocol, "tcp") != 0)
		return error_set(e, EXIT_FAILED, "unknown protocol %s",
				 q->protocol);
	if (read_remote(q->remote, r, e) < 0)
		return -EINVAL;
	return read_local(q, r, e);
}

/* ---- what there is ---- */

static const char *protocol_of(const struct forward *f)
{
	if (f->rule.unix_path[0])
		return "unix";
	return f->rule.proto == IPPROTO_UDP ? "udp" : "tcp";
}

/* What the client called it, or the first socket's name. */
static const char *local_of(const struct plan_forward *pf,
			    char buf[ENDPOINT_STRLEN])
{
	if (pf->of->local)
		return pf->of->local;
	return pf->unix_path[0] ? pf->unix_path
				: endpoint_format(&pf->host, buf);
}

/* Of two sockets of one port the second is not told of. */
static bool is_told(const struct plan_netdev *n, unsigned i)
{
	const struct plan_forward *pf = &n->forwards[i];

	if (pf->fd < 0)
		return false;
	for (unsigned k = 0; k < i; k++) {
		const struct plan_forward *o = &n->forwards[k];

		if (o->fd >= 0 && o->of == pf->of &&
		    o->host.port == pf->host.port)
			return false;
	}
	return true;
}

static json_t *one_proxy(const struct plan_forward *pf)
{
	char local[ENDPOINT_STRLEN], remote[ENDPOINT_STRLEN + 8];
	char guest[ENDPOINT_STRLEN];

	snprintf(remote, sizeof(remote), "%s%s",
		 pf->unix_path[0] ? "tcp://" : "",
		 endpoint_format(&pf->guest, guest));
	return json_pack("{s:o,s:s,s:s}", "local",
			 text_shown(local_of(pf, local)), "remote", remote,
			 "protocol", protocol_of(pf->of));
}

static int compare(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	static const char *const keys[] = {"local", "protocol"};
	int r = 0;

	for (size_t i = 0; i < array_len(keys) && r == 0; i++) {
		const char *s = json_string_value(json_object_get(x, keys[i]));
		const char *t = json_string_value(json_object_get(y, keys[i]));

		r = strcmp(s ? s : "", t ? t : "");
	}
	return r;
}

int forwarder_all(struct keeper *k, const struct request *r, json_t **op,
		  struct error *e)
{
	struct plan_netdev *n = plan_gateway(&k->plan);
	unsigned n_all = n ? n->n_forwards : 0, count = 0;
	CLEANUP_FREE json_t **rows = calloc(n_all + 1u, sizeof(*rows));
	json_t *list = rows ? json_array() : NULL;

	(void)r;
	(void)e;
	for (unsigned i = 0; rows && i < n_all; i++) {
		if (!is_told(n, i))
			continue;
		rows[count] = one_proxy(&n->forwards[i]);
		count += rows[count] != NULL;
	}
	if (rows)
		qsort(rows, count, sizeof(*rows), compare);
	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, rows[i]);
	*op = list;
	return 0;
}

/* The socket that is listed so, or NULL. */
static struct plan_forward *find(struct keeper *k, const struct asked *q)
{
	struct plan_netdev *n = plan_gateway(&k->plan);
	char local[ENDPOINT_STRLEN];

	for (unsigned i = 0; n && i < n->n_forwards; i++) {
		struct plan_forward *pf = &n->forwards[i];

		if (is_told(n, i) &&
		    strcmp(local_of(pf, local), q->local) == 0 &&
		    strcmp(protocol_of(pf->of), q->protocol) == 0)
			return pf;
	}
	return NULL;
}

/* ---- what is done ---- */

int forwarder_expose(struct keeper *k, const struct request *r, json_t **op,
		     struct error *e)
{
	struct asked q;
	struct forward model = {.id = 0, .local = q.local}, *f;
	struct error why = ERROR_NULL;

	if (read_asked(r, &q, e) < 0)
		return -EINVAL;
	if (find(k, &q))
		return error_set(e, EXIT_FAILED,
				 "proxy already running for %s on %s",
				 q.protocol, q.local);
	if (read_rule(&q, &model.rule, e) < 0)
		return -EINVAL;
	if (forwards_open(k, &model, &f, &why) < 0) /* status 500, whatever */
		return error_set(e, EXIT_FAILED, "%s", why.text);
	*op = json_string("");
	return 0;
}

int forwarder_unexpose(struct keeper *k, const struct request *r, json_t **op,
		       struct error *e)
{
	struct plan_forward *pf;
	struct asked q;

	if (read_asked(r, &q, e) < 0)
		return -EINVAL;
	pf = find(k, &q);
	if (!pf)
		return error_set(e, EXIT_FAILED, "proxy not found");
	if (pf->of->rule.host_hi != pf->of->rule.host_lo)
		return error_set(e, EXIT_FAILED,
				 "%s is of a range, forward %u, which goes as "
				 "a whole (vmlan fwd .. rm %u)",
				 q.local, pf->of->id, pf->of->id);
	forwards_remove(k, pf->of);
	*op = json_string("");
	return 0;
}
