/**
 * The text of a generated writer: constants and values one after the other. It goes by `o`, the `JsonBytes`, and keeps
 * `b` (its bytes), `w` (a DataView over them) and `p` (the place) in variables; constants are stored four bytes at a time,
 * which costs a fifth of copying them.
 */
export class WriterCode {
  private readonly lines: string[] = []
  private pending = ''
  /** Bytes that may be written before the room is asked for again. */
  private needed = 0
  private roomAt: number

  constructor() {
    this.lines.push('let b, w, p', '')
    this.roomAt = 1
  }

  /** ASCII. */
  constant(text: string): void {
    this.pending += text
  }

  /** A statement that leaves `p` behind what it wrote, of at most `most` bytes. */
  value(statement: string, most: number): void {
    this.flush()
    this.needed += most
    this.lines.push(statement)
  }

  /** A statement that writes by `o` and asks for its own room. */
  foreign(statement: string): void {
    this.flush()
    this.lines.push('o.at = p', statement)
    this.endRoom()
    this.lines.push('')
    this.roomAt = this.lines.length - 1
  }

  /** The function's body; it ends with `o.at` behind all. */
  body(): string {
    this.flush()
    this.lines.push('o.at = p')
    this.endRoom()
    return this.lines.join('\n')
  }

  private endRoom(): void {
    this.lines[this.roomAt] = `o.room(${this.needed}); b = o.bytes; w = o.data; p = o.at`
    this.needed = 0
  }

  private flush(): void {
    const bytes = Buffer.from(this.pending, 'latin1')
    this.pending = ''
    if (bytes.length === 0) return
    const stores: string[] = []
    let place = 0
    for (; place + 4 <= bytes.length; place += 4)
      stores.push(`w.setUint32(p + ${place}, ${bytes.readUInt32LE(place)}, true)`)
    if (place + 2 <= bytes.length) {
      stores.push(`w.setUint16(p + ${place}, ${bytes.readUInt16LE(place)}, true)`)
      place += 2
    }
    if (place < bytes.length) stores.push(`b[p + ${place}] = ${bytes[place]}`)
    this.lines.push(...stores, `p += ${bytes.length}`)
    this.needed += bytes.length
  }
}
