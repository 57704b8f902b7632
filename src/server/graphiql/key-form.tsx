import { useState } from 'react'

export interface KeyFormProps {
  /** Why the gateway does not answer, in its own words. */
  readonly refusal: string
  /** Null: the refusal is not about a key. */
  readonly onKey: ((key: string) => void) | null
}

/** In place of GraphiQL where the gateway does not answer: says why, and takes an API key. */
export function KeyForm({ refusal, onKey }: KeyFormProps) {
  const [key, setKey] = useState('')
  return (
    <form
      className="key-form"
      onSubmit={(event) => {
        event.preventDefault()
        if (key.trim() !== '') onKey?.(key.trim())
      }}
    >
      <h1>featuregraph</h1>
      {onKey === null ? null : (
        <>
          <label htmlFor="api-key">
            This gateway answers callers with an API key that has the right “read”.
          </label>
          <input
            id="api-key"
            type="password"
            autoComplete="off"
            placeholder="API key"
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
          <button type="submit">Open GraphiQL</button>
          <p>The page sends it with every request and stores it nowhere: after a reload it asks again.</p>
        </>
      )}
      <p role="alert">{refusal}</p>
    </form>
  )
}
