#!/bin/sh
# What the request looks like from a CGI script: environment variables (RFC 3875 section 4.1).
printf 'Content-Type: text/plain\n\n'
printf 'Hello from a script!\n'
printf 'method: %s\n' "$REQUEST_METHOD"
printf 'path:   %s\n' "$PATH_INFO"
printf 'query:  %s\n' "$QUERY_STRING"
