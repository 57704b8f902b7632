import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSchema, parse, validate } from 'graphql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildRegistry } from '../../src/registry/build-registry.ts'
import { blocksOf } from './doc-blocks.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-docs-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const examples = ['README.md', 'docs/definitions.md'].flatMap((page) =>
  blocksOf(page, 'ts').map((text, index) => [`${page}, ${index + 1}`, text] as const),
)

it.each(examples)('the definitions of %s are a registry', async (_, text) => {
  const file = join(folder, `${Math.random()}.ts`)
  await writeFile(file, text)
  const exported: Readonly<Record<string, unknown>> = await import(file)
  const values = Object.values(exported)
  expect(values.length).toBeGreaterThan(1)
  expect(buildRegistry(values.map((value) => ({ path: 'here', value }))).views.length).toBeGreaterThan(0)
})

it('the mutation of docs/deletion.md is one of the schema', () => {
  const schema = buildSchema(readFileSync('schema/schema.graphql', 'utf8'))
  const [mutation = ''] = blocksOf('docs/deletion.md', 'text')
  expect(mutation).toContain('deleteCustomer')
  expect(validate(schema, parse(mutation))).toEqual([])
})
