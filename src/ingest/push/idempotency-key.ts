import { BadUserInput } from '../../errors.ts'

const maxKeyLength = 255

/**
 * The key as it came, null without one.
 * @throws BadUserInput when it is empty, longer than 255 characters, or no text that Postgres keeps.
 */
export function acceptIdempotencyKey(key: string | null | undefined): string | null {
  if (key === null || key === undefined) return null
  if (key !== '' && key.length <= maxKeyLength && key.isWellFormed() && !key.includes('\0')) return key
  throw new BadUserInput(
    `an idempotency key has 1 to ${maxKeyLength} characters, none of them U+0000 or a lone surrogate`,
  )
}
