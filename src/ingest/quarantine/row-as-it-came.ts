import { formatTimestamp } from '../../definitions/timestamp.ts'
import type { Registry } from '../../registry/registry.ts'
import type { QuarantinedEntry } from '../../stores/quarantine-store.ts'
import { readJsonLine } from '../accept/read-json-line.ts'
import { asMessage, entryContent, withBytes } from './entry-content.ts'

/**
 * An entry as its sender may correct it and send it again: an event with the names of its source's messages (for
 * `POST /events/<source>`), a row of a view by registry name with `event_timestamp` (for `POST /push/<view>`), and the text
 * of what could not be taken apart.
 */
export function rowAsItCame(registry: Registry, entry: QuarantinedEntry): unknown {
  const { name, content, message, cameBy } = entry
  if (message !== null) {
    const read = readJsonLine(message.value)
    return 'unreadable' in read ? message.value.toString() : read.json
  }
  const source = registry.eventSources.find((one) => one.name === name)
  if (source) return lineOf(content) ?? asMessage(source, content)
  const parsed = entryContent.safeParse(content)
  if (!parsed.success) return lineOf(content) ?? content
  const { key, values, eventTimestamp } = parsed.data
  const view = registry.views.find((one) => one.name === name)
  const isPushed = cameBy === 'push'
  const typeOf = (feature: string) => view?.features.find((one) => one.name === feature)?.type
  const shown = Object.entries(values).map(([feature, value]) => {
    const isTime = isPushed && typeOf(feature)?.startsWith('timestamp') === true
    return [feature, asText(value, isTime)] as const
  })
  return { ...key, event_timestamp: asText(eventTimestamp, isPushed), ...Object.fromEntries(shown) }
}

function lineOf(content: unknown): string | null {
  const isLine = typeof content === 'object' && content !== null && 'line' in content
  return isLine && typeof content.line === 'string' ? content.line : null
}

/** A pushed row is stored with its times in microseconds, and with bytes. */
function asText(value: unknown, isTime: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => asText(item, isTime))
  if (isTime && typeof value === 'number' && Number.isSafeInteger(value)) return formatTimestamp(value)
  const bytes = withBytes(value)
  return bytes instanceof Uint8Array ? Buffer.from(bytes).toString('base64') : value
}
