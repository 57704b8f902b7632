import { randomUUID } from 'node:crypto'

/** What a log line can hold as one word, whatever reads the log. */
const acceptable = /^[\x21-\x7e]{1,128}$/

/** The caller's `x-request-id` where it is 1 to 128 printable ASCII characters without a space, else a new one. */
export function requestId(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' && acceptable.test(header) ? header : randomUUID()
}
