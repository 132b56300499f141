/* SPDX-License-Identifier: BSD-3-Clause */
/* The TFTP server; see tftp.h. */
#include "service/tftp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/hash.h"
#include "base/slab.h"
#include "wire/tftp.h"

#define SECOND_NS UINT64_C(1000000000)
#define MS_NS	  UINT64_C(1000000)

enum {
	BUCKETS = 256,
	ERROR_ROOM = 128,
	BACKOFF_MAX = 3,  /* doublings */
	DISK_MS_MAX = 64, /* between two looks */
};

enum state {
	OPENING, /* asked the files; answered by tftp_opened() */
	OFFERED, /* an OACK was sent; ACK 0 */
	SENDING, /* blocks are; their ACKs */
	LEFT,	 /* the client has, and the files have not answered yet */
	GONE,
};

struct transfer {
	struct list link;	/* in tftp->all */
	struct transfer *chain; /* of its bucket, unless LEFT */
	struct timer timer;	/* armed unless GONE */
	struct tftp *tftp;
	enum state state;
	struct endpoint guest;
	struct endpoint self; /* what the guest asked */
	mac mac;
	uint32_t port;	   /* of the lan, that it came by; 0: none */
	uint64_t number;   /* for the files */
	uint64_t request;  /* hash of what was asked */
	int fd;		   /* the files'; -1: none */
	uint64_t size;	   /* bytes, when it was opened */
	struct tftp_request q;
	uint32_t blksize;
	uint32_t window;   /* blocks */
	uint64_t acked;	   /* blocks the client has */
	uint64_t next;	   /* block to be sent next, from 1 on */
	uint64_t last;	   /* the short one at the end; 0: not met yet */
	unsigned tries;	   /* of what is not acknowledged */
	uint64_t sent_ns;  /* when something was, last */
	uint64_t disk_ns;  /* since when the disk is waited for; 0: it is not */
	unsigned disk_ms;  /* until the next look */
};

struct tftp {
	const struct service_env *env;	/* borrowed */
	const struct tftp_files *files; /* borrowed */
	uint32_t whose;
	struct list all; /* of struct transfer */
	struct slab memory;
	struct transfer *bucket[BUCKETS];
	struct hash_key key;
	uint64_t last_number;
	uint8_t packet[TFTP_DATA_LEN + TFTP_BLOCK_MAX]; /* being made */
};

static void on_timer(struct timer *timer, uint64_t now_ns);

int tftp_new(const struct service_env *env, const struct tftp_files *files,
	     uint32_t whose, struct tftp **tp)
{
	struct tftp *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->env = env;
	t->files = files;
	t->whose = whose;
	t->key = hash_key_new();
	list_init(&t->all);
	if (slab_init(&t->memory, sizeof(struct transfer), TFTP_TRANSFERS) <
	    0) {
		free(t);
		return -ENOMEM;
	}
	*tp = t;
	return 0;
}

/* --- the table --- */

static struct transfer **bucket_of(struct tftp *t, const struct endpoint *guest)
{
	uint8_t key[sizeof(guest->ip.b) + 2];

	memcpy(key, guest->ip.b, sizeof(guest->ip.b));
	put_be16(key + sizeof(guest->ip.b), guest->port);
	return &t->bucket[hash_bytes(&t->key, key, sizeof(key)) % BUCKETS];
}

static struct transfer *find(struct tftp *t, const struct endpoint *guest)
{
	struct transfer *x = *bucket_of(t, guest);

	while (x && !endpoint_eq(&x->guest, guest))
		x = x->chain;
	return x;
}

/* The client's end finds it no more. */
static void unchain(struct transfer *x)
{
	struct transfer **at = bucket_of(x->tftp, &x->guest);

	while (*at != x)
		at = &(*at)->chain;
	*at = x->chain;
}

/* The one place that ends a transfer. */
static void end(struct transfer *x)
{
	struct tftp *t = x->tftp;

	if (x->state != LEFT)
		unchain(x);
	x->state = GONE;
	timer_disarm(t->env->wheel, &x->timer);
	if (x->fd >= 0)
		t->files->close(t->files->arg, x->fd);
	list_del(&x->link);
	slab_free(&t->memory, x);
}

/* The client is done with it.  What the files are asked counts until they
 * answer: who asks and leaves would else ask them as fast as he can send. */
static void leave(struct transfer *x)
{
	if (x->state != OPENING) {
		end(x);
		return;
	}
	unchain(x);
	x->state = LEFT; /* the timer goes on */
}

static bool is_asked(const struct transfer *x)
{
	return x->state == OPENING || x->state == LEFT;
}

struct tftp *tftp_free(struct tftp *t)
{
	if (!t)
		return NULL;
	list_each_safe(it, &t->all)
		end(container_of(it, struct transfer, link));
	slab_deinit(&t->memory);
	free(t);
	return NULL;
}

unsigned tftp_n(const struct tftp *t)
{
	return t->memory.n_used;
}

/* True if a guest at this port of the lan may begin another one. */
static bool has_room(const struct tftp *t, uint32_t port)
{
	unsigned n_port = 0, n_opening = 0, n_port_opening = 0;

	list_each(it, &t->all) {
		const struct transfer *x =
			container_of(it, struct transfer, link);
		bool is_opening = is_asked(x);

		n_opening += is_opening;
		n_port += x->port == port;
		n_port_opening += is_opening && x->port == port;
	}
	return t->memory.n_used < TFTP_TRANSFERS && n_opening < TFTP_OPENINGS &&
	       !service_port_is_full(port, n_port, t->memory.n_used,
				     TFTP_TRANSFERS) &&
	       !service_port_is_full(port, n_port_opening, n_opening,
				     TFTP_OPENINGS);
}

/* --- what is sent --- */

static void say(struct tftp *t, const struct endpoint *self,
		const struct endpoint *guest, mac to, const struct wr *w)
{
	const struct service_dgram g = {
		.to = to,
		.src = *self,
		.dst = *guest,
		.payload = w->start,
		.len = wr_len(w),
	};

	/* All fits: blocks were made for it, and the rest is short. */
	if (!wr_ok(w) || !service_send(t->env, &g))
		drop(t->env->drops, DROP_TFTP_BAD);
}

static void say_error(struct tftp *t, const struct endpoint *self,
		      const struct endpoint *guest, mac to,
		      enum tftp_error code, const char *why)
{
	uint8_t buf[ERROR_ROOM];
	struct wr w = wr_init(buf, sizeof(buf));

	tftp_emit_error(&w, code, why);
	say(t, self, guest, to, &w);
}

static void refuse(struct tftp *t, const struct packet *pkt,
		   enum tftp_error code, const char *why)
{
	say_error(t, &pkt->dst, &pkt->src, pkt->eth_src, code, why);
}

/* Ends it, and tells the client why. */
static void fail(struct transfer *x, enum tftp_error code, const char *why)
{
	say_error(x->tftp, &x->self, &x->guest, x->mac, code, why);
	end(x);
}

static uint64_t patience_ns(const struct transfer *x)
{
	unsigned doublings = x->tries < BACKOFF_MAX ? x->tries : BACKOFF_MAX;

	if (x->q.timeout_s)
		return x->q.timeout_s * SECOND_NS;
	return (TFTP_TIMEOUT_S * SECOND_NS) << doublings;
}

/* Enters a state, or goes on in it: the timer is armed here. */
static void enter(struct transfer *x, enum state s, uint64_t after_ns)
{
	x->state = s;
	timer_arm(x->tftp->env->wheel, &x->timer,
		  *x->tftp->env->now_ns + after_ns);
}

static void send_oack(struct transfer *x)
{
	struct tftp *t = x->tftp;
	struct wr w = wr_init(t->packet, sizeof(t->packet));

	tftp_emit_oack(&w);
	if (x->q.blksize)
		tftp_emit_option(&w, "blksize", x->blksize);
	if (x->q.wants_tsize)
		tftp_emit_option(&w, "tsize", x->size);
	if (x->q.timeout_s)
		tftp_emit_option(&w, "timeout", x->q.timeout_s);
	if (x->q.windowsize)
		tftp_emit_option(&w, "windowsize", x->window);
	say(t, &x->self, &x->guest, x->mac, &w);
	x->sent_ns = *t->env->now_ns;
	enter(x, OFFERED, patience_ns(x));
}

/* The file's bytes come from a disk: another look soon, and not for ever. */
static void await_disk(struct transfer *x)
{
	uint64_t now = *x->tftp->env->now_ns;

	if (!x->disk_ns) {
		x->disk_ns = now;
		x->disk_ms = 1;
	} else if (x->disk_ms < DISK_MS_MAX) {
		x->disk_ms *= 2;
	}
	if (now - x->disk_ns > TFTP_DISK_S * SECOND_NS)
		fail(x, TFTP_E_TEXT, "the disk does not answer");
	else
		enter(x, SENDING, x->disk_ms * MS_NS);
}

/* One block; false: it did not go, and x may be gone. */
static bool send_block(struct transfer *x)
{
	struct tftp *t = x->tftp;
	struct wr w = wr_init(t->packet, sizeof(t->packet));
	ssize_t n = t->files->read(t->files->arg, x->fd,
				   t->packet + TFTP_DATA_LEN, x->blksize,
				   (x->next - 1) * x->blksize);

	if (n == -EAGAIN) {
		await_disk(x);
		return false;
	}
	if (n < 0 || n > (ssize_t)x->blksize) {
		fail(x, TFTP_E_TEXT, "the file cannot be read");
		return false;
	}
	x->disk_ns = 0;
	tftp_emit_data(&w, (uint16_t)x->next); /* and from 0 on again */
	(void)wr_room(&w, (size_t)n);
	say(t, &x->self, &x->guest, x->mac, &w);
	x->last = (uint32_t)n < x->blksize ? x->next : 0;
	x->next++;
	return true;
}

/* What the window lets through. */
static void send_blocks(struct transfer *x)
{
	while (x->next - x->acked <= x->window && !x->last) {
		if (!send_block(x))
			return;
	}
	x->sent_ns = *x->tftp->env->now_ns;
	enter(x, SENDING, patience_ns(x));
}

/* All again that the client does not have. */
static void send_again(struct transfer *x)
{
	x->next = x->acked + 1;
	x->last = 0;
	send_blocks(x);
}

static void first_answer(struct transfer *x)
{
	const struct tftp_request *q = &x->q;

	if (q->blksize || q->wants_tsize || q->timeout_s || q->windowsize)
		send_oack(x);
	else
		send_again(x);
}

static void on_timer(struct timer *timer, uint64_t now_ns)
{
	struct transfer *x = container_of(timer, struct transfer, timer);

	(void)now_ns; /* env's is the same */
	if (x->disk_ns) {
		send_blocks(x);
		return;
	}
	if (x->state == LEFT) {
		end(x);
		return;
	}
	if (x->state == OPENING || ++x->tries >= TFTP_TRIES) {
		drop(x->tftp->env->drops, DROP_TFTP_SILENT);
		end(x);
		return;
	}
	if (x->state == OFFERED)
		send_oack(x);
	else
		send_again(x);
}

/* --- requests --- */

/* The path below the folder: a slash in front says nothing, and backslashes
 * are those of clients that know no others.  NULL: none of ours, for it leads
 * out or names a folder. */
static const char *path_of(char *name)
{
	const char *path = name;
	size_t len = strlen(name);

	for (char *p = name; *p; p++) {
		if (*p == '\\')
			*p = '/';
	}
	if (name[len - 1] == '/')
		return NULL;
	while (*path == '/')
		path++;
	for (const char *p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "..", 2) == 0 && (!p[2] || p[2] == '/'))
			return NULL;
	}
	return path;
}

/* What the client asked for, as far as its network carries it. */
static void negotiate(struct transfer *x)
{
	const struct service_env *env = x->tftp->env;
	size_t room = service_room(env, &x->guest.ip) - TFTP_DATA_LEN;
	const struct tftp_request *q = &x->q;

	x->blksize = q->blksize ? q->blksize : TFTP_BLOCK_LEN;
	if (q->blksize && x->blksize > room)
		x->blksize = (uint32_t)room; /* one packet: no fragments */
	x->window = q->windowsize ? q->windowsize : 1;
	if (x->window > TFTP_WINDOW)
		x->window = TFTP_WINDOW;
}

static void begin(struct tftp *t, const struct packet *pkt,
		  const struct tftp_request *q, uint64_t request,
		  const char *path)
{
	struct transfer **at = bucket_of(t, &pkt->src);
	struct transfer *x = slab_alloc(&t->memory);

	/* has_room() has said that there is one. */
	x->tftp = t;
	x->guest = pkt->src;
	x->self = pkt->dst;
	x->mac = pkt->eth_src;
	x->port = service_payer(t->env);
	x->number = ++t->last_number;
	x->request = request;
	x->fd = -1;
	x->q = *q;
	x->next = 1;
	negotiate(x);
	timer_init(&x->timer, on_timer);
	list_add_tail(&t->all, &x->link);
	x->chain = *at;
	*at = x;
	enter(x, OPENING, TFTP_OPEN_S * SECOND_NS);
	if (t->files->open(t->files->arg, t->whose, x->number, path) < 0) {
		drop(t->env->drops, DROP_TFTP_BUSY); /* it asks again */
		end(x);
	}
}

/* A client whose first answer was lost asks the same again. */
static bool is_repeated(const struct transfer *x, const struct packet *pkt,
			uint64_t request)
{
	return x->request == request && !x->acked &&
	       endpoint_eq(&x->self, &pkt->dst);
}

static bool is_held(const struct transfer *x)
{
	return *x->tftp->env->now_ns - x->sent_ns < TFTP_HOLD_MS * MS_NS;
}

static void on_request(struct tftp *t, const struct packet *pkt, struct rd *r)
{
	uint64_t request = hash_bytes(&t->key, r->p, rd_left(r));
	struct transfer *x = find(t, &pkt->src);
	struct tftp_request q;
	const char *path;

	if (x && is_repeated(x, pkt, request)) {
		if (x->state != OPENING && !x->disk_ns && !is_held(x))
			first_answer(x);
		return;
	}
	if (x)
		leave(x);
	if (!tftp_parse_request(r, &q)) {
		drop(t->env->drops, DROP_TFTP_BAD);
		refuse(t, pkt, TFTP_E_ILLEGAL, "malformed request");
		return;
	}
	path = path_of(q.name);
	if (!q.is_octet) {
		refuse(t, pkt, TFTP_E_ILLEGAL, "Unsupported transfer mode");
	} else if (!path) {
		refuse(t, pkt, TFTP_E_ACCESS, "Access violation");
	} else if (!has_room(t, service_payer(t->env))) {
		drop(t->env->drops, DROP_TFTP_BUSY);
		refuse(t, pkt, TFTP_E_TEXT, "too many transfers");
	} else {
		begin(t, pkt, &q, request, path);
	}
}

int tftp_opened(struct tftp *t, uint64_t number, int fd, uint64_t size, int err)
{
	struct transfer *x = NULL;

	list_each(it, &t->all) {
		struct transfer *y = container_of(it, struct transfer, link);

		if (is_asked(y) && y->number == number)
			x = y;
	}
	if (x && x->state == LEFT) {
		end(x);
		x = NULL;
	}
	if (!x)
		return -ENOENT;
	if (fd >= 0) {
		x->fd = fd;
		x->size = size;
		first_answer(x);
		return 0;
	}
	switch (err) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		fail(x, TFTP_E_NOT_FOUND, "File not found");
		break;
	case EACCES:
	case EPERM:
	case EXDEV:
	case ELOOP:
	case EISDIR:
	case EINVAL:
		fail(x, TFTP_E_ACCESS, "Access violation");
		break;
	default:
		fail(x, TFTP_E_TEXT, "the file cannot be opened");
	}
	return 0;
}

/* --- acknowledgements --- */

static void on_ack(struct transfer *x, uint16_t block)
{
	uint64_t n_sent = x->next - 1 - x->acked;
	uint16_t n = (uint16_t)(block - (uint16_t)x->acked);

	if (x->state == OFFERED && !block) {
		x->tries = 0;
		send_again(x);
		return;
	}
	if (x->state != SENDING || n > n_sent)
		return; /* an old one, or none of ours */
	if (!n) {
		/* The first of a window is missing. */
		if (x->window > 1 && n_sent && !x->disk_ns && !is_held(x))
			send_again(x);
		return;
	}
	x->acked += n;
	x->tries = 0;
	if (x->last && x->acked == x->last)
		end(x);
	else if (n < n_sent)
		send_again(x); /* there is a gap behind it (RFC 7440 4) */
	else
		send_blocks(x);
}

void tftp_input(struct tftp *t, const struct packet *pkt,
		const uint8_t *payload, size_t len)
{
	struct rd r = rd_init(payload, len);
	uint16_t op = rd_u16(&r);
	struct transfer *x;
	uint16_t block;

	if (op == TFTP_RRQ) {
		on_request(t, pkt, &r);
		return;
	}
	if (op == TFTP_WRQ) {
		refuse(t, pkt, TFTP_E_ACCESS, "Access violation");
		return;
	}
	x = find(t, &pkt->src);
	block = rd_u16(&r);
	if (!rd_ok(&r) || (op != TFTP_ACK && op != TFTP_ERROR))
		drop(t->env->drops, DROP_TFTP_BAD);
	else if (!x || !endpoint_eq(&x->self, &pkt->dst))
		return; /* of one that is over: its last, perhaps */
	else if (op == TFTP_ERROR)
		leave(x);
	else
		on_ack(x, block);
}
