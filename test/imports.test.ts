import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

/**
 * What each folder of src may import, besides itself. Data flows definitions → registry → graph → online … → stores. The
 * folders of `ingest/` and `stores/postgres/` stand in the order of their levels: each may import those above it only.
 */
const ports = ['stores (ports)', 'stores/online-value']
const pure = ['definitions', 'windows', 'errors.ts']
const ingest = [...pure, 'registry', 'quality', ...ports, 'ingest (shared)']
const postgres = [...pure, ...ports, 'pg', 'zod']
const allowed: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  'rate-limit.ts': [],
  definitions: ['errors.ts', 'zod'],
  registry: ['definitions', 'windows', 'errors.ts', 'zod', 'tsx', 'croner'],
  'registry/versions': [
    ...['definitions', 'registry', 'windows', 'stores (ports)', 'stores/online-value', 'errors.ts', 'zod'],
  ],
  windows: ['definitions', 'errors.ts'],
  'stores/online-value': pure,
  'stores (ports)': ['definitions', 'windows', 'errors.ts', 'stores/online-value'],
  'stores/redis': [...pure, ...ports, 'ioredis'],
  'stores/kafka': [...pure, ...ports, 'rate-limit.ts', '@platformatic/kafka'],
  'stores/duckdb': [
    ...[...pure, ...ports, 'stores/engine-run', '@duckdb/node-api', '@duckdb/node-bindings'],
    ...['apache-arrow', 'fzstd', 'lz4js'],
  ],
  'stores/duckdb/lake': [...pure, ...ports, 'stores/duckdb', '@duckdb/node-api'],
  // SQL that several engines run: text alone.
  'stores/join-sql': [...pure, ...ports, 'stores/window-sql'],
  'stores/duckdb/joins': [
    ...[...pure, ...ports, 'stores/join-sql', 'stores/duckdb', 'stores/duckdb/lake', '@duckdb/node-api'],
  ],
  'stores/files': [...pure, ...ports],
  'stores/memory': [...pure, ...ports],
  // What the engines over files share: their scripts, which know no engine, and what stands in an output.
  'stores/window-sql': [...pure, ...ports],
  'stores/engine-run': [...pure, ...ports],
  'stores/spark': [...pure, ...ports, 'stores/engine-run', 'zod'],
  'stores/s3': [...pure, ...ports, 'aws4fetch'],
  'stores/sqlite': [...pure, ...ports, 'node-sqlite3-wasm', 'zod'],
  'stores/postgres/sql': [...postgres, 'pg-copy-streams'],
  'stores/postgres/tables': [...postgres, 'stores/postgres/sql'],
  'stores/postgres/system': [...postgres, 'stores/postgres/sql'],
  'stores/postgres/deletion': [...postgres, ...inPostgres('sql', 'tables')],
  'stores/postgres/events': [...postgres, ...inPostgres('sql', 'tables', 'system', 'deletion')],
  'stores/postgres/windows': [...postgres, ...inPostgres('sql', 'tables', 'system', 'deletion', 'events')],
  'stores/postgres/features': [...postgres, ...inPostgres('sql', 'tables', 'deletion', 'windows')],
  'stores/postgres/analysts': [...postgres, ...inPostgres('sql', 'tables', 'windows')],
  'stores/postgres/quarantine': [
    ...postgres,
    ...inPostgres('sql', 'tables', 'system', 'deletion', 'events', 'windows', 'features', 'imports'),
  ],
  'stores/postgres/imports': [
    ...[...postgres, 'pg-copy-streams'],
    ...inPostgres('sql', 'tables', 'system', 'deletion', 'events'),
  ],
  'stores/postgres/export': [
    ...postgres,
    ...inPostgres('sql', 'tables', 'deletion', 'events', 'windows', 'features'),
  ],
  'stores/postgres/training': [...postgres, ...inPostgres('sql')],
  'stores/postgres': [...postgres, ...inPostgres('sql')],
  quality: ['definitions', 'registry', 'stores (ports)', 'errors.ts'],
  'on-demand': [...pure, 'registry', 'tsx'],
  online: [...pure, ...ports, 'registry', 'quality', 'on-demand'],
  historical: [
    ...[...pure, ...ports, 'registry', 'on-demand', 'online', 'quality', 'ingest/accept', 'ingest/files'],
    ...['zod', 'historical/plan'],
  ],
  // What the offline store shows of itself and of the rows asked for decides; nothing is read.
  'historical/plan': [...pure, ...ports],
  'historical/jobs': [
    ...[...pure, ...ports, 'registry', 'registry/versions', 'online', 'historical', 'historical/plan'],
  ],
  'ingest (shared)': [...pure, 'registry', ...ports],
  'ingest/accept': [...ingest, 'zod'],
  'ingest/snapshots': [...ingest, 'ingest/accept', 'stores/window-sql', 'zod'],
  'ingest/materialize': ingest,
  'ingest/tiles': [...ingest, 'lru-cache', 'zod'],
  'ingest/files': [...ingest, 'ingest/accept'],
  'ingest/push': [...ingest, 'ingest/accept', 'ingest/materialize', 'zod'],
  'ingest/stream': [...ingest, 'ingest/accept', 'ingest/push', 'ingest/tiles'],
  'ingest/export': [...ingest, 'zod'],
  'ingest/quarantine': [...ingest, 'ingest/accept', 'ingest/files', 'ingest/push', 'zod'],
  'ingest/deletion': [...ingest, 'ingest/tiles'],
  'ingest/refill': [...ingest, 'ingest/deletion', 'ingest/materialize', 'ingest/tiles'],
  'ingest/worker': [...ingest, 'ingest/materialize', 'ingest/refill', 'ingest/snapshots'],
  graph: [
    ...[...pure, ...ports, 'registry', 'registry/versions', 'on-demand', 'online', 'historical'],
    'historical/jobs',
    ...['ingest/push', 'ingest/deletion'],
    ...['graphql', 'graphql-jit', 'type-graphql', 'reflect-metadata', 'dataloader', 'lru-cache'],
    ...['@apollo/server', '@apollo/server-gateway-interface'],
  ],
  server: [
    ...[
      'graph',
      'on-demand',
      'online',
      'historical',
      'historical/jobs',
      'ingest (shared)',
      'ingest/accept',
      'ingest/push',
    ],
    ...['registry', 'definitions', 'stores (ports)', 'errors.ts', 'config'],
    ...['fastify', '@apollo/server', '@as-integrations/fastify', '@fastify/cors', 'prom-client', 'lru-cache'],
    // The page is bundled for the browser; only it uses these.
    ...['react', 'react-dom', 'graphiql', '@graphiql/toolkit', 'esbuild'],
  ],
  // What `featuregraph/testing` gives: the rules of all of these, over lists in memory.
  testing: [
    ...pure,
    ...ports,
    'registry',
    'quality',
    'on-demand',
    'online',
    'ingest/accept',
    'ingest/push',
    'stores/memory',
  ],
  // With the definitions and the test of a new project, which name the package as their user does.
  init: ['definitions', 'registry', 'errors.ts', 'zod', 'featuregraph'],
  config: ['definitions', 'registry', 'stores (ports)', 'errors.ts', 'zod'],
  embedded: ['errors.ts', 'pg', 'zod'],
  demo: [
    ...[...pure, ...ports, 'registry', 'online', 'ingest (shared)', 'pg', 'pino', 'zod'],
    ...['accept', 'files', 'push', 'snapshots', 'materialize', 'tiles'].map((folder) => `ingest/${folder}`),
    // Its mark stands in a table of its own in the offline database.
    ...inPostgres('sql', 'tables'),
  ],
}

function inPostgres(...folders: readonly string[]): readonly string[] {
  return folders.map((folder) => `stores/postgres/${folder}`)
}

/** Entry points and what only they import may use anything. */
const unbounded = new Set(['gateway', 'cli.ts', 'cli', 'featuregraph.js', 'source-digest.js'])
/** Parts that only entry points may import. */
const entryOnly = [
  ...unbounded,
  'embedded',
  ...['redis', 'postgres', 'memory', 'duckdb', 'files', 'kafka', 's3', 'spark', 'sqlite'].map(inStores),
]
const isEntryOnly = (part: string): boolean =>
  entryOnly.some((one) => part === one || part.startsWith(`${one}/`))

function inStores(backend: string): string {
  return `stores/${backend}`
}

const root = path.resolve(import.meta.dirname, '../src')

interface Import {
  readonly from: string
  readonly to: string
  /** Erased by the compiler, so no part of a cycle at run time. */
  readonly typeOnly: boolean
  /** Loaded when it is reached, not with the file. */
  readonly dynamic: boolean
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
    ...[...text.matchAll(statement)].map(([, type, to]) => ({
      ...{ to, typeOnly: type !== undefined, dynamic: false },
    })),
    ...[...text.matchAll(dynamic)].map(([, to]) => ({ to, typeOnly: false, dynamic: true })),
  ]
  return found.flatMap(({ to, ...kind }) => {
    if (to === undefined || to.startsWith('node:')) return []
    const target = to.startsWith('.') ? path.normalize(path.join(path.dirname(file), to)) : to
    return [{ from: file, to: target, ...kind }]
  })
}

/** The row of the table that a file belongs to; a package is its own. */
function partOf(target: string): string {
  const folders = target.split('/')
  const [first = '', second = ''] = folders
  if (first.startsWith('@')) return `${first}/${second}`
  if (first === 'stores') return folders.length === 2 ? 'stores (ports)' : folders.slice(0, -1).join('/')
  if (first === 'ingest') return folders.length === 2 ? 'ingest (shared)' : folders.slice(0, -1).join('/')
  const inside = ['registry/versions', 'historical/jobs', 'historical/plan'].find((one) =>
    target.startsWith(`${one}/`),
  )
  return inside ?? first
}

const imports = sourceFiles().flatMap(importsOf)

describe('imports under src', () => {
  it('are found at all', () => {
    expect(imports.length).toBeGreaterThan(100)
    const kind = { typeOnly: false, dynamic: false }
    expect(imports).toContainEqual({ from: 'graph/row-loader.ts', to: 'dataloader', ...kind })
  })

  it('point only where the table allows', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [source, target] = [partOf(from), partOf(to)]
      if (source === target || unbounded.has(source)) return false
      return !(allowed[source] ?? []).includes(target)
    })
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  it('know a backend by name only in entry points, memory in the tests of users, and Postgres in the demo, whose mark stands there', () => {
    const knowsPostgres = (part: string): boolean => part === 'demo' || part.startsWith('stores/postgres')
    const wrong = imports.filter(({ from, to }) => {
      const [source, target] = [partOf(from), partOf(to)]
      if (source === target || unbounded.has(source) || !isEntryOnly(target)) return false
      if (source === 'testing' && target === 'stores/memory') return false
      if (source.startsWith('stores/duckdb') && target.startsWith('stores/duckdb')) return false
      return !(knowsPostgres(source) && target.startsWith('stores/postgres'))
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

  it('have a row for every folder, so that none is held by nothing', () => {
    const parts = new Set(imports.map(({ from }) => partOf(from)).filter((part) => !unbounded.has(part)))
    expect([...parts].filter((part) => allowed[part] === undefined)).toEqual([])
  })

  it('see type-graphql in graph/ only', () => {
    expect(imports.filter(({ to, from }) => to === 'type-graphql' && partOf(from) !== 'graph')).toEqual([])
  })
})

/** Everything that a file loads at its start. */
function loadedBy(start: string): ReadonlySet<string> {
  const loaded = new Set<string>()
  const visit = (file: string): void => {
    if (loaded.has(file)) return
    loaded.add(file)
    for (const { from, to, typeOnly, dynamic } of imports)
      if (from === file && !typeOnly && !dynamic) visit(to)
  }
  visit(start)
  return loaded
}

describe('a command loads at its start', () => {
  const heavy = [
    '@apollo/server',
    'fastify',
    'graphql',
    '@duckdb/node-api',
    '@duckdb/node-bindings',
    '@platformatic/kafka',
    'ioredis',
    'node-sqlite3-wasm',
    'tsx',
  ]
  const light = [
    ...['migrate', 'status', 'runs', 'materialize', 'batch', 'worker', 'delete-entity'],
    ...['plan', 'diff', 'rollback', 'prune', 'history', 'show-version', 'apply'],
  ]

  it('is found with what it imports', () => {
    expect(loadedBy('cli/serve.ts')).toContain('@apollo/server')
    expect(loadedBy('cli/migrate.ts')).toContain('pg')
  })

  for (const command of light) {
    it(`none of the gateway's, the files' and the stream's packages: featuregraph ${command}`, () => {
      const packages = [...loadedBy(`cli/${command}.ts`)].map((file) => file.replace(/^(tsx)\/.*/, '$1'))
      expect(packages.filter((one) => heavy.includes(one))).toEqual([])
    })
  }

  it('only the parser of arguments, to say what commands there are: featuregraph --help', () => {
    expect([...loadedBy('cli.ts')].toSorted()).toEqual([
      ...[
        'cli.ts',
        'cli/command-examples.ts',
        'cli/paint.ts',
        'cli/unknown-subcommands.ts',
        'commander',
        'errors.ts',
      ],
    ])
  })
})
