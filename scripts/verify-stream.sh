#!/bin/sh
exec node "$(dirname "$0")/../lab/bin/evenkeel.mjs" verify-stream "$@"
