import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FileReader } from '../file-reader.ts'
import { arrowToParquet } from './arrow-to-parquet.ts'
import { parquetFiles } from './parquet-file.ts'

/** Arrow IPC files and streams (Feather), read through a Parquet file beside other temporary ones, which is gone with `close`. */
export const arrowFiles: FileReader = {
  async open(path) {
    const folder = await mkdtemp(join(tmpdir(), 'featuregraph-arrow-'))
    const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
    try {
      const target = join(folder, 'rows.parquet')
      await arrowToParquet(path, folder, target)
      const opened = await parquetFiles.open(target)
      const close = async (): Promise<void> => {
        await opened.close()
        await remove()
      }
      return { ...opened, close }
    } catch (error) {
      await remove()
      throw error
    }
  },
}
