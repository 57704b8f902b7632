import { createHash } from 'node:crypto'
import { noNumbers, type OpenedFile } from '../../stores/file-reader.ts'

/** A file with the columns that its folders give. */
export interface PartitionedFile extends OpenedFile {
  /** Their values are TEXT, whatever the file's form. */
  readonly textColumns: ReadonlySet<string>
}

/** Hive's way to write that a partition has no value. */
const noValue = '__HIVE_DEFAULT_PARTITION__'

/** The columns of a file in a dataset by Hive's rule: each folder on its way that is called `name=value`. */
export function partitionColumns(path: string): ReadonlyMap<string, string | null> {
  const folders = path.split('/').slice(0, -1)
  return new Map(
    folders.flatMap((folder) => {
      const [, name, value] = /^([^=]+)=(.*)$/.exec(folder) ?? []
      if (name === undefined || value === undefined) return []
      return [[unescaped(name), value === noValue || value === '' ? null : unescaped(value)] as const]
    }),
  )
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A column that the file has itself wins. */
export function withPartitions(
  opened: OpenedFile,
  partitions: ReadonlyMap<string, string | null>,
): PartitionedFile {
  const added = new Map([...partitions].filter(([name]) => !opened.columns.includes(name)))
  const textColumns = new Set(added.keys())
  if (added.size === 0) return { ...opened, textColumns }
  return {
    ...opened,
    columns: [...opened.columns, ...added.keys()],
    textColumns,
    async *read(wanted) {
      for await (const batch of opened.read(wanted.filter(({ column }) => !added.has(column)))) {
        const own = batch.columns[Symbol.iterator]()
        const columns = wanted.map(({ column }): readonly unknown[] =>
          added.has(column) ? batch.rowNumbers.map(() => added.get(column)) : (own.next().value ?? []),
        )
        yield { ...batch, columns, numbers: noNumbers }
      }
    },
  }
}

/** What distinguishes one file from another: its bytes, and the values that its folders give to columns that are read. */
export function partitionedDigest(
  digest: string,
  partitions: ReadonlyMap<string, string | null>,
  { textColumns }: PartitionedFile,
  read: readonly { readonly column: string }[],
): string {
  const used = [...partitions].filter(
    ([name]) => textColumns.has(name) && read.some(({ column }) => column === name),
  )
  if (used.length === 0) return digest
  return createHash('sha256')
    .update(JSON.stringify([digest, used.sort()]))
    .digest('hex')
}
