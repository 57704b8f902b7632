import type pg from 'pg'

/** One message's bytes stand in `bytes` from `start` to `end`, until it returns. */
export type ReceiveMessage = (bytes: Buffer, start: number, end: number) => void

const [copyData, copyOutResponse, parameterStatus, notice, notification] = ['d', 'H', 'S', 'N', 'A'].map(
  (letter) => letter.charCodeAt(0),
)
/** A message's letter, and its length, which counts itself. */
const headBytes = 5

/**
 * Runs `copy … to stdout` and hands on the data of its messages where the socket left them (manual, "Frontend/Backend
 * Protocol": of a server each is one row). pg-copy-streams makes several objects and copies of each, which is half of what a
 * million rows cost. Rejects when the statement fails, or with what `receive` throws.
 */
export function copyMessages(client: pg.ClientBase, text: string, receive: ReceiveMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(new CopyMessages(text, receive, resolve, reject))
  })
}

type DataListener = (piece: Buffer) => void

/** What `pg` calls of a query of its own making. */
class CopyMessages {
  private readonly text: string
  private readonly receive: ReceiveMessage
  private readonly done: () => void
  private readonly failed: (error: unknown) => void
  private failure: { readonly error: unknown } | null = null
  private rest: Buffer = Buffer.alloc(0)
  private detach: () => void = () => {}

  constructor(text: string, receive: ReceiveMessage, done: () => void, failed: (error: unknown) => void) {
    this.text = text
    this.receive = receive
    this.done = done
    this.failed = failed
  }

  /** Stands in for the driver's reading of the socket while data comes. */
  submit(connection: pg.Connection): void {
    const { stream } = connection
    const others = stream.listeners('data') as DataListener[]
    const read: DataListener = (piece) => {
      const left = this.take(piece)
      if (left === null) return
      this.detach()
      for (const listener of others) listener(left)
    }
    stream.on('data', read)
    for (const listener of others) stream.removeListener('data', listener)
    this.detach = () => {
      this.detach = () => {}
      for (const listener of others) stream.on('data', listener)
      stream.removeListener('data', read)
    }
    connection.query(this.text)
  }

  /** What is not for it, from the first such message on. */
  private take(piece: Buffer): Buffer | null {
    const bytes = this.rest.length === 0 ? piece : Buffer.concat([this.rest, piece])
    let at = 0
    while (at + headBytes <= bytes.length) {
      const code = bytes[at]
      const isData = code === copyData
      if (
        !isData &&
        code !== copyOutResponse &&
        code !== parameterStatus &&
        code !== notice &&
        code !== notification
      ) {
        this.rest = Buffer.alloc(0)
        return bytes.subarray(at)
      }
      const end = at + 1 + bytes.readUInt32BE(at + 1)
      if (end > bytes.length) break
      if (isData) this.handOn(bytes, at + headBytes, end)
      at = end
    }
    this.rest = bytes.subarray(at)
    return null
  }

  private handOn(bytes: Buffer, start: number, end: number): void {
    if (this.failure !== null) return
    try {
      this.receive(bytes, start, end)
    } catch (error) {
      // The rest of the data passes by: the connection stays sound.
      this.failure = { error }
    }
  }

  handleError(error: unknown): void {
    this.detach()
    this.failed(error)
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    if (this.failure === null) this.done()
    else this.failed(this.failure.error)
  }
}
