import { errorCode, FeaturegraphError, messageOf, StorageFull } from '../../errors.ts'

/** @throws StorageFull where the folder's disk has no room left; else the error itself. */
export function refuseFullDisk(path: string, error: unknown): never {
  const isFull = errorCode(error) === 'ENOSPC' || /no space left on device/i.test(messageOf(error))
  if (error instanceof FeaturegraphError || !isFull) throw error
  throw new StorageFull(
    `${path}: the disk has no room left; the files that are there are whole, and the same command goes on with them once there is room`,
    { cause: error },
  )
}
