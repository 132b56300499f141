/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP through the NAT: the object, its flows' states, and who has work to do
 * (tcp_priv.h tells the whole).  Called by the gateway; one worker's thread.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "nat/tcp_priv.h"

#define TCP_BUFFER_DEFAULT (UINT64_C(256) << 20)

static_assert(sizeof(struct tcp_flow) <= 544, "an idle flow stays small");

static int init_slabs(struct tcp *t, unsigned max_flows, unsigned max_chunks)
{
	int r = slab_init(&t->flow_slab, sizeof(struct tcp_flow), max_flows);

	if (r == 0)
		r = slab_init(&t->chunk_slab, TCP_CHUNK, max_chunks);
	/* A store exists only while it has a chunk; one may be empty while
	 * its first chunk is looked for. */
	if (r == 0)
		r = slab_init(&t->store_slab, sizeof(struct tcp_store),
			      max_chunks + 1);
	if (r == 0)
		r = slab_init(&t->reasm_slab, sizeof(struct tcp_reasm),
			      max_chunks);
	if (r == 0)
		r = slab_init(&t->recov_slab, sizeof(struct tcp_recov),
			      max_flows);
	return r;
}

/* The flows that had more than a turn's worth, by now behind all others. */
static void turn_fire(struct timer *timer, uint64_t now_ns)
{
	struct tcp *t = container_of(timer, struct tcp, turn);
	struct list *it;

	(void)now_ns;
	while ((it = list_first(&t->turns))) {
		list_del(it);
		tcp_pend(container_of(it, struct tcp_flow, link_wait));
	}
	tcp_finish(t);
}

static void deinit(struct tcp *t)
{
	flow_table_deinit(&t->flows);
	slab_deinit(&t->flow_slab);
	slab_deinit(&t->chunk_slab);
	slab_deinit(&t->store_slab);
	slab_deinit(&t->reasm_slab);
	slab_deinit(&t->recov_slab);
	free(t);
}

static unsigned chunks_of(const struct tcp_config *c)
{
	uint64_t bytes = c->max_buffer ? c->max_buffer : TCP_BUFFER_DEFAULT;
	unsigned n = (unsigned)(bytes / TCP_CHUNK);

	return n < 2 ? 2 : n;
}

static void share_init(struct tcp_share *s, const struct tcp_config *c)
{
	s->credit_max = (uint64_t)chunks_of(c) * TCP_CHUNK / 2;
	atomic_init(&s->credit, s->credit_max);
}

int tcp_share_new(const struct tcp_config *c, struct tcp_share **sp)
{
	struct tcp_share *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	share_init(s, c);
	flow_share_init(&s->flows);
	s->is_shared = true;
	for (unsigned i = 0; i < TCP_USE_N; i++)
		s->chunks[i].is_shared = true;
	s->half[false].is_shared = s->half[true].is_shared = true;
	*sp = s;
	return 0;
}

struct tcp_share *tcp_share_free(struct tcp_share *s)
{
	free(s);
	return NULL;
}

bool tcp_credit_take(struct tcp *t, uint32_t n)
{
	uint64_t have = tcp_credit(t);

	do {
		if (n > have / 4)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&t->share->credit, &have, have - n, memory_order_relaxed,
		memory_order_relaxed));
	return true;
}

void tcp_credit_give(struct tcp *t, uint32_t n)
{
	if (n)
		atomic_fetch_add_explicit(&t->share->credit, n,
					  memory_order_relaxed);
}

int tcp_new(const struct nat_env *env, const struct tcp_config *c,
	    struct tcp **tcpp)
{
	unsigned max_flows = c->max_flows ? c->max_flows : NAT_FLOWS_MAX;
	unsigned max_chunks = chunks_of(c);
	struct tcp *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->env = env;
	share_init(&t->own, c);
	t->share = c->share ? c->share : &t->own;
	t->can_peek = !c->deny_peek_off;
	t->peek_after = c->peek_after ? c->peek_after : TCP_PEEK_AFTER;
	t->isn_key = (struct hash_key){c->seed[0], c->seed[1]};
	/* The guests' unsent bytes may never be starved by what waits for
	 * guests' ACKs: those can stay in the sockets. */
	t->max_chunks[TCP_USE_UP] = max_chunks;
	t->max_chunks[TCP_USE_DOWN] = max_chunks / 2;
	list_init(&t->pend);
	list_init(&t->dead);
	for (unsigned i = 0; i < TCP_WAITQS; i++)
		list_init(&t->wait[i].flows);
	list_init(&t->turns);
	timer_init(&t->turn, turn_fire);
	timer_init(&t->trim, tcp_store_trim);
	r = init_slabs(t, max_flows, max_chunks);
	if (r == 0)
		r = flow_table_init(&t->flows, max_flows);
	if (r < 0) {
		deinit(t);
		return r;
	}
	if (c->share)
		flow_table_join(&t->flows, &c->share->flows, c->holds);
	*tcpp = t;
	return 0;
}

struct tcp *tcp_free(struct tcp *t)
{
	struct list *it;

	if (!t)
		return NULL;
	while ((it = list_first(&t->flows.all)))
		tcp_abort(tcp_of(container_of(it, struct flow, link)));
	tcp_finish(t);
	timer_disarm(t->env->wheel, &t->turn);
	timer_disarm(t->env->wheel, &t->trim);
	assert(t->flow_slab.n_used == 0 && t->chunk_slab.n_used == 0);
	assert(t->store_slab.n_used == 0 && t->reasm_slab.n_used == 0);
	assert(t->recov_slab.n_used == 0);
	assert(t->share->is_shared || tcp_credit(t) == t->share->credit_max);
	deinit(t);
	return NULL;
}

void tcp_set_report(struct tcp *t, const struct tcp_report *r)
{
	t->report = *r;
}

void tcp_stats(const struct tcp *t, struct tcp_stats *sp)
{
	*sp = t->stats;
	sp->n_flows = t->flows.n;
	sp->buffer_used = (uint64_t)t->chunk_slab.n_used * TCP_CHUNK;
	sp->buffer_kept = (uint64_t)t->chunk_slab.n_fresh * TCP_CHUNK;
}

struct tcp_flow *tcp_flow_new(struct tcp *t, const struct flow_key *key)
{
	struct tcp_flow *f = slab_alloc(&t->flow_slab);

	if (!f) {
		drop(t->env->drops, DROP_FLOW_TABLE_FULL);
		return NULL;
	}
	f->tcp = t;
	f->flow.guest = key->guest;
	f->flow.remote = key->remote;
	f->flow.proto = IPPROTO_TCP;
	f->flow.born_ns = tcp_now(t);
	f->flow.sock = HOST_SOCK_NULL;
	f->flow.sock.event = tcp_host_event;
	list_init(&f->link_pend);
	list_init(&f->link_wait);
	timer_init(&f->flow.timer, tcp_timer_fire);
	f->due_rtx = f->due_ack = f->due_idle = TCP_NEVER;
	f->rcv_cap = TCP_WIN_INIT;
	f->expect = TCP_EXPECT_MIN;
	f->dupthresh = TCP_DUPTHRESH;
	f->ttl = IP_HOP_LIMIT;
	f->pingpong = TCP_PINGPONG; /* most begin with a request */
	if (!flow_add(&t->flows, &f->flow, lan_payer(t->env->lan))) {
		drop(t->env->drops, DROP_FLOW_TABLE_FULL);
		slab_free(&t->flow_slab, f);
		return NULL;
	}
	return f;
}

/* Counts f among its guest's half-open flows as long as it is one. */
static void count_half_open(struct tcp_flow *f)
{
	bool is_half = f->state == TCP_S_CONNECT ||
		       f->state == TCP_S_SYN_SENT ||
		       f->state == TCP_S_SYN_RCVD;
	struct quota *half = &f->tcp->share->half[f->is_inward];

	if (is_half == tcp_is(f, TCP_F_HALF_OPEN))
		return;
	f->flags ^= TCP_F_HALF_OPEN;
	if (is_half)
		quota_take(half, f->flow.payer);
	else
		quota_give(half, f->flow.payer);
}

/* How long f may stay in its state without a word of the guest. */
static uint64_t idle_limit(const struct tcp_flow *f)
{
	switch ((enum tcp_state)f->state) {
	case TCP_S_CLOSED:
		break;
	case TCP_S_CONNECT:
		return TCP_CONNECT_NS;
	case TCP_S_SYN_SENT:
	case TCP_S_SYN_RCVD:
		return TCP_SYN_SENT_NS;
	case TCP_S_ESTABLISHED:
	case TCP_S_FIN_WAIT_1:
	case TCP_S_FIN_WAIT_2:
	case TCP_S_CLOSE_WAIT:
	case TCP_S_CLOSING:
	case TCP_S_LAST_ACK:
		return TCP_KEEP_IDLE_NS;
	case TCP_S_TIME_WAIT:
		return TCP_TIME_WAIT_NS;
	}
	return TCP_NEVER;
}

void tcp_state(struct tcp_flow *f, enum tcp_state to)
{
	uint64_t limit;

	f->state = (uint8_t)to;
	count_half_open(f);
	if (to == TCP_S_ESTABLISHED)
		f->tcp->stats.n_opened++;
	if (to == TCP_S_TIME_WAIT)
		f->due_rtx = TCP_NEVER;
	limit = idle_limit(f);
	f->due_idle = limit == TCP_NEVER ? limit : tcp_now(f->tcp) + limit;
	tcp_timer_update(f);
}

void tcp_kill(struct tcp_flow *f, bool is_reset)
{
	struct tcp *t = f->tcp;

	if (tcp_is(f, TCP_F_DEAD))
		return;
	tcp_up_forget(t, f);
	tcp_state(f, TCP_S_CLOSED);
	f->flags |= TCP_F_DEAD;
	f->due_rtx = f->due_ack = f->due_idle = TCP_NEVER;
	timer_disarm(t->env->wheel, &f->flow.timer);
	t->env->host->ops->close(t->env->host, &f->flow.sock, is_reset);
	tcp_up_free(f);
	tcp_down_free(f);
	tcp_sack_free(f);
	flow_del(&t->flows, &f->flow);
	list_del(&f->link_wait);
	list_del(&f->link_pend);
	list_add_tail(&t->dead, &f->link_pend);
}

void tcp_abort(struct tcp_flow *f)
{
	f->tcp->stats.n_reset++;
	if (f->state > TCP_S_CONNECT && f->state != TCP_S_TIME_WAIT)
		tcp_emit(f, f->state == TCP_S_SYN_SENT ? TCP_RST
						       : TCP_RST | TCP_ACK,
			 f->snd_nxt);
	tcp_kill(f, true);
}

void tcp_close_host(struct tcp_flow *f)
{
	struct host *h = f->tcp->env->host;

	if (f->flow.sock.fd < 0 || !tcp_is(f, TCP_F_GUEST_FIN) || f->up ||
	    !tcp_is(f, TCP_F_EOF) || !tcp_is(f, TCP_F_FIN_SENT))
		return;
	/* All that was read must have arrived: it may be asked for again. */
	if (seq_lt(f->snd_una, f->snd_nxt - 1))
		return;
	/* Unread bytes would turn the FIN into a RST. */
	tcp_src_drain(f, true);
	h->ops->close(h, &f->flow.sock, false);
}

void tcp_pend(struct tcp_flow *f)
{
	if (f->state == TCP_S_CLOSED || !list_empty(&f->link_pend))
		return;
	list_add_tail(&f->tcp->pend, &f->link_pend);
}

static unsigned waitq_of(mac m)
{
	return (m.b[3] * 31u + m.b[4] * 7u + m.b[5]) % TCP_WAITQS;
}

void tcp_wait(struct tcp_flow *f)
{
	struct tcp_waitq *q = &f->tcp->wait[waitq_of(f->flow.guest_mac)];

	if (!list_empty(&f->link_wait))
		return;
	if (list_empty(&q->flows)) {
		q->first = f->flow.guest_mac;
		q->is_mixed = false;
	} else if (!mac_eq(q->first, f->flow.guest_mac)) {
		q->is_mixed = true;
	}
	list_add_tail(&q->flows, &f->link_wait);
}

void tcp_turn(struct tcp_flow *f)
{
	struct tcp *t = f->tcp;

	if (!list_empty(&f->link_wait))
		return;
	list_add_tail(&t->turns, &f->link_wait);
	if (!timer_is_armed(&t->turn))
		timer_arm(t->env->wheel, &t->turn, tcp_now(t));
}

/* Our FIN found no room at its exit. */
static void fin_again(struct tcp_flow *f)
{
	f->flags &= ~(uint32_t)TCP_F_CTL_LOST;
	if (tcp_is(f, TCP_F_FIN_SENT) && f->snd_una != f->snd_nxt)
		tcp_emit(f, TCP_FIN | TCP_ACK, f->snd_nxt - 1);
}

/* Everything that is due for f, in order. */
static void output(struct tcp_flow *f)
{
	switch ((enum tcp_state)f->state) {
	case TCP_S_CLOSED:
		return;
	case TCP_S_CONNECT:
		if (tcp_is(f, TCP_F_HOST_ERR))
			tcp_reconnect(f);
		return;
	case TCP_S_SYN_SENT:
	case TCP_S_SYN_RCVD:
		if (tcp_is(f, TCP_F_HOST_ERR))
			tcp_abort(f);
		else if (tcp_is(f, TCP_F_CTL_LOST))
			tcp_open_send(f);
		return;
	case TCP_S_ESTABLISHED:
	case TCP_S_FIN_WAIT_1:
	case TCP_S_FIN_WAIT_2:
	case TCP_S_CLOSE_WAIT:
	case TCP_S_CLOSING:
	case TCP_S_LAST_ACK:
		if (f->recov)
			tcp_sack_output(f);
		if (tcp_is(f, TCP_F_CTL_LOST))
			fin_again(f);
		tcp_down_push(f);
		break;
	case TCP_S_TIME_WAIT:
		if (tcp_is(f, TCP_F_HOST_ERR)) /* its store cannot drain */
			tcp_kill(f, true);
		break;
	}
	if (f->state == TCP_S_CLOSED)
		return;
	if (tcp_is(f, TCP_F_ACK_NOW) || tcp_up_should_tell(f))
		tcp_emit_ack(f, NULL);
	tcp_close_host(f);
	tcp_timer_rtx(f);
	tcp_timer_update(f);
}

void tcp_finish(struct tcp *t)
{
	struct list *it;

	tcp_up_flush(t);
	if (t->in_lan || t->in_finish)
		return;
	t->in_finish = true;
	do {
		while ((it = list_first(&t->pend))) {
			list_del(it);
			output(container_of(it, struct tcp_flow, link_pend));
		}
		tcp_emit_flush(t);
		tcp_up_flush(t); /* a guest may have answered at once */
	} while (t->out.b.n > 0 || !list_empty(&t->pend));
	while ((it = list_first(&t->dead))) {
		list_del(it);
		slab_free(&t->flow_slab,
			  container_of(it, struct tcp_flow, link_pend));
	}
	t->in_finish = false;
}

void tcp_flush(struct tcp *t)
{
	tcp_finish(t);
}

/* Wakes the flows of one queue until their exits are full again. */
static void serve(struct tcp *t, struct tcp_waitq *q)
{
	bool was_mixed = q->is_mixed;
	struct list todo, *it;
	mac full = {{0}};

	list_init(&todo);
	list_splice(&todo, &q->flows);
	while ((it = list_first(&todo))) {
		struct tcp_flow *f = container_of(it, struct tcp_flow,
						  link_wait);

		if (mac_eq(f->flow.guest_mac, full) && !was_mixed)
			break;
		list_del(it);
		if (mac_eq(f->flow.guest_mac, full)) {
			tcp_wait(f);
			continue;
		}
		tcp_pend(f);
		tcp_finish(t);
		if (!list_empty(&q->flows))
			full = container_of(q->flows.prev, struct tcp_flow,
					    link_wait)->flow.guest_mac;
	}
	/* Who has not had a turn is before who has. */
	list_splice(&todo, &q->flows);
	list_splice(&q->flows, &todo);
	q->is_mixed |= was_mixed && !list_empty(&q->flows);
}

void tcp_room(struct tcp *t)
{
	if (t->in_lan || t->in_finish)
		return;
	for (unsigned i = 0; i < TCP_WAITQS; i++)
		if (!list_empty(&t->wait[i].flows))
			serve(t, &t->wait[i]);
}
