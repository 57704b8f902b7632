import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)
const repository = fileURLToPath(new URL('../..', import.meta.url))

it('every answer of the bench is right, and its operations are answered directly from their third use on', async () => {
  const { stdout } = await run(process.execPath, ['--import', 'tsx', 'bench/online/run.ts', '--quick'], {
    cwd: repository,
  })
  for (const row of ['1 | 1 | floor', '100 | 32 | default Apollo', '100 | 32 | **gateway**, with freshness'])
    expect(stdout).toContain(`| ${row} |`)
  for (const row of [
    '10 | 32 | **gateway**, a new text each time',
    '500 | 100 | **gateway**, vectors by column',
  ])
    expect(stdout).toContain(`| ${row} |`)
  // Features, freshness and vectors: a text each, which is interpreted and compiled once.
  const [, direct, compiled] = /: direct (\d+), compiled (\d+), interpreted \d+\./.exec(stdout) ?? []
  expect([Number(direct) > 100, compiled]).toEqual([true, '3'])
})
