/** When the stored event `x` counts: one from ahead from the moment that it was stored, so that none lies in the future. */
export const countedAt = 'least(x.event_timestamp, x.ingested_at)'
/** No stored event lies further ahead of that moment. */
export const allowedAheadMicros = 600_000_000
export const furthestAhead = `interval '10 minutes'`
/** Whether the stored event `x` counts at all: its verdict, which was given when it was accepted and never changes. */
export const counts = 'x.counts'
