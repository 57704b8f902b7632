/** Bytes of a file, both included. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

/**
 * What a `Range` header asks for: one range in bytes; WHOLE where there is none, where there are several (which a server may
 * answer so) and where it is no range (RFC 9110, 14.2); UNSATISFIABLE where it begins behind the end.
 */
export function byteRange(header: string | undefined, bytes: number): ByteRange | 'WHOLE' | 'UNSATISFIABLE' {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.trim() ?? '') ?? []
  if (first === '' && last === '') return 'WHOLE'
  if (first === '') {
    // The last so many.
    const length = Math.min(Number(last), bytes)
    return length === 0 ? 'UNSATISFIABLE' : { from: bytes - length, to: bytes - 1 }
  }
  const from = Number(first)
  const to = last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1)
  if (last !== '' && Number(last) < from) return 'WHOLE'
  return from >= bytes ? 'UNSATISFIABLE' : { from, to }
}
