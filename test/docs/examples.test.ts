import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildSchema, parse, validate } from 'graphql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildSchema as buildGatewaySchema, printSdl } from '../../src/graph/build-schema.ts'
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

it('the query of a project of one’s own in docs/clients.md is one of the definitions that init writes', async () => {
  const definitions: object = await import('../../src/init/project/schema/plants.ts')
  const values = Object.values(definitions)
  const schema = buildSchema(
    printSdl(buildGatewaySchema(buildRegistry(values.map((value) => ({ path: 'here', value }))))),
  )
  const [snippet = ''] = blocksOf('docs/clients.md', 'ts').filter((text) => text.includes('last-watering.ts'))
  const [, query = ''] = /graphql\(`([^`]*)`/.exec(snippet) ?? []
  expect(query).toContain('plant(')
  expect(validate(schema, parse(query))).toEqual([])
})
