import { BadUserInput } from '../../errors.ts'
import { endpointOf, type S3Access } from '../lake-access.ts'

export interface ObjectPlace {
  /** As it was given. */
  readonly url: string
  readonly bucket: string
  readonly key: string
  /** Over HTTP. */
  readonly address: string
  readonly bucketAddress: string
}

/**
 * Where an object is found: at an endpoint of the settings the bucket is the path's first part; at AWS it is in the host's
 * name, unless it has dots, which no certificate there covers.
 * @throws BadUserInput for what is no `s3://bucket/key`.
 */
export function objectPlace(url: string, { endpoint, region }: S3Access): ObjectPlace {
  const [, bucket = '', key = ''] = /^s3:\/\/([a-zA-Z0-9._-]+)(?:\/(.*))?$/s.exec(url) ?? []
  if (bucket === '') throw new BadUserInput(`${url} is no address of an object; expected s3://bucket/key`)
  const aws = `s3.${region}.amazonaws.com`
  const bucketAddress =
    endpoint === null
      ? bucket.includes('.')
        ? `https://${aws}/${bucket}/`
        : `https://${bucket}.${aws}/`
      : `${endpointOf(endpoint).origin}/${bucket}/`
  // `+` would be read as a space.
  const path = key.split('/').map(encodeURIComponent).join('/')
  return { url, bucket, key, bucketAddress, address: `${bucketAddress}${path}` }
}
