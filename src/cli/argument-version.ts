import { BadUserInput } from '../errors.ts'

/** @throws BadUserInput for what is no number of a version. */
export function argumentVersion(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new BadUserInput(
    `expected the number of a version, as 3; got ${JSON.stringify(text)}. \`featuregraph history\` lists them`,
  )
}
