/** What `import … from 'featuregraph'` gives: the functions that definitions are written with, and their types. */
export {
  type AggregationDefinition,
  count,
  countDistinct,
  first,
  last,
  max,
  mean,
  min,
  stddev,
  sum,
  variance,
} from './aggregation.ts'
export {
  type FileSourceDefinition,
  fileSource,
  type PostgresSourceDefinition,
  postgresSource,
} from './data-source.ts'
export { type EntityDefinition, entity } from './entity.ts'
export { type EventSourceDefinition, eventSource } from './event-source.ts'
export {
  type FeatureServiceDefinition,
  featureService,
  type RequestValueDefinition,
  request,
} from './feature-service.ts'
export {
  type FeatureViewDefinition,
  featureView,
  type Pick,
  type PickableView,
  type PickedFeature,
  type PickRole,
} from './feature-view.ts'
export {
  type ComputeFunction,
  type ComputeValue,
  type OnDemandViewDefinition,
  onDemandView,
} from './on-demand-view.ts'
export { type ParquetSourceDefinition, parquetSource } from './parquet-source.ts'
export {
  type BatchCompute,
  batch,
  type StreamCompute,
  stream,
  type WindowedViewDefinition,
  windowedView,
} from './windowed-view.ts'
