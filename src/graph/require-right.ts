import { Forbidden } from '../errors.ts'
import type { Caller, Right } from './context.ts'

/** @throws Forbidden */
export function requireRight(caller: Pick<Caller, 'rights'>, right: Right): void {
  if (!caller.rights.has(right)) throw new Forbidden(`this needs the right "${right}"`)
}
