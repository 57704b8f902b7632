import { errorCode, FeaturegraphError, RegistryUnreadable, StoreFailed } from '../../errors.ts'
import { isDiskFull } from './disk-full.ts'
import { withoutPath } from './inspect-spine.ts'

/** How a training set failed, in words for the caller. */
export interface JobFailure {
  readonly code: string
  readonly message: string
}

/** Codes whose messages were written for callers. */
const forCallers: ReadonlySet<string> = new Set([
  ...['BAD_USER_INPUT', 'LIMIT_EXCEEDED', 'UNAVAILABLE', 'STORAGE_FULL', 'HISTORY_EXPIRED'],
])

/** A store's own words, a fault's and paths of the gateway stay in the log. */
export function jobFailure(
  raw: unknown,
  paths: { readonly spine: string; readonly set: string },
): JobFailure {
  if (raw instanceof StoreFailed)
    return {
      code: 'UNAVAILABLE',
      message: 'the offline store failed several times at the same part; create the training set again later',
    }
  if (isDiskFull(raw))
    return {
      code: 'STORAGE_FULL',
      message: 'the disk of FEATUREGRAPH_FILES has no room left; nothing was kept',
    }
  if (errorCode(raw) === 'ENOENT') return { code: 'BAD_USER_INPUT', message: spineGone }
  const error = withoutPath(withoutPath(raw, paths.spine, 'the spine'), paths.set, 'the training set')
  if (error instanceof DefinitionsGone || (error instanceof FeaturegraphError && forCallers.has(error.code)))
    return { code: error.code, message: error.message }
  return {
    code: 'INTERNAL_SERVER_ERROR',
    message: "the job failed; the gateway's log has the details under the training set's id",
  }
}

export const spineGone = 'the file of the spine is not there any more; send the spine again'

/** The definitions that a training set was created by are not to be had. */
export class DefinitionsGone extends RegistryUnreadable {
  constructor(version: number) {
    super(
      `version ${version} of the registry, by which the training set was created, cannot be read by this program any more; create it again`,
    )
  }
}
