import type { Micros } from '../../definitions/timestamp.ts'
import type { ServiceVectors } from '../../online/service-columns.ts'
import type { ServiceInputs } from '../../online/service-row.ts'
import type { AskedService, ServiceInput, ServiceReads } from '../read-service.ts'
import type { MakeVectors } from '../service-columns.ts'
import { sharedTimes, type TimeValues } from '../time-arguments.ts'
import type { ViewColumn } from '../view-column.ts'
import { Tally, type Values } from './root-writer.ts'

/** All keys at the moment that the arguments give. @throws BadUserInput */
export function askService({ ask }: ServiceReads, input: Values, now: Micros): AskedService {
  return ask(input['keys'] as readonly ServiceInput[], sharedTimes(input as TimeValues, now))
}

/** The inputs of each row; null: a view of one is UNAVAILABLE. Not for services that take from functions. */
export function inputsOf(
  { keys, requests }: AskedService,
  columns: readonly ViewColumn[],
  tallies: Tally[],
): readonly ServiceInputs[] | null {
  const counted = columns.map((column) => new Tally(column))
  tallies.push(...counted)
  const inputs: ServiceInputs[] = []
  for (let index = 0; index < keys.length; index += 1) {
    const rows = columns.map((column) => column.peek(index, null))
    for (const [place, { $status }] of rows.entries()) {
      if ($status === 'UNAVAILABLE') return null
      const tally = counted[place]
      if (tally) tally.statuses[$status] += 1
    }
    inputs.push({ key: keys[index] ?? [], rows, requests: requests[index] ?? [], computed: [] })
  }
  return inputs
}

/** The vectors of all rows; null: a view of one is UNAVAILABLE. */
export function vectorsOf(
  makeVectors: MakeVectors,
  { keys, requests }: AskedService,
  columns: readonly ViewColumn[],
  tallies: Tally[],
): ServiceVectors | null {
  const counted = new Map(columns.map((column) => [column, new Tally(column)]))
  tallies.push(...counted.values())
  let isKnown = true
  const vectors = makeVectors({ keys, requests, columns }, (column, row) => {
    const status = row === null ? 'PRESENT' : row.$status
    if (status === 'UNAVAILABLE') isKnown = false
    const tally = counted.get(column)
    if (tally) tally.statuses[status] += 1
  })
  return isKnown ? vectors : null
}
