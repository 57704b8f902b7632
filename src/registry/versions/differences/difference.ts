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
  return [{ how: 'changed', text: `${what}: ${shownValue(before)} → ${shownValue(after)}`, breaks }]
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

/** The same things in another order; nothing where some are added or removed. */
export function differsInOrder(
  what: string,
  before: readonly string[],
  after: readonly string[],
  breaks: readonly Broken[] = [],
): readonly Difference[] {
  const [old, today] = [new Set(before), new Set(after)]
  const [left, right] = [before.filter((one) => today.has(one)), after.filter((one) => old.has(one))]
  if (same(left, right)) return []
  return [{ how: 'changed', text: `order of ${what}: ${shownList(left)} → ${shownList(right)}`, breaks }]
}

export function same(before: unknown, after: unknown): boolean {
  return JSON.stringify(before) === JSON.stringify(after)
}

const shownCharacters = 80
const shownItems = 8

function shownValue(value: unknown): string {
  if (value === null || value === undefined) return 'none'
  if (typeof value === 'string') return shorter(/^[\w.@ -]+$/.test(value) ? value : JSON.stringify(value))
  return shorter(JSON.stringify(value))
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
