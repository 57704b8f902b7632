/** Bytes that grow: whole numbers in as few as they need, floats in eight, text in UTF-8 with its length in front. */
export interface ByteWriter {
  /** From 0 to 2^53 - 1. */
  readonly count: (value: number) => void
  /** From -2^52 to 2^52 - 1: the bytes of `integer`, without a BigInt. */
  readonly signed: (value: number) => void
  readonly integer: (value: bigint) => void
  readonly float: (value: number) => void
  readonly byte: (value: number) => void
  readonly text: (value: string) => void
  readonly bytes: (value: Uint8Array) => void
  /** A copy of what was written since the last call. */
  readonly take: () => Buffer
}

export function byteWriter(): ByteWriter {
  let buffer = Buffer.allocUnsafe(1_024)
  let end = 0

  function need(bytes: number): void {
    if (end + bytes <= buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, end + bytes))
    buffer.copy(larger, 0, 0, end)
    buffer = larger
  }
  function count(value: number): void {
    need(8)
    let rest = value
    // Beyond 2^31 bitwise operators would cut it.
    while (rest >= 0x8000_0000) {
      buffer[end] = (rest % 128) | 128
      end += 1
      rest = Math.floor(rest / 128)
    }
    while (rest >= 128) {
      buffer[end] = (rest & 127) | 128
      end += 1
      rest >>>= 7
    }
    buffer[end] = rest
    end += 1
  }
  function bytes(value: Uint8Array): void {
    count(value.length)
    need(value.length)
    buffer.set(value, end)
    end += value.length
  }

  return {
    count,
    bytes,
    // Zigzag, so that small negative numbers are short too.
    signed: (value) => count(value < 0 ? -2 * value - 1 : 2 * value),
    integer(value) {
      let rest = value < 0n ? -2n * value - 1n : 2n * value
      need(1)
      while (rest >= 128n) {
        need(2)
        buffer[end] = Number(rest % 128n) | 128
        end += 1
        rest /= 128n
      }
      buffer[end] = Number(rest)
      end += 1
    },
    float(value) {
      need(8)
      end = buffer.writeDoubleLE(value, end)
    },
    byte(value) {
      need(1)
      buffer[end] = value
      end += 1
    },
    text: (value) => bytes(Buffer.from(value, 'utf8')),
    take() {
      const taken = Buffer.from(buffer.subarray(0, end))
      end = 0
      return taken
    },
  }
}

/** Reads what a `ByteWriter` wrote; throws RangeError behind the end, never reads on. */
export interface ByteReader {
  readonly count: () => number
  readonly signed: () => number
  readonly integer: () => bigint
  readonly float: () => number
  readonly byte: () => number
  readonly text: () => string
  readonly bytes: () => Buffer
  readonly isAtEnd: () => boolean
}

export function byteReader(buffer: Buffer, start = 0, end = buffer.length): ByteReader {
  let at = start

  function byte(): number {
    if (at >= end) throw new RangeError('bytes end in the middle')
    const value = buffer[at] ?? 0
    at += 1
    return value
  }
  function count(): number {
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const next = byte()
      value += (next & 127) * unit
      if (next < 128) return value
      if (unit > 2 ** 49) throw new RangeError('a count is larger than 2^53')
    }
  }
  function bytes(): Buffer {
    const length = count()
    if (at + length > end) throw new RangeError('bytes end in the middle')
    at += length
    return buffer.subarray(at - length, at)
  }

  return {
    byte,
    count,
    bytes,
    signed() {
      const value = count()
      return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    },
    integer() {
      let value = 0n
      for (let shift = 0n; ; shift += 7n) {
        const next = byte()
        value |= BigInt(next & 127) << shift
        if (next < 128) break
      }
      return value % 2n === 0n ? value / 2n : -(value + 1n) / 2n
    },
    float() {
      if (at + 8 > end) throw new RangeError('bytes end in the middle')
      at += 8
      return buffer.readDoubleLE(at - 8)
    },
    text: () => bytes().toString('utf8'),
    isAtEnd: () => at >= end,
  }
}
