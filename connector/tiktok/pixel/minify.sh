#!/bin/sh
# Makes pixel.min.js from source/ and records which source it was made from. Needs Node and npm; only when developing.
set -eu
cd "$(dirname "$0")"
npx --yes terser@5.51.2 source/*.js --enclose --ecma 2017 --mangle --toplevel \
  --compress passes=3,ecma=2017,unsafe_arrows=true,booleans_as_integers=false --output pixel.min.js
sha256sum source/*.js pixel.min.js > pixel.sha256
gzip -9 -c pixel.min.js | wc -c
