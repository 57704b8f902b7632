import { formatTimestamp, type Micros } from '../../definitions/timestamp.ts'
import type { Change } from '../../registry/versions/changes.ts'
import type { Estimate } from '../../registry/versions/estimate.ts'
import { paintIf } from '../paint.ts'
import { shownText } from '../shown-text.ts'
import { brokenWords, changesText } from './changes-text.ts'
import { brokenBy, type Comparison } from './compare-versions.ts'
import { estimateLines } from './estimates-text.ts'

/** A change of the registry that was begun and has not ended. */
export interface BegunChange {
  readonly kind: string
  readonly base: number
  readonly by: string
  readonly begunAt: Micros
  readonly isHeld: boolean
}

export interface Plan extends Comparison {
  /** The version that the definition files are compared with; 0: nothing was applied yet. */
  readonly version: number
  /** Where the registry is, and the folder of the files. */
  readonly called: string
  readonly folder: string
  /** Null: a registry file knows nothing of what is stored. */
  readonly estimates: readonly Estimate[] | null
  readonly begun: BegunChange | null
}

/** What `featuregraph plan` prints. */
export function planText(plan: Plan, coloured: boolean): string {
  const { version, called, folder, changes, estimates, begun } = plan
  const base = version === 0 ? `nothing was applied to ${called} yet` : `version ${version} of ${called}`
  const unfinished = begun === null ? [] : [begunLine(begun, coloured), '']
  if (changes.length === 0)
    return [...unfinished, `no changes: ${base} says what the definitions of ${folder} say\n`].join('\n')
  const again = estimates ?? []
  return [
    ...unfinished,
    version === 0 ? `${base}; the definitions of ${folder}:` : `${base} → the definitions of ${folder}`,
    '',
    changesText(plan, coloured),
    '',
    ...(again.length === 0 ? [] : ['To be computed again', ...estimateLines(again), '']),
    `${summaryOf(changes)}${verdict(changes, coloured)}\n`,
  ].join('\n')
}

function begunLine({ kind, base, by, begunAt, isHeld }: BegunChange, coloured: boolean): string {
  const what = `${kind === 'APPLY' ? 'an apply' : `a ${kind.toLowerCase()}`} after version ${base}`
  const since = `was begun at ${formatTimestamp(begunAt)} by ${shownText(by)}`
  const remedy = isHeld ? 'and is under way' : 'and has not ended; `featuregraph apply` finishes it'
  return `${paintIf(coloured, 'yellow', 'unfinished:')} ${what} ${since} ${remedy}`
}

/** `2 definitions added, 1 changed` */
function summaryOf(changes: readonly Change[]): string {
  const whole = (how: Change['how']): number =>
    changes.filter((one) => one.how === how && one.text.startsWith(how)).length
  const [added, removed] = [whole('added'), whole('removed')]
  const changed = new Set(
    changes
      .filter((one) => one.how === 'changed' || one.how === 'renamed' || !one.text.startsWith(one.how))
      .map(({ place }) => place),
  ).size
  const parts = [
    ...(added > 0 ? [`${added} added`] : []),
    ...(changed > 0 ? [`${changed} changed`] : []),
    ...(removed > 0 ? [`${removed} removed`] : []),
  ]
  return `definitions: ${parts.join(', ')}`
}

function verdict(changes: readonly Change[], coloured: boolean): string {
  const broken = brokenBy(changes)
  if (broken.length === 0) return '; nothing breaks: `featuregraph apply`'
  const what = paintIf(coloured, 'red', `breaks ${brokenWords(broken)}`)
  return `; ${what}: \`featuregraph apply --allow-breaking\``
}
