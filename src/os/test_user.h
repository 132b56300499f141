/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests of this room: the same tests as root and as an ordinary user. */
#ifndef OS_TEST_USER_H
#define OS_TEST_USER_H

/* Runs the group; when root, once more in a child that is uid 65534 with no
 * other groups and no capability.  Failures of both together. */
int test_as_both(int (*group)(void));
/* In a forked child: user and network namespace of its own, loopback up,
 * the caller's user mapped to root.  0, or -1 where the kernel denies it. */
int test_enter_netns(void);
/* Runs the group in a child that has entered such a namespace; failures. Where
 * the kernel denies it a line says so, and there are none. */
int test_in_netns(int (*group)(void));
/* For root: in a mount namespace of its own, a /dev/net/tun that ordinary users
 * may open, as on a desktop.  Harmless for others. */
void test_public_tun(void);
/* Runs fn in a child that may do what it likes to its process; the exit
 * status, or 1000 + the signal it died of. */
int test_in_child(int (*fn)(void *arg), void *arg);

#endif
