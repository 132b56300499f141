#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What udhcpc does with a lease in the tests: writes it down, sets it up.
case "$1" in
bound|renew)
	ip -4 addr flush dev "$interface"
	ip addr add "$ip/$mask" dev "$interface"
	[ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
	[ -n "$router" ] && ip route replace default via "${router%% *}"
	env | grep -E '^(ip|mask|router|dns|domain|search|hostname|lease|mtu|serverid|broadcast|ntpsrv)=' >"$LEASE_OUT"
	;;
esac
exit 0
