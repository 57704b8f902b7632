/** Levels of lists and objects that stand inside each other; nothing that is sent here needs more. */
export const maxJsonDepth = 32

/** Why a JSON value is not read; what comes after it walks values down, and would run out of stack on it. */
export const tooDeepJson = `JSON may be nested at most ${maxJsonDepth} levels deep`

/** Whether a parsed value is nested too deeply; it goes down no further than that. */
export function isTooDeepJson(value: unknown, levels: number = maxJsonDepth): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  if (Array.isArray(value)) {
    for (const item of value) if (isTooDeepJson(item, levels - 1)) return true
    return false
  }
  for (const name in value)
    if (isTooDeepJson((value as Readonly<Record<string, unknown>>)[name], levels - 1)) return true
  return false
}

/** The same of a text that is to become one, whatever it is. */
export function isTooDeepText(text: string): boolean {
  let [depth, inString] = [0, false]
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (inString) {
      if (character === '\\') at += 1
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === '[' || character === '{') depth += 1
    else if (character === ']' || character === '}') depth -= 1
    if (depth > maxJsonDepth) return true
  }
  return false
}
