import type { ExampleTab } from './example-tab.ts'
import { comment } from './query-text.ts'

/** What there is, whatever the definitions are. */
export const catalogueTab: ExampleTab = {
  name: 'Catalogue',
  query: `${comment(
    "What there is to ask for: the definitions that this schema is generated from. name is the registry's, graphqlName the field's. A service's vector lists its values in order; one without a view is sent with the request.",
  )}
query Catalogue {
  entities {
    name
    description
    joinKeys { name graphqlName type }
  }
  featureViews {
    name
    graphqlName
    kind
    owner
    tags { key value }
    entity { name }
    ttlSeconds
    online
    features { name graphqlName type description }
  }
  featureServices {
    name
    graphqlName
    description
    joinKeys { name graphqlName type }
    requestValues { name graphqlName type required }
    vector { name graphqlName view type default }
  }
}
`,
  variables: {},
}
