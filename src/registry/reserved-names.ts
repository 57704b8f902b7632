/**
 * Type names of the GraphQL surface that no definition may produce: those of today and those that later parts of the
 * surface will use, so that a schema which is legal now stays legal.
 */
export const reservedTypeNames: ReadonlySet<string> = new Set([
  ...['Query', 'Mutation', 'Subscription', 'Int64', 'Timestamp', 'Duration', 'Bytes'],
  ...[
    'Int',
    'Float',
    'String',
    'Boolean',
    'ID',
    'RowStatus',
    'FeatureStatus',
    'Freshness',
    'FreshnessSource',
  ],
  ...['PushTarget', 'PushResult', 'PushedRow', 'OnlineWrite', 'DeletionReceipt', 'DeletionCount'],
  ...['ExpectationRule', 'ExpectationAction', 'FeatureViolation', 'Violation', 'ViolationConnection'],
  ...['RunKind', 'RunState', 'Run', 'RunConnection', 'PageInfo'],
  ...['TrainingSet', 'TrainingSetState', 'TrainingSetFormat', 'TrainingSetPart', 'TrainingSetConnection'],
  ...['CreateTrainingSetInput', 'ColumnMappingInput'],
  ...[
    'Tag',
    'TagInput',
    'JoinKey',
    'Entity',
    'Relation',
    'FeatureView',
    'FeatureViewKind',
    'Feature',
    'FeatureUsage',
  ],
  ...['FeatureService', 'ServiceFeature', 'RegistryVersion', 'RegistryVersionConnection', 'Process'],
])

/** Root fields of queries and mutations that are not generated. */
export const reservedRootFields: ReadonlySet<string> = new Set([
  ...['entities', 'featureViews', 'featureServices', 'violations', 'runs', 'registryVersions', 'processes'],
  ...['trainingSet', 'trainingSets', 'createTrainingSet', 'cancelTrainingSet', 'deleteTrainingSet'],
])

/** Fields beside the features in a view's type and in its stored and pushed rows. */
export const reservedFeatureFields: ReadonlySet<string> = new Set([
  ...['freshness', 'status', 'eventTimestamp', 'createdTimestamp'],
])

/** Fields beside the values in a service's rows and columns. */
export const reservedServiceFields: ReadonlySet<string> = new Set([
  ...['vector', 'vectors', 'names', 'statuses', 'defaulted', 'violations'],
])

/** Arguments and fields beside the join keys. */
export const reservedKeyFields: ReadonlySet<string> = new Set([
  ...['asOf', 'knownAt', 'key', 'keys', 'rows', 'first', 'after', 'eventTimestamp', 'createdTimestamp'],
])

/** Columns that every managed table has beside join keys and features. */
export const reservedColumns: ReadonlySet<string> = new Set([
  ...['event_timestamp', 'created_timestamp', 'row_id', 'ingested_xid', 'as_of', 'known_at', 'ordinality'],
  'closing',
])

/** Columns that every table of stored events has beside the fields. */
export const reservedEventColumns: ReadonlySet<string> = new Set([
  ...['topic_id', 'partition', 'offset', 'event_timestamp', 'ingested_at', 'event_id', 'counts'],
  'ingested_xid',
])

/** Names that mean something to JavaScript objects. */
export const javascriptNames: ReadonlySet<string> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  ...['prototype', 'then', 'toJSON'],
])
