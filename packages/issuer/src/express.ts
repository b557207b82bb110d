export { type IssuerRoutesOptions, issuerRoutes, type RouteHandler } from './http/issuer-routes.ts'
