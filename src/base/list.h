/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intrusive doubly linked list.  The head is a node of its own; an unlinked
 * node points at itself, so unlinking twice is harmless.  The list owns
 * nothing.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

#define LIST_INIT(name)	       {&(name), &(name)}

/* The object of TYPE whose member MEMBER is at ptr. */
#define container_of(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

/* Puts n before pos; pos = the head appends at the tail.  n is unlinked. */
static inline void list_add_before(struct list *pos, struct list *n)
{
	n->prev = pos->prev;
	n->next = pos;
	pos->prev->next = n;
	pos->prev = n;
}

static inline void list_add_tail(struct list *head, struct list *n)
{
	list_add_before(head, n);
}

static inline void list_add_head(struct list *head, struct list *n)
{
	list_add_before(head->next, n);
}

static inline void list_del(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* The first node, or NULL. */
static inline struct list *list_first(const struct list *head)
{
	return head->next == head ? NULL : head->next;
}

/* Moves all of from (then empty) to the tail of to. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* Walks the nodes; the body must not unlink it (list_each_safe may). */
#define list_each(it, head)                                                    \
	for (struct list *it = (head)->next; it != (head); it = it->next)
#define list_each_safe(it, head)                                               \
	for (struct list *it = (head)->next, *it##_next = it->next;            \
	     it != (head); it = it##_next, it##_next = it->next)

#endif
