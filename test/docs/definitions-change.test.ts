import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { compareVersions } from '../../src/cli/plan/compare-versions.ts'
import { planText } from '../../src/cli/plan/plan-text.ts'
import { estimateAll } from '../../src/registry/versions/estimate.ts'
import { recomputationsBetween } from '../../src/registry/versions/recomputations.ts'
import { nextContent } from '../../src/registry/versions/resolve-identities.ts'
import { registryOf, type VersionContent } from '../../src/registry/versions/version-content.ts'
import { fixedEstimates } from '../registry/versions/fixed-estimates.ts'
import { blocksOf } from './doc-blocks.ts'

const page = 'docs/definitions-change.md'
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'featuregraph-docs-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function contentOf(previous: VersionContent | null, text: string): Promise<VersionContent> {
  const file = join(folder, `${Math.random()}.ts`)
  await writeFile(file, text)
  const exported: Readonly<Record<string, unknown>> = await import(file)
  return nextContent(
    previous,
    Object.values(exported).map((value) => ({ path: 'here', value })),
  )
}

it(`the plan in ${page} is what the command prints of the change there`, async () => {
  const [definitions = ''] = blocksOf(page, 'ts')
  const [features = '', plan = ''] = blocksOf(page, 'text')
  const before = await contentOf(null, definitions)
  const changed = definitions.replace(/features: \{ rides_30d.*\n/, features)
  expect(changed).not.toBe(definitions)
  const after = await contentOf(before, changed)
  const again = recomputationsBetween(registryOf(before), registryOf(after))
  const printed = planText(
    {
      ...(await compareVersions(before, after)),
      ...{ version: 3, called: 'project default', folder: 'schema', begun: null },
      estimates: await estimateAll(again, fixedEstimates),
    },
    false,
  )
  expect(printed).toBe(plan)
})
