import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf, type Problem } from '../errors.ts'

/** Why a definition file could not be loaded, with the line where it failed, or which imports what is not there. */
export function unloadedProblem(file: string, reason: unknown): Problem {
  const message = messageOf(reason)
  const { file: failed, line } = failedAt(file, stackOf(reason)) ??
    (reason instanceof SyntaxError ? failedAt(file, checkedByNode(file)) : null) ?? {
      file,
      line: lineOfImport(file, message),
    }
  const shown = path.relative(process.cwd(), failed)
  const isCycle = /^Cannot access '[^']*' before initialization$/.test(message)
  const hint = isCycle ? '; files that import each other need a third one for what both use' : ''
  return {
    path: line === null ? shown : `${shown}:${line}`,
    message: `the file cannot be loaded: ${message}${hint}`,
  }
}

/** Of Node's stacks and heads of syntax errors, and of the compiler's lines. */
const place = /((?:file:\/\/)?\/[^()\s]+?)(?:\?[^()\s:]*)?:(\d+)(?::\d+)?(?:\)?$|: ERROR)/gm

function stackOf(reason: unknown): string {
  return reason instanceof Error ? (reason.stack ?? '') : ''
}

/** What Node prints of a file that it cannot parse: the place, which an error that is caught has not. */
function checkedByNode(file: string): string {
  const options = ['--check', file]
  return spawnSync(process.execPath, options, { encoding: 'utf8', timeout: 10_000 }).stderr
}

/** The innermost place of the text that is in the file's folder or below it. */
function failedAt(file: string, stack: string): { readonly file: string; readonly line: number } | null {
  for (const [, named = '', line] of stack.matchAll(place)) {
    const found = named.startsWith('file:') ? fileURLToPath(named) : named
    if (found.startsWith(`${path.dirname(file)}${path.sep}`)) return { file: found, line: Number(line) }
  }
  return null
}

/** A module or an export that is not there has no place in the stack. */
function lineOfImport(file: string, message: string): number | null {
  const [, wanted] =
    /(?:Cannot find module|Cannot find package|requested module) '([^']+)'/.exec(message) ?? []
  if (wanted === undefined) return null
  const name = path.basename(wanted)
  const lines = readFileSync(file, 'utf8').split('\n')
  const index = lines.findIndex(
    (line) => /['"]/.test(line) && line.includes(name) && /import|from|export/.test(line),
  )
  return index === -1 ? null : index + 1
}
