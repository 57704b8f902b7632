import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'

const folder = fileURLToPath(new URL('.', import.meta.url))

/** Fails unless the committed file (below `test/golden/`) holds this very text; `UPDATE_GOLDEN=1` writes it instead. */
export async function expectGolden(file: string, text: string): Promise<void> {
  const path = join(folder, file)
  if (process.env['UPDATE_GOLDEN'] === '1') {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
    return
  }
  const committed = await readFile(path, 'utf8').catch(
    () => `(missing; run with UPDATE_GOLDEN=1 to write ${file})`,
  )
  expect(text, `test/golden/${file}`).toBe(committed)
}

/** One row a line, so that a difference shows its row. Bytes as `\x00ff`. */
export function rowsAsJson(rows: readonly unknown[]): string {
  return `[\n${rows.map((row) => `  ${JSON.stringify(asJson(row))}`).join(',\n')}\n]\n`
}

function asJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return value.map(asJson)
  return value
}

/** Names of the committed files of a folder, so that a file without a case is found. */
export async function goldenFiles(name: string): Promise<readonly string[]> {
  return (await readdir(join(folder, name))).sort()
}
