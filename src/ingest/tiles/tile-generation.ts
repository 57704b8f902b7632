import type { Clock } from '../../definitions/timestamp.ts'
import type { StreamView } from '../../registry/registry.ts'
import type { TiledView, TileGeneration, TileGenerations } from '../../stores/tile-generations.ts'

/** Where the tiles of views stand in the online store. */
export interface TilePlaces {
  readonly tiledView: (view: StreamView) => TiledView
  /** The front of the keys of one generation. */
  readonly tilePrefix: (tiles: TiledView, generation: number) => string
  /** Those of views with rows. */
  readonly rowPrefixes: ReadonlySet<string>
}

interface GenerationTargets extends TilePlaces {
  readonly generations: TileGenerations
  readonly clock: Clock
}

/** Those of the view's windows as they are declared today. */
export function generationsOf(
  { tiledView }: Pick<TilePlaces, 'tiledView'>,
  view: StreamView,
  known: readonly TileGeneration[],
): readonly TileGeneration[] {
  const { viewId, fingerprint } = tiledView(view)
  return known.filter((one) => one.viewId === viewId && one.fingerprint === fingerprint)
}

/**
 * The next one, unless one is being built; `known` are those that there are. Who leads the stream builds it. A number is
 * passed over where its keys would meet those of others: a prefix has 24 bits.
 */
export async function beginGeneration(
  targets: GenerationTargets,
  view: StreamView,
  known: readonly TileGeneration[],
): Promise<void> {
  const { tiledView, tilePrefix, rowPrefixes, generations, clock } = targets
  const tiles = tiledView(view)
  const taken = new Set([...rowPrefixes, ...known.map((one) => tilePrefix(one, one.generation))])
  let next = Math.max(0, ...generationsOf(targets, view, known).map(({ generation }) => generation)) + 1
  while (taken.has(tilePrefix(tiles, next))) next += 1
  await generations.begin(tiles, next, clock())
}
