import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkDefinitions } from '../../src/cli/check.ts'
import { repository } from './start-command.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-check-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('featuregraph check', () => {
  it('says in a line what there is', async () => {
    expect(await checkDefinitions(join(repository, 'src/init/project/schema'))).toEqual({
      problems: [],
      summary: '1 entity, 1 event source, 2 feature views and 1 feature service',
    })
  })

  it('names file and line of every problem, also of those that only the whole shows', async () => {
    await mkdir(join(folder, 'more'))
    await writeFile(
      join(folder, 'plants.mjs'),
      `export const plant = entity(
  'plant',
  { joinKeys: { plant_id: 'text' } },
)
function entity(name, options) {
  return { kind: 'entity', name, ...options }
}
`,
    )
    await writeFile(
      join(folder, 'more/views.mjs'),
      `const featureView = (name, options) => ({ kind: 'feature-view', name, ...options })
export const plantProfile = featureView('plant_profile', {
  entity: 'plant',
  features: {
    litres: 'float64',
    status: 'sting',
  },
})
export const pots = featureView('pots', {
  entity: 'pot',
  features: { litres: 'float64' },
})
`,
    )
    const shown = relative(process.cwd(), folder)
    const { problems } = await checkDefinitions(folder)
    expect(problems).toHaveLength(3)
    expect(problems[0]).toMatch(`${shown}/more/views.mjs:6: feature view plant_profile.features.status`)
    expect(problems[1]).toMatch(`${shown}/plants.mjs:3: entity plant.joinKeys.plant_id`)
    expect(problems[2]).toMatch(
      `${shown}/more/views.mjs:10: feature view pots.entity: there is no entity "pot"`,
    )
  })

  it('reports files that cannot be loaded, with the line, and says what ends a cycle', async () => {
    const broken = join(folder, 'broken')
    await mkdir(broken)
    const files = {
      'a-half.mjs': '\nexport const half = {\n1 2',
      'b-lacks.mjs': "\n\nimport { x } from './nowhere.mjs'\nexport const y = x",
      'c-one.mjs': "import { two } from './c-two.mjs'\nexport const one = { name: two.name }",
      'c-two.mjs': "import { one } from './c-one.mjs'\n\nexport const two = { name: one.name }",
    }
    for (const [name, text] of Object.entries(files)) await writeFile(join(broken, name), text)
    const { problems } = await checkDefinitions(broken)
    expect(problems).toEqual([
      expect.stringMatching(/a-half\.mjs:3: the file cannot be loaded: /),
      expect.stringMatching(/b-lacks\.mjs:3: the file cannot be loaded: .*nowhere\.mjs/),
      expect.stringMatching(/c-two\.mjs:3: the file cannot be loaded: .*one.*need a third one/),
      expect.stringMatching(/c-(?:one\.mjs:2|two\.mjs:3): the file cannot be loaded: /),
    ])
  })
})
