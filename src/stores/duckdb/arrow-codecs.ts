import { CompressionType, compressionRegistry } from 'apache-arrow'
import { decompress as unpackZstd } from 'fzstd'
import { decompress as unpackLz4 } from 'lz4js'
import { BadUserInput, messageOf } from '../../errors.ts'

const unpack: readonly (readonly [CompressionType, string, (data: Uint8Array) => Uint8Array])[] = [
  [CompressionType.LZ4_FRAME, 'LZ4', unpackLz4],
  [CompressionType.ZSTD, 'ZSTD', (data) => unpackZstd(data)],
]

/** So that buffers packed by LZ4 or ZSTD are read; once a process. */
export function unpackBuffers(): void {
  for (const [type, name, decode] of unpack) {
    compressionRegistry.set(type, {
      decode(data) {
        try {
          // A copy of its own begins where numbers of 8 bytes may.
          return decode(data).slice()
        } catch (error) {
          throw new BadUserInput(
            `its buffers are packed by ${name} and cannot be unpacked (${messageOf(error)}); write it without, as df.to_feather(path, compression='uncompressed')`,
          )
        }
      },
    })
  }
}
