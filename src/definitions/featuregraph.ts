/** What `import … from 'featuregraph'` gives: the functions that definitions are written with, and their types. */
export { type PostgresSourceDefinition, postgresSource } from './data-source.ts'
export { type EntityDefinition, entity } from './entity.ts'
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
} from './feature-view.ts'
