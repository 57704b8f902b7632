import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import type pg from 'pg'
import { type CopyStreamQuery, from as copyFrom } from 'pg-copy-streams'
import type { Value } from '../../../definitions/value.ts'
import type { ValueType } from '../../../definitions/value-type.ts'
import { copyEncoder, copyHeader, copyTrailer } from './copy-binary.ts'

/** Rows into a table by COPY, on the connection's transaction. */
export interface CopyRows {
  readonly add: (row: readonly (Value | null)[]) => void
  /** Whole rows as they are sent. */
  readonly addEncoded: (rows: Buffer) => void
  /** Hands on what has gathered, beginning a COPY if none is open; resolves when more may come. */
  readonly flush: () => Promise<void>
  /** As `flush`, and ends the COPY that is open: the connection takes other statements until the next one. */
  readonly end: () => Promise<void>
  /** Gives up a COPY that is open, if any: the transaction has failed then, and takes a rollback. */
  readonly abort: () => Promise<void>
  /** Bytes that have gathered. */
  readonly size: () => number
}

/** `into` is what stands between COPY and FROM: a table with its columns. */
export function copyRows(client: pg.ClientBase, into: string, types: readonly ValueType[]): CopyRows {
  const encoder = copyEncoder(types)
  let open: { readonly stream: CopyStreamQuery; readonly done: Promise<void> } | null = null
  let refused = false

  async function write(bytes: Buffer): Promise<void> {
    if (open === null) {
      const stream = client.query(copyFrom(`copy ${into} from stdin (format binary)`))
      const done = finished(stream)
      // The caller that  for it hears of its failure; before that it must not end the process.
      done.catch(() => {})
      // At once: a stream whose COPY the server has ended has no connection to write to.
      stream.once('error', () => {
        refused = true
      })
      open = { stream, done }
      stream.write(copyHeader())
    }
    if (refused) await open.done
    if (!open.stream.write(bytes)) await Promise.race([once(open.stream, 'drain'), open.done])
  }
  async function flush(): Promise<void> {
    if (encoder.size() > 0) await write(encoder.take())
  }

  return {
    add: encoder.add,
    addEncoded: encoder.addEncoded,
    size: encoder.size,
    flush,
    async end() {
      await flush()
      if (open === null) return
      const { stream, done } = open
      if (refused) await done
      open = null
      stream.end(copyTrailer())
      await done
    },
    async abort() {
      // The server ended it itself.
      if (open === null || refused) return
      open.stream.destroy()
      await open.done.catch(() => {})
    },
  }
}
