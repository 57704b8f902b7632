import { setTimeout as sleep } from 'node:timers/promises'
import { formatTimestamp } from '../definitions/timestamp.ts'
import { acceptKeyValue, type EntityKey } from '../definitions/value.ts'
import { BadUserInput } from '../errors.ts'
import { systemClock } from '../gateway/system-clock.ts'
import { deleteEntity } from '../ingest/deletion/delete-entity.ts'
import type { DeletionReceipt } from '../ingest/deletion/deletion-receipt.ts'
import type { Entity } from '../registry/registry.ts'
import { named } from './named.ts'
import { textTable } from './text-table.ts'
import { withStores } from './with-stores.ts'

/** `featuregraph delete-entity <entity> <key…>`: prints what was deleted where, and what is out of reach. */
export async function deleteOne(name: string, texts: readonly string[]): Promise<void> {
  await withStores(async ({ registry, stores, layouts, makeTables }) => {
    const entity = named('entity', registry.entities, name)
    const key = readKey(entity, texts)
    await makeTables()
    const targets = { ...stores, ...layouts, clock: systemClock }
    const receipt = await deleteEntity(targets, registry, entity, key, {
      sleep,
      waitMs: null,
      onWait: () => process.stderr.write('waiting for the end of what began to write before\n'),
    })
    process.stdout.write(told(receipt))
  })
}

/** @throws BadUserInput naming every value that does not fit, with what was expected. */
function readKey({ name, joinKeys }: Entity, texts: readonly string[]): EntityKey {
  if (texts.length !== joinKeys.length) {
    const expected = joinKeys.map((joinKey) => `${joinKey.name} (${joinKey.type})`).join(', ')
    throw new BadUserInput(
      `the key of entity "${name}" is ${expected}: expected ${joinKeys.length} value(s), ${texts.length} came`,
    )
  }
  const problems: string[] = []
  const key = joinKeys.map((joinKey, place) => {
    const text = texts[place] ?? ''
    // `01` and `1e3` are no integers as they are written everywhere else.
    const isInteger = joinKey.type === 'int32' && /^(?:0|-?[1-9]\d*)$/.test(text)
    const outcome = acceptKeyValue(joinKey.type, isInteger ? Number(text) : text)
    if (outcome.ok) return outcome.value
    problems.push(`${joinKey.name}: expected ${outcome.expected}; got ${JSON.stringify(text)}`)
    return ''
  })
  if (problems.length > 0) throw new BadUserInput(problems.join('\n'))
  return key
}

function told({ entity, deletedAt, counts, notReached }: DeletionReceipt): string {
  const table = textTable([
    ['PLACE', 'ROWS DELETED'],
    ...counts.map(({ place, rows }) => [place, String(rows)]),
  ])
  const missed = notReached.map((what) => `  ${what}\n`).join('')
  return `${entity}: deleted up to ${formatTimestamp(deletedAt)}; what is dated until then is refused from now on\n${table}not reached:\n${missed}`
}
