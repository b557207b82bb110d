export { answerErrors } from './answer-errors.ts'
export { type ConsumerApp, type ConsumerAppOptions, createConsumerApp, type RouteContext } from './consumer-app.ts'
export { ConfigError, consumerEnvironment, environmentParts, readEnvironment, toStartOptions } from './environment.ts'
export { jsonBody } from './json-body.ts'
export { pageFiles, pageHeaders, styleSheet } from './page.ts'
export { Problem, type ProblemCode } from './problem.ts'
export { runService, sayWhy } from './run-main.ts'
export {
  type ConsumerDefinition,
  type ConsumerStartOptions,
  type RunningConsumer,
  type ServiceContext,
  startConsumer,
} from './start-consumer.ts'
export { toWire } from './whoami.ts'
