import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { formatTimestamp } from '../definitions/timestamp.ts'
import { BadUserInput, errorCode } from '../errors.ts'
import { readProblems } from '../ingest/quarantine/read-problems.ts'
import { rowAsItCame } from '../ingest/quarantine/row-as-it-came.ts'
import type { Registry } from '../registry/registry.ts'
import type { QuarantinedEntry, QuarantineFilter } from '../stores/quarantine-store.ts'
import { namedBy, type QuarantineArguments, quarantineFilter } from './quarantine.ts'
import { shownText } from './shown-text.ts'
import { textTable } from './text-table.ts'
import { type CommandWorld, withStores } from './with-stores.ts'

const shownEntries = 100
const pageEntries = 500

/** `featuregraph quarantine show`: the newest 100, a line for each problem of a row. */
export async function showQuarantine(name: string | undefined, asked: QuarantineArguments): Promise<void> {
  await withStores('UNUSED', async (world) => {
    const { filter } = await quarantineFilter(world, name, asked)
    const question = { ...filter, order: 'NEWEST_FIRST', past: null, first: shownEntries + 1 } as const
    const found = (await world.stores.quarantine.page(question)).map(namedBy(world.registry))
    const rows = found.slice(0, shownEntries).flatMap((entry) => {
      const about = [formatTimestamp(entry.recordedAt), entry.name, entry.cameBy, locationOf(entry)]
      return readProblems(world.registry, entry).map(({ column, value, message }) => [
        ...about.map(shownText),
        column === null ? '-' : shownText(column),
        value === null || value === undefined ? '-' : shownText(JSON.stringify(value)),
        shownText(message),
      ])
    })
    const head = ['RECORDED', 'SOURCE OR VIEW', 'CAME BY', 'FROM', 'COLUMN', 'VALUE', 'REASON']
    process.stdout.write(textTable([head, ...rows]))
    if (found.length > shownEntries)
      process.stderr.write(`only the newest ${shownEntries} are shown; export has all\n`)
  })
}

/** `featuregraph quarantine export`: a line of NDJSON each, the oldest first, to a new file or standard output. */
export async function exportQuarantine(
  name: string | undefined,
  { to, ...asked }: QuarantineArguments & { readonly to?: string },
): Promise<void> {
  await withStores('UNUSED', async (world) => {
    const { filter } = await quarantineFilter(world, name, asked)
    const out = to === undefined ? process.stdout : await newFile(to)
    let rows = 0
    for await (const line of exportLines(world, filter)) {
      rows += 1
      if (!out.write(line)) await once(out, 'drain')
    }
    if (to === undefined) return
    out.end()
    await finished(out)
    process.stderr.write(`${rows} rows written to ${to}\n`)
  })
}

async function newFile(path: string) {
  const stream = createWriteStream(path, { flags: 'wx' })
  await new Promise<void>((resolve, reject) => {
    stream.once('open', () => resolve())
    stream.once('error', (error) => {
      const isThere = errorCode(error) === 'EEXIST'
      const why = isThere ? 'is there already; name a new file' : `cannot be written: ${error.message}`
      reject(new BadUserInput(`--to: ${path} ${why}`))
    })
  })
  return stream
}

async function* exportLines(
  { registry, stores }: CommandWorld,
  filter: QuarantineFilter,
): AsyncGenerator<string> {
  for (let past: number | null = null; ; ) {
    const question = { ...filter, order: 'OLDEST_FIRST', past, first: pageEntries } as const
    const entries: readonly QuarantinedEntry[] = await stores.quarantine.page(question)
    for (const entry of entries.map(namedBy(registry))) yield `${JSON.stringify(exported(registry, entry))}\n`
    past = entries.at(-1)?.id ?? null
    if (past === null || entries.length < pageEntries) return
  }
}

function exported(registry: Registry, entry: QuarantinedEntry): object {
  const { id, name, cameBy, reason, recordedAt, file, message } = entry
  return {
    ...{ id, name, cameBy, reason, problems: readProblems(registry, entry) },
    recordedAt: formatTimestamp(recordedAt),
    ...(file === null ? {} : { file: file.path, fileRow: file.row }),
    ...(message === null
      ? {}
      : {
          ...{ topic: message.topic, partition: message.partition, offset: message.offset },
          key: message.key?.toString('base64') ?? null,
          message: message.value.toString('base64'),
        }),
    row: rowAsItCame(registry, entry),
  }
}

function locationOf({ file, message }: QuarantinedEntry): string {
  if (message !== null) return `${message.topic}/${message.partition}/${message.offset}`
  return file === null ? '-' : `${file.path} row ${file.row}`
}
