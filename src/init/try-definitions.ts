import type { EntityDefinition } from '../definitions/entity.ts'
import { fieldName } from '../definitions/graphql-name.ts'
import type { JoinKeyType } from '../definitions/value-type.ts'
import type { Drafted } from './draft.ts'
import type { Drafts } from './draft-definitions.ts'

/** Keys that nothing is known of. */
const unknownKeys: Readonly<Record<JoinKeyType, string>> = {
  ...{ int32: '0', int64: '0', string: "'none'" },
  uuid: "'00000000-0000-0000-0000-000000000000'",
}

interface FirstView {
  readonly view: Drafted
  readonly entity: EntityDefinition
}

/** A test that a project's owner can go on from: of the first view, for a key that nothing is known of. */
export function testOfFirstView(drafts: Drafts): string {
  const { view, entity } = firstView(drafts)
  const key = Object.entries(entity.joinKeys).map(
    ([name, type]) => `${name}: ${unknownKeys[typeof type === 'string' ? type : type.type]}`,
  )
  const lines = [
    "import assert from 'node:assert/strict'",
    "import { it } from 'node:test'",
    "import { testWorld } from 'featuregraph/testing'",
    "import * as definitions from '../schema/definitions.ts'",
    '',
    '// Rows and events go in by world.rows(view, […]) and world.events(source, […]).',
    "it('answers NOT_FOUND for a key that nothing is known of', async () => {",
    '  const world = testWorld(definitions)',
    '  const [answer] = await world.online({',
    `    view: definitions.${view.constant},`,
    `    keys: [{ ${key.join(', ')} }],`,
    "    at: '2026-01-31T12:00:00Z',",
    '  })',
    "  assert.equal(answer?.status, 'NOT_FOUND')",
    '})',
  ]
  return `${lines.join('\n')}\n`
}

/** The README's section on what to do first. */
export function tryFoundDefinitions(drafts: Drafts): string {
  const { view, entity } = firstView(drafts)
  const imports = drafts.definitions.flatMap(importOf)
  const batches = drafts.definitions.some(({ writer }) => writer === 'windowedView')
  const commands = [
    'npx featuregraph apply',
    ...imports,
    ...(batches ? ['npx featuregraph batch'] : []),
    'npx featuregraph materialize',
  ]
  const features = Object.keys((view.definition as { readonly features: object }).features)
    .slice(0, 3)
    .map(fieldName)
  const [[key = 'id'] = []] = Object.entries(entity.joinKeys)
  const argument = Object.keys(entity.joinKeys).length === 1 ? `${fieldName(key)}: …` : 'key: { … }'
  return `## Try it

\`schema/definitions.ts\` was written from what was found: read it first, since it holds guesses, and says by what. Then apply it, bring the rows in and compute what is to be answered (the gateway goes on with it by itself):

\`\`\`sh
${commands.join('\n')}
\`\`\`

and ask, in the browser on <http://localhost:4000>:

\`\`\`graphql
{ ${fieldName(entity.name)}(${argument}) { ${fieldName(view.name)} { ${features.join(' ')} freshness { status } } } }
\`\`\`

`
}

/** Those whose rows come from files; a file source has its view's name. */
function importOf({ name, table }: Drafted): string[] {
  return table?.origin.kind === 'FILES' ? [`npx featuregraph import ${name} '${table.origin.files}'`] : []
}

function firstView({ definitions }: Drafts): FirstView {
  const view = definitions.find(({ writer }) => writer === 'featureView' || writer === 'windowedView')
  const of = view && 'entity' in view.definition ? view.definition.entity : null
  const entity = definitions.find(({ writer, name }) => writer === 'entity' && name === of)
  if (!view || !entity) throw new TypeError('drafts have no view')
  return { view, entity: entity.definition as EntityDefinition }
}
