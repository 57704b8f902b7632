import { BadUserInput } from '../../errors.ts'
import { type FileFormat, type FoundFiles, fileFormats } from '../../stores/file-reader.ts'

const extensions: Readonly<Record<string, FileFormat>> = {
  parquet: 'parquet',
  csv: 'csv',
  'csv.gz': 'csv',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  'ndjson.gz': 'ndjson',
  'jsonl.gz': 'ndjson',
  json: 'json',
  'json.gz': 'json',
  arrow: 'arrow',
  feather: 'arrow',
}

/** @throws BadUserInput for an extension that says nothing. */
export function formatOf(file: string): FileFormat {
  const found = knownFormat(file)
  if (found) return found
  const known = Object.keys(extensions).map((extension) => `.${extension}`)
  throw new BadUserInput(
    `${file}: its name says no format; expected one of ${known.join(', ')}, or --format ${fileFormats.join('|')}`,
  )
}

function knownFormat(file: string): FileFormat | undefined {
  const lower = file.toLowerCase()
  return Object.entries(extensions).find(([extension]) => lower.endsWith(`.${extension}`))?.[1]
}

/**
 * The files to import of those that were found, and what is passed over: in a folder, without a format of its own for all,
 * files whose names say none.
 * @throws BadUserInput where nothing is left.
 */
export function filesToImport(
  pattern: string,
  { kind, files }: FoundFiles,
  format: FileFormat | null,
): { readonly files: readonly string[]; readonly passedOver: readonly string[] } {
  if (kind === 'FILES' || format !== null) return { files, passedOver: [] }
  const known = files.filter((file) => knownFormat(file) !== undefined)
  if (known.length === 0)
    throw new BadUserInput(
      `${pattern}: no name of its ${files.length} files says a format, as ${files[0]}; give one by --format ${fileFormats.join('|')}`,
    )
  return { files: known, passedOver: files.filter((file) => !known.includes(file)) }
}
