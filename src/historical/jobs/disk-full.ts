import { errorCode, messageOf, StorageFull } from '../../errors.ts'

const codes: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])
/** DuckDB gives the system's words only. */
const words = /no space left on device|disk quota exceeded/i

/** Whether a file could not be written for want of room. */
export function isDiskFull(error: unknown): boolean {
  return codes.has(errorCode(error)) || words.test(messageOf(error))
}

/** Throws it on, as StorageFull where that is what it is. */
export function diskFull(error: unknown): never {
  if (!isDiskFull(error)) throw error
  throw new StorageFull('the disk of FEATUREGRAPH_FILES has no room left; nothing of it was kept', {
    cause: error,
  })
}
