/** The topic that dead-lettered messages of `topic` are copied to where it exists; this program creates no topics. */
export function deadLetterTopic(topic: string): string {
  return `${topic}.dead-letters`
}
