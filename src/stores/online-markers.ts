/**
 * Texts beside the rows, which share their fate: a store that was emptied or set back to an earlier state has lost them
 * too. They never expire and never meet a row's key. Rejections are `StoreFailed`, as for the online store.
 */
export interface OnlineMarkers {
  /** The last text written under the name, null without one. */
  readonly readMarker: (name: string) => Promise<string | null>
  /** Replaces the marker. It stands after every write that was answered before: where it is found, those are. */
  readonly writeMarker: (name: string, value: string) => Promise<void>
  /** As `writeMarker`, where the marker is `from` (null: where there is none); false: it is another one, and stays. */
  readonly moveMarker: (name: string, from: string | null, to: string) => Promise<boolean>
}
