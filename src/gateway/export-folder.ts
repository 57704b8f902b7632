import type { ExportFolder } from '../stores/export-files.ts'
import { localExportFolder } from '../stores/files/local-folder.ts'
import { isObjectUrl, type LakeAccess } from '../stores/lake-access.ts'
import { objectExportFolder } from '../stores/s3/export-folder.ts'
import { openObjectStore } from '../stores/s3/object-store.ts'

/** A folder of this machine, or objects under `s3://…`. */
export function exportFolder(path: string, { s3 }: LakeAccess): ExportFolder {
  return isObjectUrl(path) ? objectExportFolder(openObjectStore(s3), path) : localExportFolder(path)
}
