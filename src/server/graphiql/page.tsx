import { createGraphiQLFetcher } from '@graphiql/toolkit'
import { GraphiQL } from 'graphiql'
import { createRoot } from 'react-dom/client'
import type { ExampleTab } from './example-tab.ts'
import { KeyForm } from './key-form.tsx'
import { restoreTabs } from './restore-tabs.ts'

window.MonacoEnvironment = {
  getWorker(_workerId: string, label: string): Worker {
    const file = label === 'json' || label === 'graphql' ? WORKER_FILES[label] : WORKER_FILES.editor
    return new Worker(new URL(file, import.meta.url), { type: 'module' })
  },
}

const container = document.getElementById('graphiql')
if (container === null) throw new Error('expected an element with the id "graphiql" in the page')
const root = createRoot(container)

await open(null)

/** GraphiQL with the gateway's examples; where it does not answer, the form that says so and takes a key. */
async function open(key: string | null): Promise<void> {
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` }
  const response = await fetch('graphiql/tabs', { headers })
  if (response.ok) return showGraphiql((await response.json()) as readonly ExampleTab[], headers)
  const wantsKey = response.status === 401
  const unknownKey = key === null ? '' : 'The gateway does not know this key.'
  const refusal = wantsKey ? unknownKey : await refusalOf(response)
  root.render(
    <KeyForm refusal={refusal} onKey={wantsKey || key !== null ? (given) => void open(given) : null} />,
  )
}

function showGraphiql(examples: readonly ExampleTab[], headers: Record<string, string>): void {
  const storage = storageWithoutHeaders(localStorage)
  restoreTabs(storage, examples)
  root.render(
    <GraphiQL
      fetcher={createGraphiQLFetcher({ url: 'graphql', headers, enableIncrementalDelivery: false })}
      defaultEditorToolsVisibility="variables"
      schemaDescription
      shouldPersistHeaders={false}
      storage={storage}
    >
      <GraphiQL.Logo>featuregraph</GraphiQL.Logo>
    </GraphiQL>,
  )
}

async function refusalOf(response: Response): Promise<string> {
  const shown = `the gateway answered ${response.status}`
  const body = (await response.json().catch(() => null)) as {
    readonly errors?: readonly { readonly message: string }[]
  } | null
  return body?.errors?.[0]?.message ?? shown
}

/**
 * GraphiQL's history keeps the headers of every operation, so a bearer token too, whatever `shouldPersistHeaders` says
 * (@graphiql/plugin-history 0.4.4): they are taken out of all that is written.
 */
function storageWithoutHeaders(storage: Storage): Storage {
  return {
    get length() {
      return storage.length
    },
    key: (index) => storage.key(index),
    getItem: (key) => storage.getItem(key),
    setItem(key, value) {
      const isHistory = key === 'graphiql:queries' || key === 'graphiql:favorites'
      storage.setItem(key, isHistory ? withoutHeaders(value) : value)
    },
    removeItem: (key) => storage.removeItem(key),
    clear: () => storage.clear(),
  }
}

function withoutHeaders(json: string): string {
  return JSON.stringify(JSON.parse(json), (key, value: unknown) => (key === 'headers' ? undefined : value))
}
