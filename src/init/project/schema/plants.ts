import {
  count,
  entity,
  eventSource,
  featureService,
  featureView,
  last,
  request,
  stream,
  sum,
  windowedView,
} from 'featuregraph'

/** An entity is what features describe. Callers name one by its join key: `plant(plantId: "fern")`. */
export const plant = entity('plant', {
  joinKeys: { plant_id: 'string' },
  description: 'A plant of the greenhouse',
})

/** A feature view holds features that come together as one row of an entity. These rows are pushed. */
export const plantProfile = featureView('plant_profile', {
  entity: plant,
  // A row that is older answers OUTSIDE_TTL, and its values are null.
  ttl: '365d',
  features: {
    pot_litres: { type: 'float64', unit: 'l', description: 'Size of its pot', expect: { min: 0 } },
    in_shade: 'bool',
  },
})

/** An event source is what happens: pushed over HTTP, imported from files, or read from a Kafka topic. */
export const waterings = eventSource('waterings', {
  // topic: 'waterings',
  eventTimestamp: 'watered_at',
  fields: {
    plant_id: 'string',
    // An event that breaks this is refused to its sender.
    litres: { type: 'float64', expect: { min: 0, action: 'reject' } },
  },
})

/** A windowed view aggregates events. stream() answers for the moment asked for, batch({ every: '1d' }) once a day. */
export const plantWaterings = windowedView('plant_waterings', {
  entity: plant,
  source: waterings,
  compute: stream(),
  features: {
    waterings_7d: count('7d'),
    litres_7d: sum('litres', '7d'),
    last_litres_30d: last('litres', '30d'),
  },
})

/** A feature service is what one model takes, in the order of its vector. */
export const thirstV1 = featureService('thirst_v1', [
  plantProfile.pick('pot_litres', 'in_shade'),
  plantWaterings.pick('waterings_7d', 'litres_7d'),
  // The caller sends this one with each key.
  request('degrees', 'float64', { description: 'Temperature of now' }),
])
