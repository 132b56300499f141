#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What dhclient and dhcpcd do with a lease in the tests: write down all that is
# told, in the file $LEASE_OUT, and what dhclient leaves to its script, the
# address.
case "$reason" in
PREINIT6)
	# (its own waits for the link's address to be nobody else's)
	exit 0
	;;
BOUND6 | RENEW6 | REBIND6)
	[ -n "$new_ip6_address" ] && [ "${0##*/}" = lease.sh ] &&
		ip -6 addr replace "$new_ip6_address/$new_ip6_prefixlen" dev "$interface" \
			valid_lft "$new_max_life" preferred_lft "$new_preferred_life"
	;;
esac
[ "$reason" = PREINIT ] || env | grep -E '^(reason|new_[a-z0-9_]*|nd[0-9]*_[a-z0-9_]*|if[a-z]*)=' |
	sort >>"$LEASE_OUT"
exit 0
