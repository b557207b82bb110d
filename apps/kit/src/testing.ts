export { describeMessages } from './testing/describe-messages.ts'
export { describeRoutes } from './testing/describe-routes.ts'
export { testIssuer } from './testing/issuer-of-tests.ts'
export { call, type Served, serve } from './testing/serve.ts'
