import type { Micros } from '../../definitions/timestamp.ts'
import type { FeatureRow } from '../../definitions/value.ts'
import { InvalidRow } from '../../errors.ts'
import { checkRow } from '../../quality/check-row.ts'
import type { StoredView } from '../../registry/registry.ts'
import type { QuarantinedEntry, RetriedEvent, RetriedRow } from '../../stores/quarantine-store.ts'
import { type AcceptEvent, eventAcceptor, invalid } from '../accept/accept-event.ts'
import { acceptRow } from '../accept/accept-row.ts'
import { type JsonLine, readJsonLine } from '../accept/read-json-line.ts'
import { asMessage, entryContent, withBytes } from './entry-content.ts'
import { judgeFileEntry } from './judge-file-entry.ts'
import type { RetryTarget } from './retry-target.ts'

export type EntryVerdict =
  | { readonly status: 'EVENT'; readonly event: RetriedEvent }
  | { readonly status: 'ROW'; readonly row: Omit<RetriedRow, 'id'> }
  | { readonly status: 'STAYS'; readonly reason: string }

/** An entry by today's definitions and the time of today, whatever its reason was. Pure. */
export type JudgeEntry = (entry: QuarantinedEntry, now: Micros) => EntryVerdict

export function entryJudge(target: RetryTarget): JudgeEntry {
  if (target.kind === 'ROWS') {
    const { view, files } = target
    return (entry, now) => {
      switch (entry.cameBy) {
        case 'push':
          return judgePushedRow(view, entry, now)
        case 'file':
          return files === null ? stays(notFromFiles) : judgeFileEntry(files, entry, now)
        case 'batch':
          return stays(`it is computed: \`featuregraph batch ${view.name} --stale\` computes it again`)
        case 'message':
          return stays('a feature view takes no messages')
      }
    }
  }
  const { source, files } = target
  const accept = eventAcceptor(source)
  return (entry, now) => {
    switch (entry.cameBy) {
      case 'message': {
        const read = readJsonLine(entry.message?.value ?? new Uint8Array())
        return judgeEvent(accept, read, now)
      }
      case 'push':
        return judgeEvent(accept, { json: asMessage(source, entry.content) }, now)
      case 'file':
        return judgeFileEntry(files, entry, now)
      case 'batch':
        return stays('an event source computes no rows')
    }
  }
}

const notFromFiles = 'the feature view has no file source any more'

function stays(reason: string): EntryVerdict {
  return { status: 'STAYS', reason }
}

function judgeEvent(accept: AcceptEvent, read: JsonLine, now: Micros): EntryVerdict {
  const verdict = 'unreadable' in read ? invalid(read.unreadable) : accept(read.json, now)
  if (verdict.status === 'REFUSED') return stays(verdict.message)
  return { status: 'EVENT', event: { ...verdict.event, violations: verdict.violations } }
}

function judgePushedRow(view: StoredView, { content }: QuarantinedEntry, now: Micros): EntryVerdict {
  const parsed = entryContent.safeParse(content)
  if (!parsed.success) return stays('it does not have the shape of a pushed row')
  const { key, values, eventTimestamp } = parsed.data
  const accepted = accept(view, {
    key,
    values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, withBytes(value)])),
    eventTimestamp: Number(eventTimestamp),
    createdTimestamp: now,
  })
  return accepted instanceof InvalidRow ? stays(accepted.message) : expected(view, accepted, now)
}

function accept(view: StoredView, offered: Parameters<typeof acceptRow>[1]): FeatureRow | InvalidRow {
  try {
    return acceptRow(view, offered)
  } catch (error) {
    if (error instanceof InvalidRow) return error
    throw error
  }
}

function expected(view: StoredView, row: FeatureRow, now: Micros): EntryVerdict {
  const { violations, action } = checkRow(view, row, now)
  if (action === null || action === 'warn') return { status: 'ROW', row: { row, violations } }
  return stays(violations.map(({ feature, message }) => `${feature}: ${message}`).join('; '))
}
