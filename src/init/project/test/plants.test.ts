import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { testWorld } from 'featuregraph/testing'
import * as definitions from '../schema/plants.ts'

const { plantProfile, plantWaterings, thirstV1, waterings } = definitions

/** A world in memory: no server, and no clock but the times below. */
function greenhouse() {
  const world = testWorld(definitions)
  world.rows(plantProfile, [
    { plant_id: 'fern', event_timestamp: '2026-05-01T00:00:00Z', pot_litres: 5, in_shade: true },
  ])
  world.events(waterings, [
    { watered_at: '2026-05-02T08:00:00Z', plant_id: 'fern', litres: 0.5 },
    { watered_at: '2026-05-09T08:00:00Z', plant_id: 'fern', litres: 0.75 },
  ])
  return world
}

describe('the thirst of a plant', () => {
  it('is made of its pot and of the waterings of the last week', async () => {
    const [fern] = await greenhouse().online({
      service: thirstV1,
      keys: [{ plant_id: 'fern', degrees: 24 }],
      at: '2026-05-10T12:00:00Z',
    })
    assert.deepEqual(fern?.names, ['pot_litres', 'in_shade', 'waterings_7d', 'litres_7d', 'degrees'])
    assert.deepEqual(fern?.vector, [5, 1, 1, 0.75, 24])
  })

  it('says which values are missing, and takes their defaults', async () => {
    const [cactus] = await greenhouse().online({
      service: thirstV1,
      keys: [{ plant_id: 'cactus', degrees: 24 }],
      at: '2026-05-10T12:00:00Z',
    })
    assert.equal(cactus?.statuses['pot_litres'], 'NOT_FOUND')
    assert.deepEqual(cactus?.vector, [0, 0, 0, 0, 24])
  })

  it('is as it was at a past time', async () => {
    const [fern] = await greenhouse().asOf({
      view: plantWaterings,
      keys: [{ plant_id: 'fern' }],
      at: '2026-05-08T00:00:00Z',
    })
    assert.deepEqual(fern?.features, { waterings_7d: 1, litres_7d: 0.5, last_litres_30d: 0.5 })
  })
})

describe('a watering', () => {
  it('of less than nothing is refused', () => {
    const [refused] = greenhouse().events(waterings, [
      { watered_at: '2026-05-10T08:00:00Z', plant_id: 'fern', litres: -1 },
    ])
    assert.equal(refused?.accepted, false)
  })
})
