import { setTimeout as sleep } from 'node:timers/promises'
import { formatTimestamp } from '../definitions/timestamp.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { deleteEntity } from '../ingest/deletion/delete-entity.ts'
import type { DeletionReceipt } from '../ingest/deletion/deletion-receipt.ts'
import { argumentKey } from './argument-key.ts'
import { named } from './named.ts'
import { textTable } from './text-table.ts'
import { withStores } from './with-stores.ts'

/** `featuregraph delete-entity <entity> <key…>`: prints what was deleted where, and what is out of reach. */
export async function deleteOne(name: string, texts: readonly string[]): Promise<void> {
  await withStores('WRITTEN', async ({ registry, stores, layouts, audit, checkTables }) => {
    const entity = named('entity', registry.entities, name)
    const key = argumentKey(entity, texts)
    await checkTables()
    const targets = { ...stores, ...layouts, clock: systemClock }
    const receipt = await deleteEntity(targets, registry, entity, key, {
      sleep,
      waitMs: null,
      onWait: () => process.stderr.write('waiting for the end of what began to write before\n'),
    })
    audit.done('DELETE_ENTITY', entity.name)
    process.stdout.write(receiptText(receipt))
  })
}

function receiptText({ entity, deletedAt, counts, notReached }: DeletionReceipt): string {
  const table = textTable([
    ['PLACE', 'ROWS DELETED'],
    ...counts.map(({ place, rows }) => [place, String(rows)]),
  ])
  const missed = notReached.map((what) => `  ${what}\n`).join('')
  return `${entity}: deleted up to ${formatTimestamp(deletedAt)}; what is dated until then is refused from now on\n${table}not reached:\n${missed}`
}
