import { formatTimestamp } from '../definitions/timestamp.ts'
import { retryDeadLetters } from '../ingest/stream/retry-dead-letters.ts'
import type { DeadLetter } from '../stores/dead-letter-store.ts'
import { named } from './named.ts'
import { textTable } from './text-table.ts'
import { withStores } from './with-stores.ts'

const shownLetters = 100
const shownCharacters = 200

/** `featuregraph dead-letters list [source]`: the newest 100 as a table; with `json` all that there are, a line each, with their bytes in base64. */
export async function listDeadLetters(
  name: string | undefined,
  { json = false }: { readonly json?: boolean },
): Promise<void> {
  await withStores('UNUSED', async ({ registry, stores }) => {
    const source = name === undefined ? null : named('event source', registry.eventSources, name).name
    if (json) {
      for (let before: number | null = null; ; ) {
        const page: readonly DeadLetter[] = await stores.deadLetters.page({
          source,
          before,
          first: shownLetters,
        })
        for (const { key, value, recordedAt, ...letter } of page) {
          const bytes = { key: key?.toString('base64') ?? null, value: value.toString('base64') }
          process.stdout.write(
            `${JSON.stringify({ ...letter, recordedAt: formatTimestamp(recordedAt), ...bytes })}\n`,
          )
        }
        before = page.at(-1)?.id ?? null
        if (before === null) return
      }
    }
    const found = await stores.deadLetters.page({ source, before: null, first: shownLetters + 1 })
    const rows = found
      .slice(0, shownLetters)
      .map(({ recordedAt, source: of, topic, partition, offset, reason, value }) => [
        formatTimestamp(recordedAt),
        of,
        `${topic}/${partition}/${offset}`,
        shown(reason),
        shown(value.toString()),
      ])
    process.stdout.write(textTable([['PUT ASIDE', 'SOURCE', 'PLACE', 'REASON', 'MESSAGE'], ...rows]))
    if (found.length > shownLetters) process.stderr.write(`only the newest ${shownLetters} are shown\n`)
  })
}

/** `featuregraph dead-letters retry [source]`: what fits by now is stored, and why the others stay. */
export async function retryLetters(name: string | undefined): Promise<void> {
  await withStores('UNUSED', async ({ registry, stores, makeTables }) => {
    const sources =
      name === undefined
        ? registry.eventSources.filter(({ table }) => table === null)
        : [named('event source', registry.eventSources, name)]
    await makeTables()
    for (const source of sources) {
      const { kept, dropped, refused } = await retryDeadLetters(stores, source)
      const stay = [...refused.values()].reduce((sum, count) => sum + count, 0)
      process.stdout.write(`${source.name}: ${kept} kept, ${dropped} dropped, ${stay} stay\n`)
      for (const [reason, count] of refused) process.stdout.write(`  ${count}: ${shown(reason)}\n`)
    }
  })
}

/** A message is anybody's: what a terminal would take as a command is not shown. */
function shown(text: string): string {
  const short = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
  return short.replace(/\p{C}/gu, '·')
}
