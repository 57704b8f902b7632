import type { EventLog } from './event-log.ts'
import type { EventPositions } from './event-positions.ts'
import type { EventTopics } from './event-topics.ts'

/** All that is stored of events: three ports on one database. */
export interface EventStore extends EventLog, EventPositions, EventTopics {}
