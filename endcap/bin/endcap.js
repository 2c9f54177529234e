#!/usr/bin/env -S node --max-semi-space-size=64
// Most of what a request allocates is dead by its end: with room for more of it at once, far less is copied by the garbage collector.
// Node takes this from the command line only, so the scripts of package.json and the image say it too.
//
// CommonJS, because Node reads ECMAScript modules with the thread pool: by the time one runs, the pool has its four threads for good.
// The embedded ClickHouse keeps three of them, and log, DNS and compression need some too.
process.env.UV_THREADPOOL_SIZE ??= '8'

const { existsSync } = require('node:fs')
const { join } = require('node:path')

// In a checkout the sources run through tsx; in the built tree there are no sources and main.js runs as it is.
async function main() {
  if (!existsSync(join(__dirname, '../src/main.ts'))) return import('../src/main.js')
  const { register } = await import('tsx/esm/api')
  register()
  return import('../src/main.ts')
}

main()
