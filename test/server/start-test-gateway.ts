import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { readConfig } from '../../src/config/read-config.ts'
import type { Clock, Micros } from '../../src/definitions/timestamp.ts'
import { type Gateway, type StartOptions, startGateway } from '../../src/gateway/start-gateway.ts'
import { systemClock } from '../../src/gateway/system-clock.ts'
import { acceptRow } from '../../src/ingest/accept/accept-row.ts'
import { openRowLayouts } from '../../src/online/row-layouts.ts'
import { type WrittenRows, writeRows } from '../ingest/push/write-rows.ts'
import { worldFolder } from '../services/plain-definitions.ts'
import { execute } from '../services/postgres.ts'
import { untilWorks } from '../services/wait-until.ts'

/** The tables that the world's mapped views read. */
const mappedTables = `
  create schema if not exists shop;
  create table if not exists shop.orders
    (order_id bigint, buyer bigint, total numeric, shipped timestamp, ordered_at timestamptz, loaded_at timestamptz);
  create table if not exists shop.naps (customer_id bigint, napped_at timestamptz, seconds double precision)`

export interface TestRow {
  readonly key: Readonly<Record<string, unknown>>
  readonly values: Readonly<Record<string, unknown>>
  readonly at: Micros
  readonly created?: Micros | null
}

/** An answer as JSON has it; `text` is the body as it came. */
export interface Answer {
  readonly status: number
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
  readonly data: any
  readonly errors: readonly AnswerError[] | undefined
}

export interface AnswerError {
  readonly message: string
  readonly path?: readonly (string | number)[]
  readonly extensions: Readonly<Record<string, unknown>> & { readonly code: string }
}

export interface TestGateway {
  readonly gateway: Gateway
  readonly url: string
  readonly ask: (
    query: string,
    variables?: Readonly<Record<string, unknown>>,
    options?: { readonly signal?: AbortSignal; readonly headers?: Readonly<Record<string, string>> },
  ) => Promise<Answer>
  /** Through `acceptRow` and `writeRows`, as real data goes. */
  readonly write: (view: string, rows: readonly TestRow[]) => Promise<WrittenRows>
  /** The whole key of a view's row in the online store. */
  readonly keyPrefix: (view: string) => string
  /** `/metrics`, by the line: `featuregraph_rows_total{view="…",status="…"}` → its number. */
  readonly metrics: () => Promise<ReadonlyMap<string, number>>
  /** Resolves when `/readyz` says so. */
  readonly ready: () => Promise<void>
  /** Lines that were logged, as JSON. */
  readonly logLines: readonly string[]
  readonly close: () => Promise<void>
}

export interface TestGatewayOptions {
  readonly offlineUrl: string
  readonly onlineUrl: string
  /** Without the prefix; they win. */
  readonly settings?: Readonly<Record<string, string>>
  readonly clock?: Clock
  /** Default true: resolves when all dependencies answer. */
  readonly waitUntilReady?: boolean
  /** Default true: the mapped views' tables are made first. */
  readonly makeTables?: boolean
  readonly apartTrainingJob?: StartOptions['apartTrainingJob']
}

/** A project of its own, since the run's Redis is shared by test files. */
export function newProject(): string {
  return `t${randomUUID().replaceAll('-', '').slice(0, 20)}`
}

/** The whole gateway in this process, listening on a free port, with the definitions of `test/world`. */
export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const settings = {
    HOST: '127.0.0.1',
    PORT: '0',
    DEMO: 'false',
    SCHEMA: worldFolder(),
    PROJECT: newProject(),
    OFFLINE_URL: options.offlineUrl,
    ONLINE_URL: options.onlineUrl,
    LOG_LEVEL: 'trace',
    // A neighbour on a busy machine is no failure; tests of deadlines set their own.
    ONLINE_TIMEOUT_MS: '60000',
    OFFLINE_TIMEOUT_MS: '60000',
    ...options.settings,
  }
  const config = readConfig(
    Object.fromEntries(Object.entries(settings).map(([name, value]) => [`FEATUREGRAPH_${name}`, value])),
  )
  const logLines: string[] = []
  const log = pino({ level: config.logLevel }, { write: (line: string) => logLines.push(line) })
  const clock = options.clock ?? systemClock
  if (options.makeTables ?? true) await execute(options.offlineUrl, mappedTables)
  const { apartTrainingJob } = options
  const gateway = await startGateway(config, {
    ...{ log, clock },
    ...(apartTrainingJob ? { apartTrainingJob } : {}),
  })
  const { url, registry, stores } = gateway
  const layouts = await openRowLayouts(config.project, registry, stores.registry, stores.guardRecord)
  const targets = { ...stores, ...layouts, clock }
  const viewOf = (name: string) => {
    const view = registry.views.find((candidate) => candidate.name === name)
    if (!view || view.kind === 'STREAM') throw new Error(`the world has no view ${name} with rows`)
    return view
  }
  const ready = async (): Promise<void> => {
    await untilWorks(async () => {
      const answer = await fetch(`${url}/readyz`)
      const text = await answer.text()
      if (answer.status !== 200) throw new Error(`not ready: ${text}`)
    })
  }
  const started: TestGateway = {
    gateway,
    url,
    ready,
    logLines,
    close: gateway.close,
    keyPrefix: (view) => layouts.keyPrefix(viewOf(view), 0),
    async ask(query, variables = {}, { signal, headers = {} } = {}) {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query, variables }),
        ...(signal ? { signal } : {}),
      })
      const text = await response.text()
      const { data, errors } = JSON.parse(text) as Pick<Answer, 'data' | 'errors'>
      return { status: response.status, text, data, errors }
    },
    write(name, rows) {
      const view = viewOf(name)
      const accepted = rows.map(({ key, values, at, created = at }) =>
        acceptRow(view, { key, values, eventTimestamp: at, createdTimestamp: created }),
      )
      return writeRows(targets, view, accepted)
    },
    async metrics() {
      const text = await (await fetch(`${url}/metrics`)).text()
      const samples = text.split('\n').flatMap((line): [string, number][] => {
        const [, name, value] = /^([a-z]\S*(?:\{.*\})?) (\S+)$/i.exec(line) ?? []
        return name === undefined ? [] : [[name, Number(value)]]
      })
      return new Map(samples)
    },
  }
  try {
    if (options.waitUntilReady ?? true) await ready()
  } catch (error) {
    await gateway.close()
    throw error
  }
  return started
}
