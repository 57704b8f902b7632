#!/usr/bin/env node
// Runs the command line from the build if it was made from this tree, else from the TypeScript sources.
import { existsSync } from 'node:fs'

const sources = new URL('./cli.ts', import.meta.url)
const built = new URL('../dist/cli.js', import.meta.url)

async function isBuiltFromThisTree() {
  if (!existsSync(built)) return false
  if (!existsSync(sources)) return true
  const { sourceDigest, builtDigest } = await import('./source-digest.js')
  return sourceDigest() === builtDigest()
}

if (await isBuiltFromThisTree()) {
  await import(built.href)
} else {
  const { register } = await import('tsx/esm/api')
  register()
  await import(sources.href)
}
