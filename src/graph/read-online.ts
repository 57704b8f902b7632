import type { UnavailableReason } from '../definitions/unavailable-reason.ts'
import { maxValueBytes } from '../definitions/value-bytes.ts'
import { StoreFailed } from '../errors.ts'
import type { OnlinePlace } from '../online/guard.ts'
import { planRead, type ReadPlan } from '../online/read-plan.ts'
import type { Entity } from '../registry/registry.ts'
import { onlineKeySuffix } from '../stores/online-value/online-key.ts'
import { addReadBytes, bytesLeft, TooManyBytes } from './answer-size.ts'
import { readOffline } from './read-offline.ts'
import {
  type LoadingRequest,
  type Need,
  nowhere,
  observeRead,
  type RowSources,
  reasonOf,
  type Wanted,
} from './row-sources.ts'
import { onlineColumn, unavailableColumn, type ViewColumn } from './view-column.ts'

interface WantedOnline extends Wanted {
  readonly place: OnlinePlace
}

/** What the online store has no answer for. */
interface Refused {
  readonly wanted: Wanted
  readonly reason: UnavailableReason
}

/** A column that the online store answered, and at which of its rows it had none. */
interface Missed {
  readonly wanted: Wanted
  readonly column: ViewColumn
  readonly indices: readonly number[]
}

interface OnlineAnswer {
  readonly refused: readonly Refused[]
  readonly missed: readonly Missed[]
}

/**
 * The columns of one read. A read of an epoch that began since the record was read last is made once more, by the record
 * as it is now, and one of layouts that are not known waits until they are learnt. By setting, the offline store answers for
 * what is refused and for keys without a row.
 */
export async function answerOnline(
  sources: RowSources,
  request: LoadingRequest,
  wanted: readonly Wanted[],
): Promise<void> {
  let answer = await readOnline(sources, request, wanted, 'ONCE_MORE')
  if (answer === null) {
    // Where it cannot be read, the read is answered by what is known.
    await sources.guard.refresh().catch(() => {})
    answer = await readOnline(sources, request, wanted, 'AS_IT_IS')
  }
  const { refused = [], missed = [] } = answer ?? {}
  if (refused.length > 0) await answerRefused(sources, request, refused)
  if (missed.length > 0) await checkMisses(sources, request, missed)
}

/** Null: nothing is filled, since the read is of an epoch that is not known yet. */
async function readOnline(
  sources: RowSources,
  request: LoadingRequest,
  all: readonly Wanted[],
  news: 'ONCE_MORE' | 'AS_IT_IS',
): Promise<OnlineAnswer | null> {
  const { guard } = sources
  const refused: Refused[] = []
  const missed: Missed[] = []
  const placed: WantedOnline[] = []
  for (const wanted of all) {
    const place = guard.placeOf(wanted.view)
    if (typeof place === 'string') refused.push({ wanted, reason: place })
    // Not by a spread, which takes half a microsecond of every request.
    else placed.push({ need: wanted.need, view: wanted.view, fill: wanted.fill, place })
  }
  if (placed.length === 0) return { refused, missed }
  const suffixes = new Map<Need, readonly string[]>()
  const plan = planRead(
    placed.map(({ need, place: { prefix } }) => {
      const known = suffixes.get(need) ?? need.keys.map(onlineKeySuffix)
      suffixes.set(need, known)
      return { prefix, suffixes: known }
    }),
  )
  const observed = observeRead(sources, request, 'online', plan.keys.length)
  let bytes = 0
  try {
    const read = mayBeLarge(sources, placed)
      ? await sources.online.readWithin(plan.keys, bytesLeft(request.readBytes))
      : await sources.online.readMany(plan.keys)
    if ('bytesStored' in read) {
      observed()
      addReadBytes(request.readBytes, read.bytesStored)
      return null
    }
    const cells = read.rows
    if (cells.length !== plan.keys.length) {
      throw new StoreFailed(
        `the online store was asked for ${plan.keys.length} rows and answered ${cells.length}`,
      )
    }
    observed()
    const epoch = guard.epochOf(read)
    const isMoved = ({ view, place }: WantedOnline): boolean => guard.placeOf(view) !== place
    const isNews = typeof epoch === 'number' && (guard.isNews(epoch) || placed.some(isMoved))
    if (isNews && news === 'ONCE_MORE') return null
    bytes = bytesOf(sources, placed, cells, plan)
    const unknown = unknownLayouts(sources, placed, cells, plan)
    if (unknown.size > 0) await sources.layouts.learn(unknown, request.signal())
    placed.forEach((wanted, index) => {
      const { need, view } = wanted
      const reason = typeof epoch === 'string' ? epoch : missingFrom(guard, wanted, epoch)
      if (reason !== null) {
        refused.push({ wanted, reason })
        return
      }
      const placeOf = plan.placeOf[index] ?? nowhere
      const column = onlineColumn(sources.reader(view), cells, placeOf, request.now)
      const indices = sources.instead.forMisses ? missesOf(need, (row) => cells[placeOf(row)] ?? null) : []
      if (indices.length === 0) wanted.fill(column)
      else missed.push({ wanted, column, indices })
    })
  } catch (error) {
    if (error instanceof TooManyBytes) throw error
    observed(error)
    const reason = reasonOf(error)
    for (const wanted of placed) refused.push({ wanted, reason })
  }
  addReadBytes(request.readBytes, bytes)
  return { refused, missed }
}

/** What is read without being counted on the way, at most. */
const uncountedBytes = 16 * maxValueBytes
/** A row may be so many times as large as the largest of its view that was read before. */
const growth = 4

/**
 * Whether the rows may take more than that. Texts rarely are as large as they may be: what they take is known from the rows
 * that were read before, and a view whose rows have grown all at once surprises once.
 */
function mayBeLarge({ reader }: RowSources, placed: readonly WantedOnline[]): boolean {
  let most = 0
  for (const { need, view } of placed) {
    const { largeValues, seen } = reader(view)
    const mostOfRow = largeValues * maxValueBytes
    most += need.keys.length * Math.min(mostOfRow, growth * (seen.largestRow ?? mostOfRow))
  }
  return most > uncountedBytes
}

/** Each row as often as it is asked for. */
function bytesOf(
  { reader }: RowSources,
  placed: readonly WantedOnline[],
  cells: readonly (Buffer | null)[],
  { placeOf }: ReadPlan,
): number {
  let bytes = 0
  for (let index = 0; index < placed.length; index += 1) {
    const wanted = placed[index]
    if (!wanted) continue
    const rows = wanted.need.keys.length
    const place = placeOf[index] ?? nowhere
    const { seen } = reader(wanted.view)
    let largest = seen.largestRow ?? 0
    for (let row = 0; row < rows; row += 1) {
      const length = cells[place(row)]?.length ?? 0
      bytes += length
      if (length > largest) largest = length
    }
    if (largest > 0) seen.largestRow = largest
  }
  return bytes
}

const none: ReadonlySet<number> = new Set()

/** Of the rows that were read, those layouts that a newer process may have recorded since. */
function unknownLayouts(
  { reader }: RowSources,
  placed: readonly WantedOnline[],
  cells: readonly (Buffer | null)[],
  plan: ReadPlan,
): ReadonlySet<number> {
  let found: Set<number> | null = null
  placed.forEach(({ need, view }, index) => {
    const { unknownLayout } = reader(view)
    const placeOf = plan.placeOf[index] ?? nowhere
    for (let row = 0; row < need.keys.length; row += 1) {
      const fingerprint = unknownLayout(cells[placeOf(row)] ?? null)
      if (fingerprint === null) continue
      found ??= new Set()
      found.add(fingerprint)
    }
  })
  return found ?? none
}

/** Null: the rows were all there, and still are where they were read. */
function missingFrom(
  guard: RowSources['guard'],
  { view, place }: WantedOnline,
  epoch: number,
): UnavailableReason | null {
  return guard.placeOf(view) === place ? guard.missing(view, place, epoch) : 'REFILLING'
}

function missesOf({ keys }: Need, cell: (row: number) => Buffer | null): readonly number[] {
  return keys.flatMap((_, row) => (cell(row) === null ? [row] : []))
}

/** Answered offline, where that is set and may be done now; else UNAVAILABLE. */
async function answerRefused(
  sources: RowSources,
  request: LoadingRequest,
  refused: readonly Refused[],
): Promise<void> {
  const { forUnavailable, takeTurn } = sources.instead
  // What is stored offline is of the other definition too.
  const answerable = forUnavailable ? refused.filter(({ reason }) => reason !== 'RECOMPUTING') : []
  const endTurn = answerable.length > 0 ? await takeTurn(request.payer) : null
  for (const { wanted, reason } of refused) {
    if (endTurn === null || reason === 'RECOMPUTING') refuse(sources, request, wanted, reason)
  }
  if (endTurn === null) return
  try {
    await readInstead(
      sources,
      request,
      answerable.map(({ wanted }) => wanted),
    )
  } finally {
    endTurn()
  }
}

/** Whether keys without a row have one offline; UNAVAILABLE where as many checks as may run at once do. */
async function checkMisses(
  sources: RowSources,
  request: LoadingRequest,
  missed: readonly Missed[],
): Promise<void> {
  const endTurn = await sources.instead.takeTurn(request.payer)
  const checks = missed.map(({ wanted, column, indices }): Wanted => {
    const { need, view } = wanted
    const keys = indices.map((index) => need.keys[index] ?? [])
    const fill = (checked: ViewColumn): void => wanted.fill(mixed(column, checked, indices))
    return { need: { entity: need.entity, keys, views: [view], times: null }, view, fill }
  })
  if (endTurn === null) {
    for (const check of checks) refuse(sources, request, check, 'UNVERIFIED')
    return
  }
  try {
    await readInstead(sources, request, checks)
  } finally {
    endTurn()
  }
}

function mixed(online: ViewColumn, checked: ViewColumn, indices: readonly number[]): ViewColumn {
  const positions = new Map(indices.map((index, position) => [index, position]))
  const { view, counts } = online
  return {
    view,
    counts,
    why: (row) => (row.$source === 'OFFLINE' ? checked : online).why(row),
    row: (index, maxAge) => of(index).row(placeOf(index), maxAge),
    peek: (index, maxAge) => of(index).peek(placeOf(index), maxAge),
    numbers(wanted) {
      const [ofOnline, ofChecked] = [online.numbers(wanted), checked.numbers(wanted)]
      return (index, vectors, from) => {
        const position = positions.get(index)
        return position === undefined ? ofOnline(index, vectors, from) : ofChecked(position, vectors, from)
      }
    },
    json(selected) {
      const [ofOnline, ofChecked] = [online.json(selected), checked.json(selected)]
      return (index, maxAge, out) => {
        const position = positions.get(index)
        return position === undefined ? ofOnline(index, maxAge, out) : ofChecked(position, maxAge, out)
      }
    },
  }

  function of(index: number): ViewColumn {
    return positions.has(index) ? checked : online
  }

  function placeOf(index: number): number {
    return positions.get(index) ?? index
  }
}

async function readInstead(
  sources: RowSources,
  request: LoadingRequest,
  wanted: readonly Wanted[],
): Promise<void> {
  const groups = new Map<Entity, Wanted[]>()
  for (const one of wanted) groups.set(one.need.entity, [...(groups.get(one.need.entity) ?? []), one])
  const signal = request.signal()
  await Promise.all([...groups.values()].map((group) => readOffline(sources, request, signal, group)))
}

function refuse(
  sources: RowSources,
  { now }: LoadingRequest,
  { view, fill }: Wanted,
  reason: UnavailableReason,
): void {
  fill(unavailableColumn(sources.reader(view), 'ONLINE', () => now, reason))
}
