import { normalize } from 'node:path'

/** What makes a path a pattern. */
export const wildcard = /[*?[]/

/**
 * Whether a file, or a folder that it is in, has a name that begins with `_` or `.`, as writers of datasets call what is not
 * of the data; names that the pattern gives before its first wildcard, and a beginning that it asks for, are meant.
 */
export function isHidden(file: string, pattern: string): boolean {
  const asked = normalize(pattern).split('/')
  const fixed = asked.findIndex((part) => wildcard.test(part))
  const found = normalize(file).split('/').slice(fixed)
  const isMeant = (start: string): boolean => asked.slice(fixed).some((part) => part.startsWith(start))
  return ['_', '.'].some((start) => !isMeant(start) && found.some((part) => part.startsWith(start)))
}
