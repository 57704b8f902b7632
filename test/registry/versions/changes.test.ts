import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { schemaChanges } from '../../../src/graph/breaking-changes.ts'
import { definitionText, registryDigest } from '../../../src/registry/registry-digest.ts'
import { changedDefinitions, placeOf } from '../../../src/registry/versions/changed-definitions.ts'
import { changesBetween } from '../../../src/registry/versions/changes.ts'
import { registryOf, type VersionContent } from '../../../src/registry/versions/version-content.ts'
import { arbitraryEvolution } from './arbitrary-evolution.ts'

const digestOf = (content: VersionContent): string => registryDigest(registryOf(content))

describe('changes between two versions', () => {
  it('are none if and only if the versions have the same digest', () => {
    fc.assert(
      fc.property(arbitraryEvolution, ([before, after]) => {
        expect(changesBetween(before, before)).toEqual([])
        expect(changesBetween(before, after).length === 0).toBe(digestOf(before) === digestOf(after))
      }),
      { numRuns: 30 },
    )
  })

  it('name every definition that is new, other or gone, and nothing that is the same', () => {
    fc.assert(
      fc.property(arbitraryEvolution, ([before, after]) => {
        const changes = changesBetween(before, after)
        const named = new Set(changes.map(({ place }) => place))
        // What is renamed stands under its name of today.
        const texts = changes.map(({ place, text }) => `${place} ${text}`).join('\n')
        const { added, changed, removed } = changedDefinitions(before.definitions, after.definitions)
        for (const place of added) expect(named).toContain(place)
        for (const place of removed)
          expect(named.has(place) || texts.includes(`from ${place.split(' ').at(-1)}`)).toBe(true)
        const same = sameDefinitions(before, after)
        for (const place of changed) expect(named.has(place) || same.has(place)).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  it('break GraphQL clients where graphql-js says so of the schemas, and nowhere else', () => {
    let breaking = 0
    fc.assert(
      fc.property(arbitraryEvolution, ([before, after]) => {
        const found = schemaChanges(registryOf(before), registryOf(after)).filter((one) => one.isBreaking)
        const said = changesBetween(before, after).filter(({ breaks }) => breaks.includes('graphql'))
        breaking += found.length
        expect(said.length > 0, `${JSON.stringify(found)} ${JSON.stringify(said)}`).toBe(found.length > 0)
      }),
      { numRuns: 20 },
    )
    expect(breaking).toBeGreaterThan(10)
  })
})

/** Written otherwise and meaning the same, as 24h and 1d. */
function sameDefinitions(before: VersionContent, after: VersionContent): ReadonlySet<string> {
  const textsOf = (content: VersionContent): ReadonlySet<string> => {
    const { entities, eventSources, views, services } = registryOf(content)
    return new Set([...entities, ...eventSources, ...views, ...services].map(definitionText))
  }
  const old = textsOf(before)
  const { entities, eventSources, views, services } = registryOf(after)
  const same = [...entities, ...eventSources, ...views, ...services].filter((one) =>
    old.has(definitionText(one)),
  )
  return new Set(
    same.map(({ kind, name }) =>
      placeOf(kind === 'PLAIN' || kind === 'BATCH' || kind === 'STREAM' ? 'feature-view' : kind, name),
    ),
  )
}
