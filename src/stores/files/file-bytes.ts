import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { BadUserInput, messageOf } from '../../errors.ts'

const readBytes = 262_144

/**
 * A file's bytes in pieces of about 256 KB; `.gz` is unpacked. `done` is how much of it has been read, from 0 to 1. The file
 * is closed when its pieces are at their end, or are left.
 * @throws BadUserInput where the file cannot be read, or its first bytes say that it is no text in UTF-8.
 */
export async function openBytes(
  path: string,
): Promise<{ readonly bytes: AsyncIterable<Buffer>; readonly done: () => number }> {
  const { size } = await stat(path)
  const file = createReadStream(path, { highWaterMark: readBytes })
  const unpacked = path.toLowerCase().endsWith('.gz')
    ? file.pipe(createGunzip({ chunkSize: readBytes }))
    : file
  // `pipe` hands on no errors.
  if (unpacked !== file) file.on('error', (error) => unpacked.destroy(error))

  async function* pieces(): AsyncGenerator<Buffer> {
    let isFirst = true
    try {
      for await (const piece of unpacked) {
        if (!Buffer.isBuffer(piece)) continue
        if (isFirst) refuseOtherBytes(path, piece)
        isFirst = false
        yield piece
      }
    } catch (error) {
      if (error instanceof BadUserInput) throw error
      throw new BadUserInput(`${path} cannot be read: ${messageOf(error)}`, { cause: error })
    } finally {
      file.destroy()
      if (unpacked !== file) unpacked.destroy()
    }
  }
  return { bytes: pieces(), done: () => (size === 0 ? 1 : file.bytesRead / size) }
}

/** What begins so is no text in UTF-8: how, and what to do. */
const beginnings: readonly (readonly [string, string])[] = [
  ['504152 31', 'is Parquet: import it with --format parquet'],
  ['1f8b', 'is packed by gzip: its name is to end in .gz'],
  ['504b0304', 'is a zip archive or a spreadsheet: unpack it, or save it as CSV in UTF-8'],
]

function refuseOtherBytes(path: string, start: Buffer): void {
  const encoding = utf16(start)
  if (encoding !== null) {
    const convert = `iconv -f ${encoding} -t UTF-8 ${path} > utf8-${path.split('/').at(-1)}`
    throw new BadUserInput(`${path} is ${encoding}; expected UTF-8: convert it, as ${convert}`)
  }
  const found = beginnings.find(([hex]) => start.toString('hex', 0, 8).startsWith(hex.replace(' ', '')))
  if (found) throw new BadUserInput(`${path} ${found[1]}`)
}

/** By the byte order mark, or since every other byte of the first characters is 0. */
function utf16(start: Buffer): 'UTF-16' | 'UTF-16LE' | 'UTF-16BE' | null {
  if (start.length < 2) return null
  const mark = start.readUInt16BE(0)
  if (mark === 0xfffe || mark === 0xfeff) return 'UTF-16'
  if (start.length < 4) return null
  const zeros = [0, 1, 2, 3].map((index) => start[index] === 0)
  if (zeros[1] && zeros[3] && !zeros[0]) return 'UTF-16LE'
  return zeros[0] && zeros[2] && !zeros[1] ? 'UTF-16BE' : null
}
