import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OnDemandFailed } from '../../src/errors.ts'
import { type ComputeFailure, computePlan, computeRow } from '../../src/on-demand/compute-row.ts'
import { functionsIn } from '../../src/on-demand/functions.ts'
import { openComputeThread } from '../../src/on-demand/open-compute-thread.ts'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import { loadDefinitions } from '../../src/registry/load.ts'
import { moduleDigest } from '../../src/registry/module-digest.ts'
import type { OnDemandView } from '../../src/registry/registry.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-on-demand-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Plain objects, as a file without the package has them. */
function file(name: string, compute: string, types = `{ f: 'float64' }`): string {
  return `import { times } from './times'
export const ${name} = {
  kind: 'on-demand-view', name: '${name}', entity: 'one',
  inputs: [{ kind: 'request', name: 'x', type: 'float64' }, { kind: 'request', name: 'words', type: 'string[]' }],
  features: ${types},
  compute: ${compute},
}
`
}

const one = `export const one = { kind: 'entity', name: 'one', joinKeys: { id: 'int64' } }\n`
const times = 'export const times: number = 2\n'

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)))
}

async function views(): Promise<readonly OnDemandView[]> {
  const { definitions, unloaded } = await loadDefinitions(folder)
  return buildRegistry(definitions, unloaded).onDemandViews
}

function found(all: readonly OnDemandView[], name: string): OnDemandView {
  const view = all.find((candidate) => candidate.name === name)
  if (!view) throw new Error(`there is no view ${name}`)
  return view
}

describe('the digest of a module', () => {
  it('is of its text and of what it imports by a relative path, wherever that stands and however its lines end', async () => {
    await write({
      'a.ts': `import { b } from './b.js'\nimport { z } from 'zod'\nexport const a = [b, z]\n`,
      'b.ts': `export * from './c'\nimport './a.ts'\nexport const b = 1\n`,
      'c.ts': 'export const c = 1\n',
    })
    const first = await moduleDigest(join(folder, 'a.ts'))
    const of = async (files: Readonly<Record<string, string>>): Promise<string> => {
      await write(files)
      return await moduleDigest(join(folder, 'a.ts'))
    }
    expect(await of({ 'c.ts': 'export const c = 2\n' })).not.toBe(first)
    expect(await of({ 'c.ts': 'export const c = 1\r\n' })).toBe(first)
    expect(await of({ 'd.ts': 'export const d = 1\n' })).toBe(first)
    await Promise.all(['a.ts', 'b.ts', 'c.ts', 'd.ts'].map((name) => rm(join(folder, name))))
  })
})

describe('the functions of a folder', () => {
  it('are found by the module that was applied, stay when the files change, and another one never answers', async () => {
    await write({
      'one.ts': one,
      'times.ts': times,
      'double.ts': file('doubled', '({ x }) => ({ f: x * times })'),
    })
    const before = found(await views(), 'doubled')
    const functions = functionsIn(folder)
    expect(await functions.load([before])).toEqual([])
    const input = { x: 3, words: null }
    expect(functions.find(before)?.(input)).toEqual({ f: 6 })

    await write({ 'times.ts': times.replace('2', '7') })
    const after = found(await views(), 'doubled')
    expect(functions.find(after)).toBeNull()
    expect(await functions.load([after])).toEqual([])
    expect([functions.find(before)?.(input), functions.find(after)?.(input)]).toEqual([{ f: 6 }, { f: 21 }])

    // Another process has only what the files are now.
    const other = functionsIn(folder)
    expect((await other.load([before, after])).map(({ module }) => module)).toEqual([before.module])
    expect([other.find(before), other.find({ ...after, name: 'tripled' })]).toEqual([null, null])
    expect(await functionsIn('/nowhere/at/all').load([before])).toEqual([before])
  })
})

describe('a thread that computes', () => {
  it('answers each row as this process does, also where the function fails', async () => {
    await write({
      'times.ts': times,
      'double.ts': file(
        'doubled',
        `({ x, words }) => {
          if (x === 0) throw new Error('nothing')
          if (x === 1) return { f: () => 1 }
          words?.push('seen')
          return { f: x === null ? null : x * times, w: words, t: x > 5 ? NaN : 1 }
        }`,
        `{ f: 'float64', w: 'string[]', t: 'float32' }`,
      ),
    })
    const view = found(await views(), 'doubled')
    const functions = functionsIn(folder)
    await functions.load([view])
    const compute = functions.find(view)
    if (compute === null) throw new Error('the function was not loaded')
    const rows = [
      [3, ['a']],
      [0, null],
      [1, []],
      [null, null],
      [9, ['b', 'c']],
    ]
    const failures: ComputeFailure[] = []
    const thread = openComputeThread({
      folder,
      views: [view],
      onFailure: (failure) => failures.push(failure),
    })
    const there = await thread.compute(view, rows)
    const here = rows.map((row) => computeRow(computePlan(view), compute, row, () => {}))
    expect(there).toEqual(here)
    expect(there.map(({ status }) => status)).toEqual(['PRESENT', 'FAILED', 'FAILED', 'PRESENT', 'PRESENT'])
    expect(there[4]?.values).toEqual([18, ['b', 'c', 'seen'], null])
    expect(rows[4]?.[1]).toEqual(['b', 'c'])
    expect(failures).toMatchObject([
      { kind: 'THREW', message: 'Error: nothing' },
      { kind: 'WRONG_TYPE', message: 'f: expected a number, a function came' },
    ])
    const [many, none] = await Promise.all([
      thread.compute(
        view,
        Array.from({ length: 20_000 }, (_, index) => [index + 2, null]),
      ),
      thread.compute(view, []),
    ])
    expect([many.length, many[19_999]?.values[0], none]).toEqual([20_000, 40_002, []])
    await thread.close()
  })

  it('ends a loop without an end with an error that names the view, and starts again for the next batch', async () => {
    await write({ 'double.ts': file('doubled', '({ x }) => { while (x === 0); return { f: x } }') })
    const view = found(await views(), 'doubled')
    const thread = openComputeThread({ folder, views: [view], onFailure: () => {}, deadlineMs: 500 })
    const endless = thread.compute(view, [
      [1, null],
      [0, null],
    ])
    await expect(endless).rejects.toThrow(OnDemandFailed)
    await expect(endless).rejects.toThrow(
      'the function of on-demand view "doubled", for 2 rows, did not come to an end within 0.5 s; look for a loop without an end, or for work that takes long',
    )
    expect(await thread.compute(view, [[5, null]])).toMatchObject([{ values: [5] }])
    await thread.close()
  })

  it('refuses where the function that was applied is in none of the files, and what ends the thread', async () => {
    await write({
      'double.ts': file('doubled', '({ x }) => { if (x === 1) process.exit(3); return { f: x } }'),
    })
    const view = found(await views(), 'doubled')
    const options = { folder, onFailure: () => {} }
    const other = { ...view, module: 'another' }
    const lacking = openComputeThread({ ...options, views: [other] })
    await expect(lacking.compute(other, [[1, null]])).rejects.toThrow(
      `the functions of doubled, as they were applied, are not among the files in ${folder}; take the files of the version that is applied`,
    )
    const thread = openComputeThread({ ...options, views: [view] })
    await expect(thread.compute(view, [[1, null]])).rejects.toThrow('ended its thread')
    await Promise.all([thread.close(), lacking.close()])
  })
})
