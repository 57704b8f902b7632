import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { schemaChanges } from '../../../src/graph/breaking-changes.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import { definitionText, registryDigest } from '../../../src/registry/registry-digest.ts'
import { changedDefinitions, placeOf } from '../../../src/registry/versions/changed-definitions.ts'
import { changesBetween } from '../../../src/registry/versions/changes.ts'
import { registryOf, type VersionContent } from '../../../src/registry/versions/version-content.ts'
import { arbitraryEvolutions } from './arbitrary-evolution.ts'

const digestOf = (content: VersionContent): string => registryDigest(registryOf(content))

describe('changes between two versions', () => {
  it('are none if and only if the versions have the same digest, and name each definition that is new, other or gone', () => {
    let compared = 0
    fc.assert(
      fc.property(arbitraryEvolutions, (evolutions) => {
        for (const [before, after] of evolutions) {
          compared += 1
          const changes = changesBetween(before, after)
          expect(changes.length === 0).toBe(digestOf(before) === digestOf(after))
          // A sentence is about something.
          expect(changes.filter(({ text }) => text === 'changed')).toEqual([])
          const named = new Set(changes.map(({ place }) => place))
          // What is renamed stands under its name of today.
          const texts = changes.map(({ text }) => text).join(' ')
          const { added, changed, removed } = changedDefinitions(before.definitions, after.definitions)
          for (const place of added) expect(named).toContain(place)
          for (const place of removed)
            expect(named.has(place) || texts.includes(`from ${place.split(' ').at(-1)}`)).toBe(true)
          const same = sameDefinitions(before, after)
          for (const place of changed) expect(named.has(place) || same.has(place), place).toBe(true)
        }
      }),
      { numRuns: 8, endOnFailure: true },
    )
    expect(compared).toBeGreaterThan(40)
  })

  it('break GraphQL clients where graphql-js says so of the schemas, and nowhere else', () => {
    let breaking = 0
    fc.assert(
      fc.property(arbitraryEvolutions, fc.nat(), (evolutions, start) => {
        // Some of them: to build two schemas takes its time.
        for (const [before, after] of evolutions.filter((_, index) => (index + start) % 6 === 0)) {
          const found = schemaChanges(registryOf(before), registryOf(after)).filter((one) => one.isBreaking)
          const said = changesBetween(before, after).filter(({ breaks }) => breaks.includes('graphql'))
          breaking += found.length
          expect(said.length > 0, JSON.stringify([found, said])).toBe(found.length > 0)
        }
      }),
      { numRuns: 8, endOnFailure: true },
    )
    expect(breaking).toBeGreaterThan(5)
  })
})

/** Written otherwise and meaning the same, as 24h and 1d. */
function sameDefinitions(before: VersionContent, after: VersionContent): ReadonlySet<string> {
  const old = new Set(allOf(registryOf(before)).map(definitionText))
  const same = allOf(registryOf(after)).filter((one) => old.has(definitionText(one)))
  return new Set(
    same.map(({ kind, name }) =>
      placeOf(kind === 'PLAIN' || kind === 'BATCH' || kind === 'STREAM' ? 'feature-view' : kind, name),
    ),
  )
}

function allOf({ entities, eventSources, views, services }: Registry) {
  return [...entities, ...eventSources, ...views, ...services]
}
