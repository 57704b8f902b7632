import type { Micros } from '../definitions/timestamp.ts'
import type { EntityKey } from '../definitions/value.ts'
import { layoutOf } from '../online/row-layouts.ts'
import { type ViewReader, viewReader } from '../online/view-reader.ts'
import type { ViewRow } from '../online/view-row.ts'
import type { EventSource, FeatureView } from '../registry/registry.ts'
import type { AsOfRow } from '../stores/as-of-reader.ts'
import { snapshotRow, streamedRow } from './computed-row.ts'
import { isKnownBy, isSameKey, type KeyMoment, type NumberedRow, newestRow } from './newest-row.ts'
import { packedOnline, tiledOnline } from './online-rows.ts'
import { eventsOfKey, type StoredEvents } from './stored-events.ts'

/** What was given to a world. */
export interface WorldContent {
  readonly rows: (view: FeatureView) => readonly NumberedRow[]
  readonly events: (source: EventSource) => Pick<StoredEvents, 'events'>
}

/** Rows of views as the gateway answers them, over what a world holds. */
export interface ViewRows {
  /** As of now, when that is `at`: over what was stored by then. A view that is not online is read as of then. */
  readonly online: (view: FeatureView, key: EntityKey, at: Micros, maxAge: Micros | null) => Promise<ViewRow>
  readonly asOf: (view: FeatureView, moment: KeyMoment, maxAge: Micros | null) => ViewRow
}

const history = { find: () => null, isUnrecorded: () => true }

export function viewRows(content: WorldContent): ViewRows {
  const readers = new Map<FeatureView, ViewReader>()
  const layout = (view: FeatureView) => layoutOf('default', view.id, view)
  const reader = (view: FeatureView): ViewReader => {
    const known = readers.get(view) ?? viewReader(view, layout(view), history)
    readers.set(view, known)
    return known
  }

  function entry(view: FeatureView, moment: KeyMoment): AsOfRow | null {
    switch (view.kind) {
      case 'STREAM':
        return streamedRow(view, content.events(view.events), moment)
      case 'BATCH':
        return snapshotRow(view, content.events(view.events), content.rows(view), moment)
      case 'PLAIN': {
        const row = newestRow(content.rows(view), moment)
        return row === null ? null : { ...row, closing: false }
      }
    }
  }

  async function bytes(view: FeatureView, key: EntityKey, at: Micros): Promise<Buffer | null> {
    switch (view.kind) {
      case 'STREAM':
        return tiledOnline(view, layout(view), eventsOfKey(view, content.events(view.events), key, at))
      case 'BATCH': {
        const row = entry(view, { key, asOf: at, knownAt: at })
        return row === null
          ? null
          : await packedOnline(view, layout(view), key, [{ ...row, rowId: null }], at)
      }
      case 'PLAIN': {
        const written = content
          .rows(view)
          .filter((row) => isSameKey(row.key, key) && row.eventTimestamp <= at)
          .filter(({ createdTimestamp }) => isKnownBy(createdTimestamp, at))
        return await packedOnline(view, layout(view), key, written, at)
      }
    }
  }

  const asOf: ViewRows['asOf'] = (view, moment, maxAge) =>
    reader(view).readOffline(entry(view, moment), moment.asOf, maxAge)
  return {
    asOf,
    async online(view, key, at, maxAge) {
      if (!view.online) return asOf(view, { key, asOf: at, knownAt: at }, maxAge)
      return reader(view).readPacked(await bytes(view, key, at), at, maxAge)
    },
  }
}
