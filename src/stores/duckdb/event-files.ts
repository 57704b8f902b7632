import { BadUserInput } from '../../errors.ts'
import type { EventFiles } from '../event-files.ts'
import type { LakeAccess } from '../lake-access.ts'
import { firstLineOf } from './duckdb-files.ts'
import { listedParts } from './listed-parts.ts'
import { connectDuckDb } from './open-duckdb.ts'
import { readWanted, type Wanted } from './wanted-columns.ts'

const exportedColumns: readonly Wanted[] = [
  { name: '_counted_at', type: 'timestamp', isOptional: true },
  { name: '_topic', type: 'string', isOptional: true },
  { name: '_partition', type: 'int32', isOptional: true },
  { name: '_offset', type: 'int64', isOptional: true },
  { name: 'counts', type: 'bool', isOptional: true },
]

/** Events in Parquet, looked at by DuckDB. */
export function duckDbEventFiles(lake: LakeAccess): EventFiles {
  return {
    async formOf(folder, fields) {
      const { connection, close } = await connectDuckDb({ lake, paths: [folder] })
      try {
        const { parts } = await listedParts(connection, folder)
        if (parts.length === 0)
          throw new BadUserInput(`${folder} has no Parquet file (.parquet) of events, at any depth below it`)
        const wanted = [
          ...fields.map(({ name, type }): Wanted => ({ name, type, isOptional: false })),
          { name: 'event_timestamp', type: 'timestamp', isOptional: false } as const,
          ...exportedColumns,
        ]
        const { problems, names } = await readWanted(connection, parts, wanted)
        const found = exportedColumns.filter(({ name }) => names.has(name))
        const isExported = found.length === exportedColumns.length
        if (found.length > 0 && !isExported)
          throw new BadUserInput(
            `${folder}: of the columns ${exportedColumns.map(({ name }) => name).join(', ')} it has only ${found.map(({ name }) => name).join(', ')}; expected all of them, as \`featuregraph export\` writes them, or none`,
          )
        if (problems.length > 0)
          throw new BadUserInput(problems.map((problem) => `${folder}: ${problem}`).join('\n'))
        return isExported ? 'EXPORTED' : 'PLAIN'
      } catch (error) {
        if (error instanceof BadUserInput) throw error
        throw new BadUserInput(`${folder} cannot be read as Parquet: ${firstLineOf(error)}`)
      } finally {
        close()
      }
    },
  }
}
