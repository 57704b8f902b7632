/** Under which topic the events of a stream's topic are stored. Rejections are `StoreFailed`, as for the event log. */
export interface EventTopics {
  /**
   * The topic of stored events for a topic of a stream; made for one that is seen for the first time. Null where another
   * topic stands behind the name than the one whose events are stored: it was created again.
   */
  readonly openTopic: (name: string, identity: string) => Promise<string | null>
  /** From now on the events of this topic are stored under that name, behind those of the one before it. */
  readonly adoptTopic: (name: string, identity: string) => Promise<void>
}
