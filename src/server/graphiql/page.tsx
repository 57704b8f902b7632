import { createGraphiQLFetcher } from '@graphiql/toolkit'
import { GraphiQL } from 'graphiql'
import { createRoot } from 'react-dom/client'
import { exampleQueries } from './examples.ts'

window.MonacoEnvironment = {
  getWorker(_workerId: string, label: string): Worker {
    const file = label === 'json' || label === 'graphql' ? WORKER_FILES[label] : WORKER_FILES.editor
    return new Worker(new URL(file, import.meta.url), { type: 'module' })
  },
}

const tabs = exampleQueries(new Date()).map(({ query, variables }) => ({
  query,
  variables: Object.keys(variables).length === 0 ? null : JSON.stringify(variables, null, 2),
}))

// GraphiQL does not put the first default tab's variables in the editor, and what it is given
// here it prefers to what the user left in the browser's storage: only a first visit needs it.
const firstVariables = localStorage.getItem('graphiql:tabState') === null ? tabs[0]?.variables : undefined

const container = document.getElementById('graphiql')
if (container === null) throw new Error('expected an element with the id "graphiql" in the page')

createRoot(container).render(
  <GraphiQL
    fetcher={createGraphiQLFetcher({ url: 'graphql', enableIncrementalDelivery: false })}
    defaultTabs={tabs}
    defaultEditorToolsVisibility="variables"
    shouldPersistHeaders={false}
    storage={storageWithoutHeaders(localStorage)}
    {...(firstVariables ? { initialVariables: firstVariables } : {})}
  >
    <GraphiQL.Logo>featuregraph</GraphiQL.Logo>
  </GraphiQL>,
)

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
