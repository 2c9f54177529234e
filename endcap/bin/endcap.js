#!/usr/bin/env node
// In a checkout the sources run through tsx; in the built tree there are no sources and main.js runs as it is.
import { existsSync } from 'node:fs'

if (existsSync(new URL('../src/main.ts', import.meta.url))) {
  const { register } = await import('tsx/esm/api')
  register()
  await import('../src/main.ts')
} else {
  await import('../src/main.js')
}
