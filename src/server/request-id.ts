import { randomUUID } from 'node:crypto'

/** What a log line can hold as one word, whatever reads the log. */
const acceptable = /^[\x21-\x7e]{1,128}$/

const lastDigits = Array.from({ length: 0x1000 }, (_, number) => number.toString(16).padStart(3, '0'))

export type RequestId = (header: string | readonly string[] | undefined) => string

/**
 * The caller's `x-request-id` where it is 1 to 128 printable ASCII characters without a space, else a new UUID. Those that
 * follow one another differ in their last three digits, of 4,096 one is drawn: drawing each took a microsecond.
 */
export function requestIds(): RequestId {
  let drawn = ''
  let used = lastDigits.length
  return (header) => {
    if (typeof header === 'string' && acceptable.test(header)) return header
    if (used === lastDigits.length) {
      drawn = randomUUID().slice(0, -3)
      used = 0
    }
    const id = `${drawn}${lastDigits[used]}`
    used += 1
    return id
  }
}
