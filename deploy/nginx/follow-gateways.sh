#!/bin/sh
# nginx asks once for the gateways' addresses. They change when one is added, or started again after a crash: then nginx
# reads its configuration anew, while the streams of the old one go on. nginx 1.27.3 and later could do it by itself
# (`server … resolve`); this works with every version.
addresses() {
    getent ahostsv4 gateway | awk '{print $1}' | sort -u
}

follow() {
    while sleep 2; do
        found=$(addresses)
        if [ -n "$found" ] && [ "$found" != "$known" ] && kill -HUP 1; then
            known=$found
        fi
    done
}

known=$(addresses)
follow &
