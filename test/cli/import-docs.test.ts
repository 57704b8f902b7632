import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { newProject } from '../server/start-test-gateway.ts'
import { applyFolder } from '../services/apply-folder.ts'
import { audited } from '../services/audited.ts'
import { createTestDatabase, type TestDatabase } from '../services/test-database.ts'
import { startCommand } from './start-command.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([
    mkdtemp(join(tmpdir(), 'featuregraph-import-docs-')),
    createTestDatabase(),
  ])
})
afterAll(() => Promise.all([rm(folder, { recursive: true, force: true }), database?.drop()]))

it('the example of docs/import.md works as it is written', async () => {
  const page = await readFile(join(repository, 'docs/import.md'), 'utf8')
  const block = (language: string): string =>
    new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? ''
  const paths = { featuregraph: [join(repository, 'src/definitions/featuregraph.ts')] }
  const files = {
    'tsconfig.json': JSON.stringify({ compilerOptions: { paths } }),
    'schema/sales.ts': block('ts'),
    'data/country=DE/sales.csv': block('csv'),
  }
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  const settings = {
    OFFLINE_URL: database.url,
    ONLINE_URL: inject('redisUrl'),
    PROJECT: newProject(),
    SCHEMA: join(folder, 'schema'),
    LOG_LEVEL: 'error',
    AUDIT: 'table',
    APPLIED_BY: 'ann@ci',
  }
  await applyFolder(settings)
  const printed: string[] = []
  for (const line of block('sh').trim().split('\n')) {
    const [, , ...words] = line.split(' ')
    const args = words.map((word) => (word.startsWith('data') ? join(folder, word) : word))
    const { code, stdout, stderr } = await startCommand(args, settings, folder).ended
    expect([code, stderr]).toEqual([0, ''])
    printed.push(stdout.replaceAll(`${folder}/`, ''))
  }
  const timeless = (text: string): string => text.replace(/in [\d.]+ s, \d+ rows a second/, 'in time')
  const [dry = '', imported = '', again = ''] = printed.map(timeless)
  expect(imported).toBe(timeless(block('text')))
  expect(dry).toBe(imported.replace('sales.csv: ', 'sales.csv: dry run, nothing written: '))
  // Rows that came in by a command are in the audit as pushed ones are, once.
  const [, stored = ''] = / (\d+) stored/.exec(imported) ?? []
  expect(await audited(database.url)).toEqual([`ann@ci IMPORT sales DONE ${stored}`])
  expect(again).toBe('sales: data/country=DE/sales.csv: already imported\n')
})
