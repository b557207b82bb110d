export { describeRoutes, type RoutesUnderTest, type TestRunner } from './testing/describe-routes.ts'
export { type TestIssuer, testIssuer } from './testing/issuer-of-tests.ts'
export { type Answer, type CallOptions, call, type Served, serve } from './testing/serve.ts'
