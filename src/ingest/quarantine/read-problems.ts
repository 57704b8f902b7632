import type { Registry } from '../../registry/registry.ts'
import type { QuarantinedEntry } from '../../stores/quarantine-store.ts'
import { entryContent } from './entry-content.ts'

/** One of the problems that a reason names. */
export interface RowProblem {
  /** As the reason names it; null: of the whole row. */
  readonly column: string | null
  /** As it came. */
  readonly value: unknown
  readonly message: string
}

const ofEvent = /^an event of source "[^"]*" does not fit: /
const ofRow = /^a row of feature view "[^"]*" does not fit: /

/** A reason → its problems, in order, each with its column and the value that stands there. */
export function readProblems(
  registry: Pick<Registry, 'eventSources'>,
  { name, reason, content }: Pick<QuarantinedEntry, 'name' | 'reason' | 'content'>,
): readonly RowProblem[] {
  const values = valuesByLabel(registry, name, content)
  const problems: RowProblem[] = []
  for (const part of reason.replace(ofEvent, '').replace(ofRow, '').split('; ')) {
    const [, label = '', message = ''] = /^([^:]+): (.*)$/s.exec(part) ?? []
    const last = problems.at(-1)
    const goesOn = last !== undefined && endsInside(last.message)
    if (values.has(label) && !goesOn)
      problems.push({ column: label, value: values.get(label) ?? null, message })
    else if (last) problems[problems.length - 1] = { ...last, message: `${last.message}; ${part}` }
    else problems.push({ column: null, value: null, message: part })
  }
  return problems
}

/** A text that came may hold what looks like the beginning of the next problem; a long one is cut. */
function endsInside(message: string): boolean {
  const quotes = message.replace(/\\./g, '').split('"').length - 1
  return quotes % 2 === 1 && !message.endsWith('…')
}

function valuesByLabel(
  { eventSources }: Pick<Registry, 'eventSources'>,
  name: string,
  content: unknown,
): ReadonlyMap<string, unknown> {
  const parsed = entryContent.safeParse(content)
  if (!parsed.success) return new Map()
  const { key, values, eventTimestamp, createdTimestamp, eventId } = parsed.data
  const all: Readonly<Record<string, unknown>> = { ...values, ...key }
  const labels = new Map<string, unknown>(Object.entries(all))
  const source = eventSources.find((one) => one.name === name)
  for (const field of source?.fields ?? []) labels.set(field.column, all[field.name])
  if (source) labels.set(source.eventTimestamp, eventTimestamp)
  if (source?.eventId != null) labels.set(source.eventId, eventId)
  return labels
    .set('event timestamp', eventTimestamp)
    .set('created timestamp', createdTimestamp)
    .set('event id', eventId)
}
