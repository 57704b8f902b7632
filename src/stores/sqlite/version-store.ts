import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sqlite from 'node-sqlite3-wasm'
import { z } from 'zod'
import type { Clock } from '../../definitions/timestamp.ts'
import { FeaturegraphError, messageOf, RegistryUnreadable, StoreFailed } from '../../errors.ts'
import type { VersionArchive } from '../version-archive.ts'
import type { AppliedVersion, NewVersion, StoredVersion, VersionStore } from '../version-store.ts'

export interface OpenRegistryFile {
  readonly versions: VersionStore & VersionArchive
  readonly close: () => void
}

/** Says of a file that it is a registry, and how it is written; "fgrg". */
const applicationId = 0x66677267
const fileFormat = 1

const createSql = `create table versions (
  version integer primary key,
  digest text not null,
  format integer not null,
  content text not null,
  changed_in text not null,
  changes text not null,
  applied_at integer not null,
  applied_by text not null,
  message text,
  program text not null
);
pragma application_id = ${applicationId};
pragma user_version = ${fileFormat};`

const listOf = <Item extends z.ZodType>(item: Item) =>
  z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(item)

const appliedRow = z.object({
  version: z.number(),
  digest: z.string(),
  appliedAt: z.number(),
  appliedBy: z.string(),
  message: z.string().nullable(),
  changes: listOf(z.array(z.string())),
  program: z.string(),
})
const storedRow = appliedRow.extend({
  format: z.number(),
  content: z.string(),
  changedIn: listOf(z.record(z.string(), z.number())),
})

const applied = 'version, digest, applied_at as appliedAt, applied_by as appliedBy, message, changes, program'
const stored = `${applied}, format, content, changed_in as changedIn`
const insertSql = `insert into versions (${applied.replaceAll(/ as \w+/g, '')}, format, content, changed_in)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`

/**
 * The registry's versions in a file, of one project. `READ`: the file must be there, and is read as it is now, also where
 * nothing may be written beside it; `WRITE`: it is made where it is not there.
 * @throws RegistryUnreadable for a file that holds something else, or was written by a newer program; StoreFailed.
 */
export function openRegistryFile(file: string, mode: 'READ' | 'WRITE', clock: Clock): OpenRegistryFile {
  const { database, close } = mode === 'READ' ? openCopy(file) : openDatabase(file, file, mode)
  const transact = <Result>(work: () => Result): Result => {
    database.exec('begin immediate')
    try {
      const result = work()
      database.exec('commit')
      return result
    } catch (error) {
      if (database.inTransaction) database.exec('rollback')
      throw error
    }
  }
  const run = async <Result>(work: () => Result): Promise<Result> => {
    try {
      return work()
    } catch (cause) {
      throw failed(file, cause)
    }
  }
  const insert = (one: StoredVersion): boolean => {
    const { version, digest, appliedAt, appliedBy, message, changes, program, format, content, changedIn } =
      one
    const { changes: inserted } = database.run(insertSql, [
      ...[version, digest, appliedAt, appliedBy, message, JSON.stringify(changes), program],
      ...[format, content, JSON.stringify(changedIn)],
    ])
    return inserted === 1
  }
  const versions = {
    newest: () =>
      run(() =>
        Number(database.get('select coalesce(max(version), 0) as version from versions')?.['version']),
      ),
    read: (version: number) =>
      run((): StoredVersion | null => {
        const row = database.get(`select ${stored} from versions where version = ?`, [version])
        return row && storedRow.parse(row)
      }),
    list: (before: number | null, first: number) =>
      run((): readonly AppliedVersion[] =>
        database
          .all(
            `select ${applied} from versions where ?1 is null or version < ?1 order by version desc limit ?2`,
            [before, first],
          )
          .map((row) => appliedRow.parse(row)),
      ),
    add: (added: NewVersion) => run(() => insert({ ...added, appliedAt: clock() })),
    restore: (restored: readonly StoredVersion[]) =>
      run(() => {
        const taken = new Error('taken')
        try {
          transact(() => {
            for (const one of restored) if (!insert(one)) throw taken
          })
          return true
        } catch (error) {
          if (error === taken) return false
          throw error
        }
      }),
    // A file is written in one step.
    begun: async () => null,
  }
  return { versions, close }
}

interface OpenDatabase {
  readonly database: sqlite.Database
  readonly close: () => void
}

/** SQLite locks a file that it reads by a folder beside it, which a checkout of CI may refuse, and a killed process leaves. */
function openCopy(file: string): OpenDatabase {
  const folder = mkdtempSync(join(tmpdir(), 'featuregraph-registry-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  try {
    const copy = join(folder, 'registry.db')
    copyFileSync(file, copy)
    // Of a write that was killed.
    if (existsSync(`${file}-journal`)) copyFileSync(`${file}-journal`, `${copy}-journal`)
    const { database, close } = openDatabase(file, copy, 'READ')
    return {
      database,
      close() {
        close()
        remove()
      },
    }
  } catch (cause) {
    remove()
    throw cause instanceof FeaturegraphError ? cause : failed(file, cause)
  }
}

/** `path`: where the file is opened; `file`: what messages call it. */
function openDatabase(file: string, path: string, mode: 'READ' | 'WRITE'): OpenDatabase {
  let database: sqlite.Database | null = null
  try {
    database = new sqlite.Database(path, { fileMustExist: mode === 'READ', readOnly: mode === 'READ' })
    const tables = database.get('select count(*) as count from sqlite_schema')?.['count']
    if (tables === 0 && mode === 'WRITE') database.exec(createSql)
    refuseOther(file, database)
    const opened = database
    return { database: opened, close: () => opened.close() }
  } catch (cause) {
    database?.close()
    throw cause instanceof RegistryUnreadable ? cause : failed(file, cause)
  }
}

function refuseOther(file: string, database: sqlite.Database): void {
  if (database.get('pragma application_id')?.['application_id'] !== applicationId)
    throw new RegistryUnreadable(
      `${file} is no registry file; expected one that \`featuregraph registry export\` wrote`,
    )
  const format = Number(database.get('pragma user_version')?.['user_version'])
  if (format > fileFormat)
    throw new RegistryUnreadable(
      `${file} was written by a newer program (format ${format}, this one reads up to ${fileFormat}); update this program`,
    )
}

function failed(file: string, cause: unknown): StoreFailed {
  const hint = /lock/.test(messageOf(cause))
    ? `; another process uses it, or has been killed: remove ${file}.lock if none does`
    : ''
  return new StoreFailed(`the registry file ${file} cannot be used: ${messageOf(cause)}${hint}`, { cause })
}
