import pg from 'pg'
import { FeaturegraphError } from '../../../errors.ts'

/** Grouping and sorting some ten million events; one statement at a time, so it is not taken many times over. */
const workMem = '256MB'

/** Reads all of one moment from here on; answers the id of the oldest transaction that was under way then. */
export async function beginReading(client: pg.Client): Promise<string> {
  await client.query('begin isolation level repeatable read read only')
  await client.query(`set local work_mem = '${workMem}'`)
  return await readXmin(client)
}

/** The id of the oldest transaction that is under way. */
export async function readXmin(client: Pick<pg.Client, 'query'>): Promise<string> {
  const { rows } = await client.query<{ xmin: string }>(
    'select pg_snapshot_xmin(pg_current_snapshot())::text as xmin',
  )
  return rows[0]?.xmin ?? '0'
}

/**
 * Three connections beside the pool, ended whatever happens, and with them what was not committed. What fails of theirs is
 * thrown by `failed`.
 */
export async function withClients<Result>(
  pool: pg.Pool,
  failed: (cause: unknown) => never,
  work: (...clients: readonly [pg.Client, pg.Client, pg.Client]) => Promise<Result>,
): Promise<Result> {
  const open = (): pg.Client => {
    const client = new pg.Client(pool.options)
    // The statement that it breaks is rejected; without a listener it would end the process.
    client.on('error', () => {})
    return client
  }
  const clients = [open(), open(), open()] as const
  try {
    await Promise.all(clients.map((client) => client.connect())).catch(failed)
    return await work(...clients)
  } finally {
    for (const client of clients) endNow(client)
  }
}

/** Without waiting for a COPY that is under way. */
function endNow(client: pg.Client): void {
  const { stream } = (client as unknown as { readonly connection: { readonly stream: { destroy(): void } } })
    .connection
  client.end().catch(() => {})
  stream.destroy()
}

/** What iterating throws is thrown by `failed`, errors of the project's own as they are. */
export async function* failing<Item>(
  items: AsyncIterable<Item>,
  failed: (cause: unknown) => never,
): AsyncGenerator<Item> {
  const iterator = items[Symbol.asyncIterator]()
  for (;;) {
    const next = await iterator.next().catch((error: unknown) => {
      throw error instanceof FeaturegraphError ? error : failed(error)
    })
    if (next.done === true) return
    yield next.value
  }
}
