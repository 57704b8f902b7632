import { BadUserInput, type FeaturegraphError, StoreFailed } from '../../errors.ts'

/** An answer of the store that is no success, as an error of ours; `text` is its XML. */
export function refusal(url: string, status: number, text: string): FeaturegraphError {
  const code = /<Code>([A-Za-z0-9]+)</.exec(text)?.[1] ?? ''
  const shown = code === '' ? String(status) : `${status}, ${code}`
  if (code === 'NoSuchBucket')
    return new BadUserInput(
      `${url}: there is no such bucket (${shown}); create it, or check AWS_REGION and AWS_ENDPOINT_URL`,
    )
  if (status === 404) return new BadUserInput(`${url} is not there (${shown})`)
  if (status === 401 || status === 403)
    return new BadUserInput(
      `${url}: the object store refuses access (${shown}); check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and what they may do in the bucket`,
    )
  if (status === 301 || status === 307 || status === 400)
    return new BadUserInput(
      `${url}: the object store does not take the request (${shown}); check AWS_REGION and AWS_ENDPOINT_URL`,
    )
  return new StoreFailed(`${url}: the object store failed (${shown})`)
}
