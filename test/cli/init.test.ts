import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../src/embedded/free-port.ts'
import { isLong } from '../services/long-run.ts'
import { execute } from '../services/postgres.ts'
import { createTestDatabase } from '../services/test-database.ts'
import { makeClone, pageBlocks } from './own-project.ts'
import { repository } from './start-command.ts'

const run = promisify(execFile)
const page = join(repository, 'docs/own-project.md')

let folder: string
let project: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-init-'))
  // The account that the embedded Postgres runs as, where these tests run as root, keeps its data in there.
  await chmod(folder, 0o755)
  project = join(folder, 'mine')
  await makeClone(join(folder, 'featuregraph'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** As a user's shell would, with no setting of ours. */
async function shell(command: string, cwd: string): Promise<string> {
  const { stdout } = await run('sh', ['-c', command], { cwd, env: userEnvironment(), maxBuffer: 1e8 })
  return stdout
}

function userEnvironment(settings: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env
  return { PATH, HOME, TMPDIR: folder, ...settings }
}

// A build and an install in one test are long beside other load.
describe('a project of one’s own, by the page that describes it', { timeout: 1_800_000 }, () => {
  it('is written by a clone that was never built, beside what is there', async () => {
    await mkdir(project)
    await writeFile(join(project, '.gitignore'), 'mine\n')
    const [begin = ''] = await pageBlocks(page, 'sh')
    const [init = ''] = begin.split('\n')
    const report = await shell(init, folder)
    expect(report).toContain('building featuregraph')
    expect(report).toContain('wrote  vendor/featuregraph-0.1.0.tgz')
    expect(report).toContain('wrote  schema/plants.ts')
    expect(report).toContain('kept   .gitignore: it was there before')
    expect(await readFile(join(project, '.gitignore'), 'utf8')).toBe('mine\n')
    expect(report).toMatch(/Next:\n {2}cd mine\n {2}npm install\n {2}npm test\n {2}npm start\n$/)
  })

  it('has all of the program in its tarball, and nothing of the demo', async () => {
    const listed = await shell('tar -tzf vendor/featuregraph-0.1.0.tgz', project)
    const packed = listed.split('\n').map((name) => name.replace(/^package\//, ''))
    expect(packed).toEqual(
      expect.arrayContaining([
        ...['dist/cli.js', 'dist/definitions/featuregraph.d.ts', 'dist/graphiql/index.html'],
        ...['dist/testing/testing.js', 'dist/testing/testing.d.ts', 'migrations/0001_registry.sql'],
        ...['src/featuregraph.js', 'src/init/project/schema/plants.ts', 'src/init/project/gitignore'],
      ]),
    )
    const sources = packed.filter((name) =>
      /^schema\/|^src\/(?!featuregraph\.js$|init\/project\/|stores\/spark\/run-spark\.py$)/.test(name),
    )
    expect(sources).toEqual([])
  })

  it('installs, and its test and that of the page pass', async () => {
    const [example = ''] = await pageBlocks(page, 'ts')
    await writeFile(join(project, 'test/page.test.ts'), example)
    await shell('npm install --prefer-offline --no-audit --no-fund', project)
    expect(await shell('npm test', project)).toContain('pass 5\n')
  })

  it('passes its check, types included', async () => {
    const [, , check = ''] = await pageBlocks(page, 'sh')
    expect(await shell(check, project)).toContain(
      'schema: 1 entity, 1 event source, 2 feature views and 1 feature service\n',
    )
  })

  it('starts without the demo, and answers what its README pushes', async () => {
    const port = await freePort()
    const gateway = spawn('npm', ['start'], {
      cwd: project,
      env: userEnvironment({ FEATUREGRAPH_PORT: String(port) }),
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    try {
      const welcome = await printed(gateway, `featuregraph answers at http://127.0.0.1:${port}/graphql`)
      expect(welcome).toContain('GraphiQL: http')
      expect(welcome).not.toContain('Three things to try')
      const blocks = await pageBlocks(join(project, 'README.md'), 'sh')
      const [, push = '', ask = ''] = blocks.map((block) => block.replaceAll(':4000', `:${port}`))
      expect(await shell(push, project)).toBe(
        '{"row":0,"accepted":true,"online":"WRITTEN"}\n{"accepted":1,"rejected":0}\n{"row":0,"accepted":true}\n{"accepted":1,"rejected":0}\n',
      )
      await expect
        .poll(async () => JSON.parse(await shell(ask, project)))
        .toEqual({
          data: {
            thirstV1: [
              {
                names: ['pot_litres', 'in_shade', 'waterings_7d', 'litres_7d', 'degrees'],
                vector: [5, 1, 1, 0.5, 24],
                statuses: ['PRESENT', 'PRESENT', 'PRESENT', 'PRESENT', 'PRESENT'],
              },
            ],
          },
        })
    } finally {
      // What has ended by itself has failed already, and says why.
      if (gateway.pid !== undefined && gateway.exitCode === null) {
        process.kill(-gateway.pid, 'SIGTERM')
        await once(gateway, 'close')
      }
    }
  })

  // In the suite: test/init holds what is written of tables and of files, and that it passes the check.
  it.runIf(isLong)(
    'writes others from the installed package: of tables and of files, whose definitions pass the check',
    async () => {
      const database = await createTestDatabase()
      await execute(
        database.url,
        `create table customers (id bigint primary key, country text, updated_at timestamptz);
       create table orders (order_id text primary key, customer_id bigint, total numeric, ordered_at timestamptz)`,
      )
      try {
        const [, , , tables = '', files = ''] = await pageBlocks(page, 'sh')
        expect(await shell(tables.replace(/postgres:\S+/, database.url), project)).toContain('wrote  vendor/')
        // The same program is not packed once more.
        await cp(join(project, 'vendor'), join(folder, 'from-files/vendor'), { recursive: true })
        await shell(files, project)
      } finally {
        await database.drop()
      }
      expect(await readFile(join(folder, 'from-tables/.env'), 'utf8')).toContain(`"${database.url}"`)
      expect(await readFile(join(folder, 'from-files/README.md'), 'utf8')).toContain(
        "npx featuregraph import orders '../data/orders-*.csv'",
      )
      for (const name of ['from-tables', 'from-files'])
        await symlink(join(project, 'node_modules'), join(folder, name, 'node_modules'))
      expect(await shell('npx featuregraph check', join(folder, 'from-tables'))).toMatch(/^schema: 1 entity/)
      expect(await shell('npm test', join(folder, 'from-files'))).toContain('pass 1\n')
    },
  )
})

/** What a process has printed by the time that it has printed this; what it prints afterwards is read too. */
async function printed(child: ChildProcess, text: string): Promise<string> {
  let all = ''
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    all += piece
  })
  await expect.poll(() => all).toContain(text)
  return all
}
