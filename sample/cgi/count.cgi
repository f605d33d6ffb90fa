#!/bin/sh
# The request's body on standard input, a status of its own in the response (RFC 3875 section 6.3.3).
length=$(wc -c)
printf 'Status: 202 Accepted\n'
printf 'Content-Type: text/plain\n\n'
printf 'counted %d of %d bytes\n' "$length" "${CONTENT_LENGTH:-0}"
