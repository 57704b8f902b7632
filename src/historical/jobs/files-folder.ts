import path from 'node:path'
import type { Spine } from '../../stores/spine-store.ts'

/** Where the files of one project's spines and training sets stand; all gateways share the folder. */
export interface FilesFolder {
  readonly spines: string
  readonly sets: string
  readonly spine: (spine: Pick<Spine, 'id' | 'format'>) => string
  /** Of an upload that has not ended. */
  readonly upload: (id: string, format: Spine['format']) => string
  readonly set: (id: string) => string
  readonly inSet: (id: string, file: string) => string
}

/** Names that begin so are of what is being written. */
export const unfinished = '.upload-'
export const cardFile = 'card.json'

export function filesFolder(root: string, project: string): FilesFolder {
  const spines = path.join(root, project, 'spines')
  const sets = path.join(root, project, 'training-sets')
  return {
    spines,
    sets,
    spine: ({ id, format }) => path.join(spines, `${id}.${format}`),
    upload: (id, format) => path.join(spines, `${unfinished}${id}.${format}`),
    set: (id) => path.join(sets, id),
    inSet: (id, file) => path.join(sets, id, file),
  }
}
