import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { BadUserInput } from '../errors.ts'
import type { FoundTable } from '../init/found-table.ts'
import { lackingManifest } from '../init/lacking-manifest.ts'
import {
  exampleContent,
  type ProjectContent,
  projectFiles,
  type ReadText,
  readTextsOf,
} from '../init/project-files.ts'
import { parseProgramManifest, projectManifest, projectName } from '../init/project-manifest.ts'
import { writeFiles } from '../init/write-files.ts'
import { packageRoot, packProgram } from './init/pack-program.ts'

export interface InitOptions {
  readonly fromPostgres?: string
  readonly schema?: string
  readonly fromFiles?: readonly string[]
}

/** `featuregraph init`: a project in a folder, which may hold other files; asks nothing, overwrites nothing. */
export async function init(folder: string, options: InitOptions): Promise<void> {
  const target = path.resolve(folder)
  const readText = readTextsOf(packageRoot)
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  // Before anything is written: tables or files that cannot be read leave no half of a project.
  const content = await contentOf(options, readText, target)
  const program = parseProgramManifest(await readFile(new URL('package.json', packageRoot), 'utf8'))
  const tarball = `vendor/featuregraph-${program.version}.tgz`
  const name = projectName(path.basename(target))
  const manifest = projectManifest(name, program, tarball)
  const files = await projectFiles(readText, { name, manifest, content })
  const hadTarball = existsSync(path.join(target, tarball))
  if (!hadTarball) await packProgram(path.join(target, 'vendor'), say)
  const { written, kept } = await writeFiles(target, files)
  for (const file of hadTarball ? written : [tarball, ...written]) say(`  wrote  ${file}`)
  for (const file of hadTarball ? [...kept, tarball] : kept) say(`  kept   ${file}: it was there before`)
  if (kept.includes('package.json')) {
    const lacking = lackingManifest(await readFile(path.join(target, 'package.json'), 'utf8'), manifest)
    if (lacking !== null)
      say(`\npackage.json was there before; add what it lacks:\n${JSON.stringify(lacking, null, 2)}`)
  }
  const shown = path.relative(process.cwd(), target)
  say(
    [
      '',
      'Next:',
      ...(shown === '' ? [] : [`  cd ${shown}`]),
      '  npm install',
      '  npm test',
      '  npm start',
    ].join('\n'),
  )
}

/** Loaded when it is asked for: the drivers of Postgres and of Parquet files are large. */
async function contentOf(
  { fromPostgres, schema = 'public', fromFiles }: InitOptions,
  readText: ReadText,
  target: string,
): Promise<ProjectContent> {
  if (fromPostgres !== undefined && fromFiles !== undefined)
    throw new BadUserInput('give --from-postgres or --from-files, not both')
  if (fromPostgres !== undefined) {
    const [{ readTables }, { foundContent }] = await Promise.all([
      import('./init/read-tables.ts'),
      import('./init/found-content.ts'),
    ])
    const tables = await readTables(fromPostgres, schema)
    const settings = `FEATUREGRAPH_OFFLINE_URL="${fromPostgres}"\nFEATUREGRAPH_WORKER=true\n`
    return foundContent(tables, `schema "${schema}" of a Postgres`, [
      { path: '.env', text: settings, isSecret: true },
    ])
  }
  if (fromFiles !== undefined) {
    const [{ readFiles }, { foundContent }] = await Promise.all([
      import('./init/read-files.ts'),
      import('./init/found-content.ts'),
    ])
    const tables = await readFiles(fromFiles)
    const shown = tables.map((table) => seenFrom(target, table))
    return foundContent(shown, fromFiles.join(', '), [])
  }
  return await exampleContent(readText)
}

/** Files are named as they are from the project's folder, where its commands run. */
function seenFrom(target: string, table: FoundTable): FoundTable {
  if (table.origin.kind !== 'FILES' || path.isAbsolute(table.origin.files)) return table
  return {
    ...table,
    origin: { kind: 'FILES', files: path.relative(target, path.resolve(table.origin.files)) },
  }
}
