import { createHash } from 'node:crypto'
import type { ComputeDigest, ComputeFunction } from '../definitions/on-demand-view.ts'

/**
 * What a function is known by: its module, and its own text. Of a definition that comes from no file the text stands for the
 * module. A stored version has the digests themselves.
 */
export function computeDigest(
  compute: ComputeFunction | ComputeDigest,
  module: string | undefined,
): ComputeDigest {
  if (typeof compute !== 'function') return compute
  const text = createHash('sha256').update(Function.prototype.toString.call(compute)).digest('hex')
  return { module: module ?? `text ${text}`, text }
}
