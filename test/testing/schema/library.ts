import {
  batch,
  count,
  countDistinct,
  entity,
  eventSource,
  featureService,
  featureView,
  last,
  mean,
  request,
  stream,
  sum,
  windowedView,
} from 'featuregraph'

export const reader = entity('reader', { joinKeys: { reader_id: 'int64' } })

export const loans = eventSource('loans', {
  eventTimestamp: 'lent_at',
  eventId: 'loan_id',
  fields: {
    reader_id: 'int64',
    pages: { type: 'int32', expect: { min: 1, action: 'reject' } },
    shelf: 'string',
    renewed: { type: 'bool', default: false },
  },
})

export const readerLoans = windowedView('reader_loans', {
  entity: reader,
  source: loans,
  compute: stream(),
  features: {
    loans_30d: count('30d'),
    pages_30d: sum('pages', '30d'),
    pages_mean_30d: mean('pages', '30d'),
    renewals_30d: count('30d', { where: { renewed: true } }),
    shelves_30d: countDistinct('shelf', '30d'),
    last_shelf_30d: last('shelf', '30d'),
  },
})

export const readerMonths = windowedView('reader_months', {
  entity: reader,
  source: loans,
  compute: batch({ every: '1d' }),
  ttl: '90d',
  features: { loans_60d: count('60d'), pages_60d: sum('pages', '60d') },
})

export const readerCards = featureView('reader_cards', {
  entity: reader,
  ttl: '30d',
  features: {
    fee: { type: 'float32', default: 12, expect: { max: 100, action: 'quarantine' } },
    member_since: 'timestamp',
    badge: 'bytes',
    favourites: 'string[]',
  },
})

export const readerNotes = featureView('reader_notes', {
  entity: reader,
  online: false,
  features: { debts: 'int64' },
})

export const returnsV1 = featureService('returns_v1', [
  readerLoans.pick('loans_30d', 'pages_mean_30d'),
  readerCards.pick('fee'),
  readerMonths.pick({ name: 'loans_60d', as: 'loans', default: 1 }),
  readerNotes.pick('debts'),
  request('distance', 'float64'),
  request('weekday', 'int32', { default: 3 }),
])

const friend = { reader_id: 'friend_id' }
/** What a reader lends to a friend. */
export const lendingV1 = featureService('lending_v1', [
  readerLoans.pick('loans_30d'),
  readerLoans.as('friend', friend).pick('loans_30d', { name: 'shelves_30d', as: 'shelves', default: 2 }),
  readerCards.as('friend', friend).pick('fee'),
  readerMonths.as('friend', friend).pick('loans_60d'),
  readerNotes.as('friend', friend).pick('debts'),
])
