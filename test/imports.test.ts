import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

/** What each part of src may import, besides itself. Data flows definitions → registry → graph → online … → stores. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  definitions: ['errors.ts', 'zod'],
  registry: ['definitions', 'windows', 'errors.ts', 'zod', 'tsx', 'croner'],
  windows: ['definitions', 'errors.ts'],
  'stores (ports)': ['definitions', 'windows', 'errors.ts'],
  'stores/redis': ['stores (ports)', 'definitions', 'windows', 'errors.ts', 'ioredis'],
  'stores/kafka': ['stores (ports)', 'definitions', 'errors.ts', '@platformatic/kafka'],
  'stores/postgres': [
    ...['stores (ports)', 'definitions', 'windows', 'errors.ts'],
    ...['pg', 'pg-copy-streams', 'zod'],
  ],
  'stores/duckdb': ['stores (ports)', 'definitions', 'errors.ts', '@duckdb/node-api'],
  'stores/files': ['stores (ports)', 'definitions', 'errors.ts'],
  'stores/memory': ['stores (ports)', 'definitions', 'windows', 'errors.ts'],
  quality: ['definitions', 'registry', 'stores (ports)', 'errors.ts'],
  online: ['definitions', 'registry', 'windows', 'stores (ports)', 'errors.ts', 'quality'],
  historical: ['definitions', 'registry', 'windows', 'stores (ports)', 'errors.ts'],
  ingest: [
    ...['definitions', 'registry', 'windows', 'stores (ports)', 'errors.ts', 'quality'],
    ...['lru-cache', 'zod'],
  ],
  graph: [
    ...[
      'definitions',
      'registry',
      'windows',
      'stores (ports)',
      'online',
      'historical',
      'ingest',
      'errors.ts',
    ],
    ...['graphql', 'graphql-jit', 'type-graphql', 'reflect-metadata', 'dataloader', 'lru-cache'],
    ...['@apollo/server', '@apollo/server-gateway-interface'],
  ],
  server: [
    ...[
      'graph',
      'online',
      'historical',
      'ingest',
      'registry',
      'definitions',
      'stores (ports)',
      'errors.ts',
      'config.ts',
    ],
    ...['fastify', '@apollo/server', '@as-integrations/fastify', 'prom-client'],
    // The page is bundled for the browser; only it uses these.
    ...['react', 'react-dom', 'graphiql', '@graphiql/toolkit', 'esbuild'],
  ],
  'config.ts': ['definitions', 'errors.ts', 'zod'],
  embedded: ['errors.ts', 'pg', 'zod'],
}

/** Entry points and what only they import may use anything. */
const unbounded = new Set([
  'server.ts',
  'open-stores.ts',
  'open-worker.ts',
  'open-stream.ts',
  'cli.ts',
  'cli',
  'demo',
  'featuregraph.js',
  'source-digest.js',
])
/** Parts that only entry points may import. */
const entryOnly = new Set([
  ...[...unbounded, 'embedded', 'stores/redis', 'stores/postgres', 'stores/memory'],
  ...['stores/duckdb', 'stores/files', 'stores/kafka'],
])

const root = path.resolve(import.meta.dirname, '../src')

interface Import {
  readonly from: string
  readonly to: string
  /** Erased by the compiler, so no part of a cycle at run time. */
  readonly typeOnly: boolean
}

function sourceFiles(): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(?:ts|tsx|js)$/.test(name),
  )
}

const statement = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm
const dynamic = /import\('([^']+)'\)/g

function importsOf(file: string): Import[] {
  const text = readFileSync(path.join(root, file), 'utf8')
  const found = [
    ...[...text.matchAll(statement)].map(([, type, to]) => ({ to, typeOnly: type !== undefined })),
    ...[...text.matchAll(dynamic)].map(([, to]) => ({ to, typeOnly: false })),
  ]
  return found.flatMap(({ to, typeOnly }) => {
    if (to === undefined || to.startsWith('node:')) return []
    const target = to.startsWith('.') ? path.normalize(path.join(path.dirname(file), to)) : to
    return [{ from: file, to: target, typeOnly }]
  })
}

/** The row of the table that a file belongs to; a package is its own. */
function partOf(target: string): string {
  const [first = '', second = '', third] = target.split('/')
  if (first.startsWith('@')) return `${first}/${second}`
  if (first !== 'stores') return first
  return third === undefined ? 'stores (ports)' : `${first}/${second}`
}

const imports = sourceFiles().flatMap(importsOf)

describe('imports under src', () => {
  it('are found at all', () => {
    expect(imports.length).toBeGreaterThan(100)
    expect(imports).toContainEqual({ from: 'graph/row-loader.ts', to: 'dataloader', typeOnly: false })
  })

  it('point only where the table allows', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [source, target] = [partOf(from), partOf(to)]
      if (source === target || unbounded.has(source)) return false
      return !(allowed[source] ?? []).includes(target)
    })
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  it('know a backend by name only in entry points', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [source, target] = [partOf(from), partOf(to)]
      return source !== target && entryOnly.has(target) && !unbounded.has(source)
    })
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  it('make no cycle at run time', () => {
    const next = new Map<string, string[]>()
    for (const { from, to, typeOnly } of imports)
      if (!typeOnly) next.set(from, [...(next.get(from) ?? []), to])
    const done = new Set<string>()
    const cycles: string[] = []
    const visit = (file: string, way: readonly string[]): void => {
      if (way.includes(file)) cycles.push([...way.slice(way.indexOf(file)), file].join(' → '))
      if (done.has(file) || way.includes(file)) return
      for (const target of next.get(file) ?? []) visit(target, [...way, file])
      done.add(file)
    }
    for (const file of next.keys()) visit(file, [])
    expect(cycles).toEqual([])
  })

  it('see type-graphql in graph/ only', () => {
    expect(imports.filter(({ to, from }) => to === 'type-graphql' && partOf(from) !== 'graph')).toEqual([])
  })
})
