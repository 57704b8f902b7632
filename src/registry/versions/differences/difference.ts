import { formatDuration } from '../../../definitions/duration.ts'
import type { Broken, Change } from '../changes.ts'

/** What differs within one definition. */
export type Difference = Omit<Change, 'place'>

/** `what: old → new` where these are not the same as JSON; in a list, so that it can be spread. */
export function differs(
  what: string,
  before: unknown,
  after: unknown,
  breaks: readonly Broken[] = [],
): readonly Difference[] {
  if (same(before, after)) return []
  const [old, today] = [shownValue(before), shownValue(after)]
  // They may differ behind what is shown.
  return [{ how: 'changed', text: `${what}: ${old === today ? 'changed' : `${old} → ${today}`}`, breaks }]
}

/** As `differs`, of values that were put in words, or null for none. */
export function differsInWords(
  what: string,
  before: string | null,
  after: string | null,
  breaks: readonly Broken[] = [],
): readonly Difference[] {
  if (before === after) return []
  return [{ how: 'changed', text: `${what}: ${before ?? 'none'} → ${after ?? 'none'}`, breaks }]
}

/** The same things in another order, by what they are known by; nothing where some are added or removed. */
export function differsInOrder(
  what: string,
  before: readonly string[],
  after: readonly string[],
  {
    breaks = [],
    names = after,
  }: { readonly breaks?: readonly Broken[]; readonly names?: readonly string[] } = {},
): readonly Difference[] {
  const [old, today] = [new Set(before), new Set(after)]
  const [left, right] = [before.filter((one) => today.has(one)), after.filter((one) => old.has(one))]
  if (same(left, right)) return []
  return [{ how: 'changed', text: `order of ${what}: now ${shownList(names)}`, breaks }]
}

export function same(before: unknown, after: unknown): boolean {
  return JSON.stringify(before) === JSON.stringify(after)
}

const shownCharacters = 80
const shownItems = 8

function shownValue(value: unknown): string {
  if (value === null || value === undefined) return 'none'
  if (typeof value === 'string') return shorter(/^[\w.@ /*-]+$/.test(value) ? value : JSON.stringify(value))
  if (Array.isArray(value)) return value.length === 0 ? 'none' : shorter(value.map(shownValue).join(', '))
  if (typeof value !== 'object') return String(value)
  const parts = Object.entries(value).flatMap(([name, inner]) => {
    if (inner === null || inner === undefined || inner === false) return []
    if (name.endsWith('Micros')) return [`${name.replace('Micros', '')} ${formatDuration(Number(inner))}`]
    return [`${name} ${shownValue(inner)}`]
  })
  return parts.length === 0 ? 'none' : shorter(parts.join(', '))
}

/** `a, b and 12 more` */
export function shownList(names: readonly string[]): string {
  if (names.length <= shownItems) return names.join(', ')
  return `${names.slice(0, shownItems).join(', ')} and ${names.length - shownItems} more`
}

function shorter(text: string): string {
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text
}

/** `1 feature`, `2 features` */
export function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`
}
