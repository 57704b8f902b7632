import { createHash } from 'node:crypto'
import type { EntityKey, KeyValue } from '../../definitions/value.ts'

/**
 * The front of a view's keys, `f:q7Zk:`: 24 bits of a digest of the project and the view's id (its name when it was
 * first applied, so that a rename keeps the rows). Short, since key names cost as much memory as values.
 */
export function onlineKeyPrefix(project: string, viewId: string): string {
  const digest = createHash('sha256').update(`${project}\0${viewId}`).digest('base64url')
  return `f:${digest.slice(0, 4)}:`
}

/** Of the rows of one key generation: those of the first have the view's own front. */
export function generationKeyPrefix(project: string, viewId: string, generation: number): string {
  return onlineKeyPrefix(project, generation === 0 ? viewId : `${viewId}\0${generation}`)
}

/**
 * The end of a row's key, `{1001}` or `{12,eu}`: in braces, the hash tag of Redis Cluster, so that all views of an
 * entity share a slot. Parts are escaped so that no two entity keys meet; a tag is never empty, as Redis would then
 * hash the whole key.
 */
export function onlineKeySuffix(key: EntityKey): string {
  const [first] = key
  if (key.length === 1 && typeof first === 'number') return `{${first}}`
  return `{${key.map(escapePart).join(',')}}`
}

function escapePart(part: KeyValue): string {
  if (typeof part === 'number') return String(part)
  if (part === '') return '%'
  return part.replace(/[%,{}]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
}

/** The name of the marker that is a project's guard. A marker of rows has their prefix as its name, which never meets it. */
export function guardMarkerName(project: string): string {
  return `guard ${project}`
}

/** Where a marker stands. Rows' keys have four characters where this has one. */
export function markerKey(name: string): string {
  return `f:m:{${name}}`
}

/** How the keys begin of markers that belong to rows of this front: those of partitions are named behind a space. */
export function markersFront(prefix: string): string {
  return markerKey(`${prefix} `).slice(0, -1)
}
