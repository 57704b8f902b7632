import { expect, it } from 'vitest'
import { fileSource } from '../../../src/definitions/data-source.ts'
import { entity } from '../../../src/definitions/entity.ts'
import { featureView } from '../../../src/definitions/feature-view.ts'
import { importDigest } from '../../../src/definitions/import-digest.ts'
import { importTargets } from '../../../src/ingest/files/import-target.ts'
import { nextContent } from '../../../src/registry/versions/resolve-identities.ts'
import { registryOf } from '../../../src/registry/versions/version-content.ts'

const customer = entity('customer', { joinKeys: { customer_id: 'int64' } })

function versionsOf(...views: readonly unknown[]) {
  let content: Parameters<typeof nextContent>[0] = null
  return views.map((view) => {
    content = nextContent(content, [
      { path: 'customer', value: customer },
      { path: 'view', value: view },
    ])
    const [target] = importTargets(registryOf(content), 'scores_csv')
    if (!target) throw new Error('the files have a target')
    return {
      recordedAs: target.recordedAs,
      name: target.name,
      digest: importDigest({ ...target, rowCount: null }),
    }
  })
}

it('a file that a view was filled from is the same for the view and the features under other names', () => {
  const source = (columns: Readonly<Record<string, string>>) =>
    fileSource('scores_csv', { eventTimestamp: 'at', columns })
  const before = featureView('scores', {
    ...{ entity: customer, source: source({ score: 'points', level: 'grade' }) },
    features: { score: 'int32', level: 'int32' },
  })
  const after = featureView('ratings', {
    ...{ entity: customer, renamedFrom: 'scores', source: source({ rating: 'points', level: 'grade' }) },
    features: { level: 'int32', rating: { type: 'int32', renamedFrom: 'score' } },
  })
  const [first, second] = versionsOf(before, after)
  expect(second).toEqual({ ...first, name: 'ratings' })
  expect(first).toMatchObject({ recordedAs: 'scores', name: 'scores' })
})
